#!/usr/bin/env bash
# A coordinator and three brokers on this machine. It only calls the classic scripts, and shows each call.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"

usage() {
    cat <<TEXT
scripts/cluster.sh up [--brokers N] [--fresh]   build if need be, start what is not running, wait until all are healthy
scripts/cluster.sh down                         stop brokers, then the coordinator (cleanly)
scripts/cluster.sh status                       who runs, who is the controller
scripts/cluster.sh kill N                       kill -9 broker N
scripts/cluster.sh pause N | resume N           SIGSTOP and SIGCONT: a zombie, and its return
scripts/cluster.sh restart N                    start broker N again (stopped first if it runs)
scripts/cluster.sh logs [N]                     what broker N writes, as it comes; without N all of them
                                                (N may be the word coordinator; only a terminal is kept up to date)
TEXT
}

COORDINATOR_CONFIG=$ROOT/config/zookeeper.properties
broker_config() { if [ "$1" -eq 0 ]; then echo "$ROOT/config/server.properties"; else echo "$ROOT/config/server-$1.properties"; fi; }
client_port() { property "$COORDINATOR_CONFIG" clientPort; }
broker_port() {
    local listeners
    listeners=$(property "$(broker_config "$1")" listeners)
    listeners=${listeners%%,*}
    echo "${listeners##*:}"
}
log_of() { if [ "$1" = coordinator ]; then echo "$LOG_DIR/zookeeper.out"; else echo "$LOG_DIR/kafkaServer$([ "$1" -eq 0 ] || echo "-$1").out"; fi; }
# name_and_pid WORD N: sets `name` and `pid` of the process meant, or ends with a line.
name_and_pid() {
    [ -n "$2" ] || fail "which one? scripts/cluster.sh $1 N, or scripts/cluster.sh $1 coordinator"
    if [ "$2" = coordinator ]; then
        name=coordinator pid=$(pid_of coordinator 0)
    else
        name="broker $2" pid=$(pid_of broker "$2")
    fi
    [ -n "$pid" ] || fail "$name does not run"
}
shell() { "$BINARY" zookeeper-shell "localhost:$(client_port)" "$@" 2>/dev/null; }
# A lesson about failure should not wait 18 s for a session to expire.
SESSION="--override zookeeper.session.timeout.ms=6000"

pid_of() { pid_files "$1" | awk -v id="$2" '$2 == id { print $1; exit }'; }

# Who holds a port that is not ours: the kernel's socket tables, then /proc.
holder() {
    local hex inode link pid
    hex=$(printf '%04X' "$1")
    inode=$(awk -v port=":$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10; exit }' /proc/net/tcp /proc/net/tcp6 2>/dev/null)
    [ -n "$inode" ] || return 1
    for link in /proc/[0-9]*/fd/*; do
        if [ "$(readlink "$link" 2>/dev/null)" = "socket:[$inode]" ]; then
            pid=${link#/proc/}
            pid=${pid%%/*}
            echo "PID $pid ($(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -c1-60))"
            return 0
        fi
    done
    echo "another user's process"
}

check_port() {
    local who
    if who=$(holder "$1"); then
        fail "port $1 is held by $who. Stop it, or change the port in $2"
    fi
}

start_coordinator() {
    local began
    began=$(date +%s.%N)
    "$ROOT/scripts/zookeeper-server-start.sh" -daemon "$COORDINATOR_CONFIG" || exit 1
    echo " run     scripts/zookeeper-server-start.sh -daemon config/zookeeper.properties   ready after $(seconds_since "$began") s   localhost:$(client_port)"
}

start_broker() {
    local began config
    config=$(broker_config "$1")
    [ -r "$config" ] || fail "no $config: brokers 0 to 2 have one; write one for more"
    began=$(date +%s.%N)
    "$ROOT/scripts/kafka-server-start.sh" -daemon -name "kafkaServer$([ "$1" -eq 0 ] || echo "-$1")" "$config" $SESSION || return 1
    echo " run     scripts/kafka-server-start.sh -daemon config/$(basename "$config") $SESSION   ready after $(seconds_since "$began") s   broker $1  localhost:$(broker_port "$1")"
}

memory_mb() {
    local pid total=0
    for pid in "$@"; do total=$((total + $(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status" 2>/dev/null || echo 0))); done
    echo $((total / 1024))
}

controller() { shell get /controller | sed -n 's/.*"brokerid":\([0-9]*\).*/\1/p'; }
cluster_id() { shell get /cluster/id | sed -n 's/.*"id":"\([^"]*\)".*/\1/p'; }

up() {
    local brokers=3 fresh=no id starting=() failed=0
    while [ $# -gt 0 ]; do
        case $1 in
        --brokers) brokers=${2:?--brokers wants a number}; shift 2 ;;
        --fresh) fresh=yes; shift ;;
        *) usage >&2; exit 1 ;;
        esac
    done
    need_fresh_binary
    if [ $fresh = yes ]; then
        [ -z "$(pid_files broker)$(pid_files coordinator)" ] || fail "something still runs; scripts/cluster.sh down first"
        if [ -e "$ROOT/data" ]; then
            local aside
            aside="data.$(date +%Y%m%d-%H%M%S)"
            mkdir -p "$RUN_DIR/old" && mv "$ROOT/data" "$RUN_DIR/old/$aside" && echo " fresh   the old data is now in run/old/$aside"
        fi
    fi
    # Before anything is started: what cannot work, and why.
    for ((id = 0; id < brokers; id++)); do
        [ -r "$(broker_config $id)" ] || fail "there is no $(broker_config $id): brokers 0 to 2 have one; write one for more"
        [ -n "$(pid_of broker $id)" ] || check_port "$(broker_port $id)" "$(broker_config $id)"
    done
    [ -n "$(pid_of coordinator 0)" ] || check_port "$(client_port)" config/zookeeper.properties
    [ "$(id -u)" -ne 0 ] || echo " note    running as root: what is written to data/, logs/ and run/ belongs to root"
    if [ -n "$(pid_of coordinator 0)" ]; then
        echo " keep    coordinator PID $(pid_of coordinator 0)"
    else
        start_coordinator
    fi
    for ((id = 0; id < brokers; id++)); do
        if [ -n "$(pid_of broker $id)" ]; then
            echo " keep    broker $id PID $(pid_of broker $id)"
        else
            start_broker $id &
            starting+=($!)
        fi
    done
    for id in "${starting[@]:-}"; do
        [ -z "$id" ] || wait "$id" || failed=1
    done
    [ $failed -eq 0 ] || fail " FAILED  a broker did not start; its last lines are above, all of them in logs/"
    local pids state
    state=$("$ROOT/scripts/status.sh" --wait 20 --brokers "$brokers") || fail "$state"
    pids=$({ pid_files broker; pid_files coordinator; } | awk '{ print $1 }')
    echo " OK      cluster $(cluster_id) is up: controller is broker $(controller), $(echo "$pids" | wc -l) processes, $(memory_mb $pids) MB together"
    echo " next    scripts/kafka-topics.sh --bootstrap-server localhost:$(broker_port 0) --create --topic vmc-topic --partitions 3 --replication-factor 1"
    echo " stop    scripts/cluster.sh down"
}

