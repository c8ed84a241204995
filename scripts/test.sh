#!/usr/bin/env bash
# Builds everything and runs every test, on ports and in directories of its own.
#   scripts/test.sh                 all of it
#   scripts/test.sh unit            units, golden bytes, simulations (debug build)
#   scripts/test.sh clients [WORDS] real processes and real clients (release build); WORDS go to pytest
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
cd "$ROOT" || exit 1
part=${1:-all}
case $part in
--help | -h)
    sed -n '2,5s/^# //p' "$ROOT/scripts/test.sh"
    exit 0
    ;;
esac
[ $# -gt 0 ] && shift

unit() {
    need_swift
    need_libraries
    echo "== units, golden bytes, simulations"
    swift build --build-tests $(build_jobs) || return 1
    SWIFT_BACKTRACE=enable=no swift test --skip-build
}

clients() {
    echo "== real processes, real clients"
    need_packages kcat=/usr/bin/kcat strace=/usr/bin/strace || return 1
    # Apache ZooKeeper stands in for the coordinator, and beside it; its shells talk to ours. Tests say so when it is not there.
    need_packages zookeeper=/usr/share/java/zookeeper.jar zookeeper-bin=/usr/lib/zookeeper/bin/cli_mt \
        default-jre-headless=/usr/bin/java ||
        echo "   without Debian's zookeeper: the tests that need it will be skipped"
    need_fresh_binary
    need_clients || return 1
    local venv=$CLIENTS
    # kazoo's own tests are in its sdist only.
    local suite=$ROOT/.build/kazoo-suite kazoo
    kazoo=$("$venv/bin/python" -c 'import importlib.metadata as m; print("kazoo-" + m.version("kazoo"))') || return 1
    if [ ! -d "$suite/$kazoo" ]; then
        rm -rf "$suite" && mkdir -p "$suite" &&
            "$venv/bin/pip" download -q --disable-pip-version-check --no-deps --no-binary :all: -d "$suite" "${kazoo/-/==}" &&
            tar -xzf "$suite/$kazoo.tar.gz" -C "$suite" || return 1
    fi
    (cd Tests/Interop && "$venv/bin/python" -B -m pytest -p no:cacheprovider -q -W ignore::DeprecationWarning "$@")
}

case $part in
all) unit && clients ;;
unit) unit ;;
clients) clients "$@" ;;
*) fail "scripts/test.sh [unit | clients [pytest's words]]" ;;
esac
result=$?
if [ $result -eq 0 ]; then echo "OK       nothing failed"; else echo "FAILED   see above" >&2; fi
exit $result
