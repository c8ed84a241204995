#!/usr/bin/env bash
# Starts the coordinator. In front by default: its PID is this shell's, and SIGTERM stops it cleanly.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"

usage() {
    cat <<TEXT
USAGE: scripts/zookeeper-server-start.sh [-daemon] [-name NAME] zookeeper.properties [--strict-config]
  scripts/zookeeper-server-start.sh config/zookeeper.properties            in front; Ctrl-C stops it cleanly
  scripts/zookeeper-server-start.sh -daemon config/zookeeper.properties    behind; returns when it is ready
-name NAME      with -daemon: its output goes to logs/NAME.out (zookeeper)
--strict-config a setting that is not understood is an error
TEXT
}
wrong() {
    usage >&2
    exit 1
}
daemon=no name=zookeeper
while [ $# -gt 0 ]; do
    case $1 in
    -daemon) daemon=yes; shift ;;
    -name) [ $# -ge 2 ] || wrong; name=$2; shift 2 ;;
    -loggc) shift ;;
    --help | -h) usage; exit 0 ;;
    *) break ;;
    esac
done
[ $# -ge 1 ] || wrong
for word in ${EXTRA_ARGS:-}; do [ "${previous:-}" = -name ] && name=$word; previous=$word; done
file=$1
shift
[ -e "$file" ] || { [ -e "$ROOT/$file" ] && file=$ROOT/$file; }
[ -r "$file" ] || fail "$file: cannot be read. The shipped one is $ROOT/config/zookeeper.properties"
file=$(readlink -f "$file")
start_server coordinator 0 "$(property "$file" clientPort)" $daemon "$name" "$file" "$@"