# Of these words the one after them is a broker's id, or the coordinator.
case ${1:-} in
kill | pause | resume | restart | logs)
    case ${2:-} in
    --help | -h) usage; exit 0 ;;
    coordinator) ;;
    *[!0-9]*) fail "$2 is no broker's id; scripts/cluster.sh $1 N, or scripts/cluster.sh $1 coordinator" ;;
    esac
    ;;
esac

case ${1:-} in
up) shift; up "$@" ;;
down)
    "$ROOT/scripts/kafka-server-stop.sh"
    "$ROOT/scripts/zookeeper-server-stop.sh"
    ;;
status)
    need_binary
    running=$({ pid_files coordinator | sed 's/^/coordinator /'; pid_files broker | sed 's/^/broker /'; })
    [ -n "$running" ] || { echo "nothing runs; start: scripts/cluster.sh up"; exit 1; }
    leader=$(controller)
    while read -r kind pid id _; do
        if [ "$kind" = coordinator ]; then
            printf '%-12s PID %-8s %4s MB  localhost:%s\n' coordinator "$pid" "$(memory_mb "$pid")" "$(client_port)"
        else
            printf '%-12s PID %-8s %4s MB  localhost:%s%s\n' "broker $id" "$pid" "$(memory_mb "$pid")" "$(broker_port "$id")" \
                "$([ "$id" = "$leader" ] && echo '  controller')"
        fi
    done <<<"$running"
    # How well it is, is said; that something runs was asked.
    "$ROOT/scripts/status.sh" || true
    ;;
kill)
    name_and_pid kill "${2:-}"
    echo " kill -9 $pid   ($name)"
    kill -9 "$pid"
    ;;
pause)
    name_and_pid pause "${2:-}"
    echo " kill -STOP $pid   ($name; it neither works nor knows that time passes; back with: scripts/cluster.sh resume $2)"
    kill -STOP "$pid"
    ;;
resume)
    name_and_pid resume "${2:-}"
    echo " kill -CONT $pid   ($name)"
    kill -CONT "$pid"
    ;;
logs)
    files=()
    if [ -n "${2:-}" ]; then
        files=("$(log_of "$2")")
    else
        for file in "$LOG_DIR"/zookeeper.out "$LOG_DIR"/kafkaServer*.out; do [ -e "$file" ] && files+=("$file"); done
    fi
    [ ${#files[@]} -gt 0 ] && [ -e "${files[0]}" ] || fail "no log yet; start: scripts/cluster.sh up"
    # Into a pipe or a file it ends, as nobody is there to stop it.
    if [ -t 1 ]; then exec tail -n 20 -F "${files[@]}"; else exec tail -n 200 "${files[@]}"; fi
    ;;
restart)
    id=${2:-}
    [ -n "$id" ] || fail "which one? scripts/cluster.sh $1 N, or scripts/cluster.sh $1 coordinator"
    need_fresh_binary
    if [ "$id" = coordinator ]; then
        [ -z "$(pid_of coordinator 0)" ] || "$ROOT/scripts/zookeeper-server-stop.sh"
        start_coordinator
    else
        [ -z "$(pid_of broker "$id")" ] || "$ROOT/scripts/kafka-server-stop.sh" --broker-id "$id"
        start_broker "$id" || exit 1
    fi
    ;;
--help | -h | help) usage ;;
*) usage >&2; exit 1 ;;
esac
