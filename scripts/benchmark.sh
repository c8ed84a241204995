#!/usr/bin/env bash
# Measures brokers and the coordinator beside the machine's own limits, all in one run, on ports and in a directory of its own.
#   scripts/benchmark.sh [machine | broker | coordinator | log | compaction | scale | failover | cluster | reassign]...   (the first three by default)
#   coordinator runs Apache ZooKeeper 3.8 (Debian's jar) beside ours, both syncing before they answer, and ends in a table of bars;
#   quick results of one part: PARTS_OF_COORDINATOR="load alone watch start million" (all by default), ZOOKEEPER_HEAP=-Xmx1g
#   log: a start and a seek against logs of 1, 10 and 100 GB (which take a hundredth of that of the disk) and of 10,000 segments;
#   SHAPES="1G,1G,1M …" (a log, its segments, its pairs of batches), CALLS=20000
#   compaction: the cleaner beside cp of the same segments, and what clients notice of it (MEGABYTES=2048, KEYS=10 a hundred records)
#   failover: how long producers notice that a leader, a follower or the coordinator died or was stopped, beside the bars;
#   FAILOVER_ON=letterbox|zookeeper|ensemble, ROUNDS=5, SESSION_MS=6000, PARTS_OF_FAILOVER="calm kill stop follower restart away"
#   cluster: 1,000 topics x 3 x 3 on three brokers (TOPICS=1000, IDLE_SECONDS=10); reassign: 1 GB moves under load (MEGABYTES=1024)
#   SECONDS_EACH=5   how long each measurement lasts
#   DIRECTORY=…      where the data goes (a fresh directory below data/ by default)
# Compare figures of one run only; CPU seconds are steadier than wall time.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
case ${1:-} in
--help | -h)
    sed -n '2,14s/^# //p' "$ROOT/scripts/benchmark.sh"
    exit 0
    ;;
esac
need_fresh_binary
SECONDS_EACH=${SECONDS_EACH:-5}
PARTS=${*:-machine broker coordinator}
TOOLS=$ROOT/.build/benchmarks
DIRECTORY=${DIRECTORY:-$ROOT/data/benchmark-$$}
mkdir -p "$TOOLS" "$DIRECTORY"
COMPILER=$(command -v cc || command -v clang) || fail "no C compiler: apt-get install gcc"
for program in rawload latency keyload logshape zkload zkscale zkfloor floor limits; do
    [ -z "$(find "$ROOT/Tests/Benchmarks/$program.c" "$ROOT/Tests/Benchmarks/"*.h -newer "$TOOLS/$program" 2>&1)" ] ||
        "$COMPILER" -O2 -w -pthread "$ROOT/Tests/Benchmarks/$program.c" -o "$TOOLS/$program" || exit 1
done

