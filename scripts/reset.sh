#!/usr/bin/env bash
# A fresh start for one server: its data directory is moved aside, nothing is deleted.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"

usage() {
    cat <<TEXT
USAGE: scripts/reset.sh --broker N | --coordinator
  scripts/reset.sh --broker 0       moves broker 0's log.dirs (config/server.properties) to run/old/
  scripts/reset.sh --coordinator    the same with the coordinator's dataDir; brokers then need a fresh start too
Nothing is deleted. The server must not be running.
TEXT
}

# move_aside DIRECTORY
move_aside() {
    local from=$1 to
    [ "${from#/}" != "$from" ] || from=$ROOT/$from
    [ -d "$from" ] || { echo "$from does not exist: nothing to do"; return 0; }
    to="$RUN_DIR/old/$(basename "$from").$(date +%Y%m%d-%H%M%S)"
    mkdir -p "$RUN_DIR/old" && mv -T "$from" "$to" || exit 1
    echo "moved $from to $to"
}

case ${1:-} in
--broker)
    id=${2:-}
    [ -n "$id" ] || { usage >&2; exit 1; }
    [ -z "$(pid_files broker | awk -v id="$id" '$2 == id')" ] || fail "broker $id runs; stop it first: scripts/kafka-server-stop.sh --broker-id $id"
    file=$ROOT/config/server$([ "$id" = 0 ] || echo "-$id").properties
    [ -r "$file" ] || fail "there is no $file; move that broker's log.dirs aside by hand"
    directories=$(property "$file" log.dirs)
    [ -n "$directories" ] || directories=$(property "$file" log.dir)
    [ -n "$directories" ] || fail "$file names no log.dirs"
    IFS=, read -ra directories <<<"$directories"
    for directory in "${directories[@]}"; do
        directory=${directory## }
        move_aside "${directory%% }"
    done
    ;;
--coordinator)
    [ -z "$(pid_files coordinator)" ] || fail "the coordinator runs; stop it first: scripts/zookeeper-server-stop.sh"
    move_aside "$(property "$ROOT/config/zookeeper.properties" dataDir)"
    ;;
--help | -h) usage ;;
*) usage >&2; exit 1 ;;
esac
