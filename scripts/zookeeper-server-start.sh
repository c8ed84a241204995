#!/usr/bin/env bash
# Starts the coordinator. In front by default: its PID is this shell's, and SIGTERM stops it cleanly.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"

usage() {
    echo "USAGE: $0 [-daemon] zookeeper.properties"
    exit 1
}
daemon=no name=zookeeper
while [ $# -gt 0 ]; do
    case $1 in
    -daemon) daemon=yes; shift ;;
    -name) [ $# -ge 2 ] || usage; name=$2; shift 2 ;;
    -loggc) shift ;;
    --help | -h) echo "USAGE: $0 [-daemon] zookeeper.properties"; exit 0 ;;
    *) break ;;
    esac
done
[ $# -ge 1 ] || usage
for word in ${EXTRA_ARGS:-}; do [ "${previous:-}" = -name ] && name=$word; previous=$word; done
file=$1
shift
[ -e "$file" ] || { [ -e "$ROOT/$file" ] && file=$ROOT/$file; }
[ -r "$file" ] || fail "$file: cannot be read. The shipped one is $ROOT/config/zookeeper.properties"
file=$(readlink -f "$file")
start_server coordinator 0 "$(property "$file" clientPort)" $daemon "$name" "$file" "$@"