PIDS=()
finish() {
    [ ${#PIDS[@]} -eq 0 ] || { kill -9 "${PIDS[@]}"; wait "${PIDS[@]}"; } 2>/dev/null
    rm -rf "$DIRECTORY"
}
trap finish EXIT
trap 'exit 130' INT TERM

free_port() {
    local port
    while :; do
        port=$((12000 + RANDOM % 18000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port; return; }
    done
}
# serve WORD READY ARGUMENTS… : starts a server behind, waits for READY in its output.
serve() {
    local word=$1 ready=$2 out="$DIRECTORY/$1.out"
    shift 2
    # Here already: what an earlier one of this name said must not be taken for this one's word.
    : >"$out"
    "$BINARY" "$word" "$@" >"$out" 2>&1 &
    PIDS+=($!)
    LAST=$!
    until grep -qF "$ready" "$out"; do
        kill -0 $LAST 2>/dev/null || { tail -n 5 "$out" >&2; exit 1; }
        sleep 0.005
    done
}
start_coordinator() {
    [ -n "${CLIENT_PORT:-}" ] && return
    CLIENT_PORT=$(free_port)
    printf 'dataDir=%s\nclientPort=%s\nmaxClientCnxns=0\nadmin.enableServer=false\n' "$DIRECTORY/zookeeper" "$CLIENT_PORT" >"$DIRECTORY/zookeeper.properties"
    serve coordinator 'binding to port' "$DIRECTORY/zookeeper.properties"
    COORDINATOR=$LAST
}
ratio() { awk -v a="${1:-0}" -v b="${2:-0}" 'BEGIN { if (b > 0) printf "%.2f", a / b; else printf "?" }'; }

echo "machine $(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(uname -r), $(date -u +%Y-%m-%dT%H:%MZ), $SECONDS_EACH s each"
for part in $PARTS; do
    echo "== $part"
    case $part in
    machine)
        "$TOOLS/limits" "$DIRECTORY"
        ;;
    broker)
        start_coordinator
        port=$(free_port)
        printf 'broker.id=0\nlisteners=PLAINTEXT://127.0.0.1:%s\nlog.dirs=%s\nzookeeper.connect=127.0.0.1:%s\n' "$port" "$DIRECTORY/broker" "$CLIENT_PORT" >"$DIRECTORY/server.properties"
        serve broker 'started (kafka.server.KafkaServer)' "$DIRECTORY/server.properties"
        broker=$LAST
        for topic in big small one; do
            "$BINARY" kafka-topics --bootstrap-server "127.0.0.1:$port" --create --topic $topic --partitions 4 --replication-factor 1 >/dev/null || exit 1
        done
        # The least that the kernel and the processor ask for the same two jobs, with frames of the size that is sent below.
        floor=$("$TOOLS/floor" "$DIRECTORY" 440000 "$SECONDS_EACH")
        printf '%s\n' "$floor"
        # load WORDS FLOOR ARGUMENTS… : -n records a batch, -s bytes a record, -w requests in flight, -c connections
        load() {
            local words=$1 least=$2 out cost
            shift 2
            out=$("$TOOLS/rawload" "$@" -k "$broker" -t "$SECONDS_EACH")
            cost=$(sed -n 's/.* = \([0-9.]*\) s per GB.*/\1/p' <<<"$out")
            printf '%-38s%s%s\n' "$words" "${out#raw *: }" "${least:+, $(ratio "$cost" "$least") x floor}"
        }
        produce_floor=$(sed -n 's/^floor produce: \([0-9.]*\).*/\1/p' <<<"$floor")
        fetch_floor=$(sed -n 's/^floor fetch: \([0-9.]*\).*/\1/p' <<<"$floor")
        load "produce acks=1, 4 x 100 kB batches" "$produce_floor" produce "127.0.0.1:$port" big -n 1000 -s 100
        load "produce acks=all, 4 x 100 kB batches" "$produce_floor" produce "127.0.0.1:$port" big -n 1000 -s 100 -a -1
        load "produce acks=1, 4 x 10 kB batches" "" produce "127.0.0.1:$port" small -n 100 -s 100
        load "produce acks=1, one record a request" "" produce "127.0.0.1:$port" one -n 1 -s 100 -p 1 -c 1 -w 64
        load "fetch 1 MB" "$fetch_floor" fetch "127.0.0.1:$port" big
        load "fetch 64 kB" "" fetch "127.0.0.1:$port" big -M 65536
        began=$(date +%s%N)
        for ((i = 0; i < 20; i++)); do "$ROOT/scripts/kafka-topics.sh" --bootstrap-server "127.0.0.1:$port" --list >/dev/null || exit 1; done
        echo "kafka-topics.sh --list                $((($(date +%s%N) - began) / 20000000)) ms each"
        ;;
    coordinator | log | compaction) . "$ROOT/Tests/Benchmarks/$part.sh" ;;
    scale)
        # What others notice while thousands of sessions, a parent's 100,000 children, a session's 100,000 nodes go.
        ulimit -n "$(ulimit -H -n)"
        start_coordinator
        "$TOOLS/zkscale" -s "127.0.0.1:$CLIENT_PORT:$COORDINATOR" || exit 1
        ;;
    failover | cluster | reassign)
        need_clients || exit 1
        LETTERBOX_BINARY=$BINARY TMPDIR=$DIRECTORY "$CLIENTS/bin/python" -B "$ROOT/Tests/Benchmarks/$part.py" || exit 1
        ;;
    *) fail "machine, broker, coordinator, log, compaction, scale, failover, cluster or reassign" ;;
    esac
done
