#!/usr/bin/env bash
# The coordinator under the name ZooKeeper's users know.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"

usage() {
    cat <<TEXT
Usage: scripts/zkServer.sh [--config <conf-dir>] {start|start-foreground|stop|version|restart|status|print-cmd} [zookeeper.properties]
  scripts/zkServer.sh start      behind; returns when it is ready
  scripts/zkServer.sh stop       returns when it has ended; exit 1 when it has not after LETTERBOX_STOP_SECONDS (30)
  scripts/zkServer.sh status     asks it; exit 0 when it answers, 1 when not
The file is config/zookeeper.properties unless one is named (or ZOOCFG, ZOOCFGDIR say otherwise). Of several coordinators
the one on the file's dataDir is meant; scripts/zookeeper-server-stop.sh stops them all.
TEXT
}
directory=${ZOOCFGDIR:-$ROOT/config}
if [ "${1:-}" = --config ]; then
    [ $# -ge 2 ] || { usage >&2; exit 1; }
    directory=$2
    shift 2
fi
command=${1:-}
case $command in --help | -h | help) usage; exit 0 ;; esac
file=${2:-${ZOOCFG:-zookeeper.properties}}
[ -e "$file" ] || file=$directory/$(basename "$file")
[ -n "${ZOOCFG:-}${2:-}" ] || [ -e "$file" ] || file=$directory/zoo.cfg
case $command in
start | start-foreground | stop | restart | status | print-cmd)
    [ -r "$file" ] || fail "$file: cannot be read. The shipped one is $ROOT/config/zookeeper.properties"
    file=$(readlink -f "$file")
    echo "ZooKeeper JMX is not there (no JVM); admin HTTP: admin.serverPort in the file" >&2
    echo "Using config: $file" >&2
    ;;
esac

# The four-letter word srvr, asked without netcat.
ask() {
    local host port
    port=$(property "$file" clientPort)
    host=$(property "$file" clientPortAddress)
    case ${host:-0.0.0.0} in 0.0.0.0 | ::) host=localhost ;; esac
    port=${port:-2181}
    echo "Client port found: $port. Client address: $host." >&2
    (
        exec 3<>"/dev/tcp/$host/$port" || exit 1
        printf srvr >&3
        timeout 5 cat <&3
    ) 2>/dev/null
}

# data_dir FILE : the dataDir it names, as an absolute path; relative ones count from the checkout, where the coordinator runs.
data_dir() {
    local data
    data=$(property "$1" dataDir 2>/dev/null)
    [ -z "$data" ] || (cd "$ROOT" && readlink -m -- "$data")
}
# The coordinator that is meant is the one on this file's dataDir, whatever its own file is called: ZooKeeper keeps its pid file there.
# Prints its line of pid_files; nothing when it does not run.
running() {
    local wanted pid rest words
    wanted=$(data_dir "$file")
    [ -n "$wanted" ] || return
    while read -r pid rest; do
        mapfile -d '' -t words 2>/dev/null <"/proc/$pid/cmdline"
        [ "$(data_dir "${words[2]:-}")" = "$wanted" ] && { echo "$pid $rest"; return; }
    done < <(pid_files coordinator)
}
start() {
    printf 'Starting zookeeper ... ' >&2
    local pid
    read -r pid _ <<<"$(running)"
    if [ -n "$pid" ]; then
        echo "already running as process $pid."
        exit 1
    fi
    "$ROOT/scripts/zookeeper-server-start.sh" -daemon "$file" || { echo "FAILED TO START"; exit 1; }
    echo STARTED
}
stop() {
    printf 'Stopping zookeeper ... ' >&2
    local pid pid_file bound=${LETTERBOX_STOP_SECONDS:-30}
    read -r pid _ pid_file <<<"$(running)"
    if [ -z "$pid" ]; then
        echo "no zookeeper to stop (nothing of this checkout runs on dataDir $(data_dir "$file"))"
        return
    fi
    kill -s "${SIGNAL:-TERM}" "$pid" || exit 1
    # Its pid file stays: it runs, and the next stop or start has to find it.
    await_end "$pid" "$bound" || { echo "still stopping after $bound s, as process $pid. Wait, or end it: kill -9 $pid"; exit 1; }
    rm -f "$pid_file"
    echo STOPPED
}

case $command in
start) start ;;
start-foreground) exec "$ROOT/scripts/zookeeper-server-start.sh" "$file" ;;
stop) stop ;;
restart) stop; start ;;
print-cmd) echo "\"$BINARY\" coordinator \"$file\"" ;;
version)
    need_binary
    echo "Letterbox coordinator, version: $("$BINARY" version), speaks ZooKeeper 3.9"
    ;;
status)
    answer=$(ask)
    mode=$(grep '^Mode: ' <<<"$answer")
    if [ -z "$mode" ]; then
        echo "Error contacting service. It is probably not running."
        exit 1
    fi
    echo "$mode"
    ;;
*)
    usage >&2
    exit 1
    ;;
esac
