#!/usr/bin/env bash
# Starts a broker. In front by default: its PID is this shell's, and SIGTERM stops it cleanly.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"

usage() {
    cat <<TEXT
USAGE: scripts/kafka-server-start.sh [-daemon] [-name NAME] server.properties [--override property=value]* [--strict-config]
  scripts/kafka-server-start.sh config/server.properties                                  in front; Ctrl-C stops it cleanly
  scripts/kafka-server-start.sh -daemon config/server-1.properties                        behind; returns when it is ready
  scripts/kafka-server-start.sh config/server.properties --override listeners=PLAINTEXT://:9192
-name NAME      with -daemon: its output goes to logs/NAME.out (kafkaServer)
--strict-config a setting that is not understood is an error
TEXT
}
wrong() {
    usage >&2
    exit 1
}
daemon=no name=kafkaServer
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
[ -r "$file" ] || fail "$file: cannot be read. The shipped one is $ROOT/config/server.properties"
file=$(readlink -f "$file")
id=$(property "$file" broker.id) listeners=$(property "$file" listeners)
for word in "$@"; do
    case $word in
    broker.id=* | --override=broker.id=*) id=${word##*broker.id=} ;;
    listeners=* | --override=listeners=*) listeners=${word##*listeners=} ;;
    esac
done
port=${listeners%%,*}
start_server broker "${id:-auto}" "${port##*:}" $daemon "$name" "$file" "$@"
