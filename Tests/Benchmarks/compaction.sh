# Sourced by benchmark.sh: a log of keyed records is compacted beside cp of the same segments, all in one run and with a warm page cache;
# what clients of another topic of the same broker notice meanwhile, beside what they notice of cp and of nobody.
MEGABYTES=${MEGABYTES:-2048}
KEYS=${KEYS:-10}
start_coordinator
port=$(free_port)
# No cleaner until it is told to.
printf 'broker.id=0\nlisteners=PLAINTEXT://127.0.0.1:%s\nlog.dirs=%s\nzookeeper.connect=127.0.0.1:%s\nlog.cleaner.threads=0\nlog.cleaner.backoff.ms=50\n' \
    "$port" "$DIRECTORY/compaction" "$CLIENT_PORT" >"$DIRECTORY/compaction.properties"
serve broker 'started (kafka.server.KafkaServer)' "$DIRECTORY/compaction.properties"
broker=$LAST
topics() { "$BINARY" kafka-topics --bootstrap-server "127.0.0.1:$port" --create --partitions 1 --replication-factor 1 --topic "$@" >/dev/null || exit 1; }
topics keyed --config cleanup.policy=compact --config min.cleanable.dirty.ratio=0.01 --config segment.bytes=104857600
topics other
"$TOOLS/keyload" "127.0.0.1:$port" keyed -g "$MEGABYTES" -u "$KEYS" || exit 1
find "$DIRECTORY/compaction" -type f -exec sync {} +

# CPU seconds of the thread that the cleaner has.
cleaner_cpu() {
    local task
    for task in "/proc/$broker/task/"*; do
        [ "$(cut -c 1-11 "$task/comm")" != 'disk #backg' ] || awk '{ printf "%.2f", $1 / 1e9 }' "$task/schedstat"
    done
}
# beside WORDS COMMAND… : what clients wait while the command runs.
beside() {
    local words=$1 out=$DIRECTORY/steady.out client
    shift
    "$TOOLS/latency" steady "127.0.0.1:$port" other -r 500 -a 1 >"$out" &
    client=$!
    PIDS+=("$client")
    "$@"
    kill "$client" 2>/dev/null
    wait "$client" || exit 1
    awk -v words="$words" '{ printf "%-34s%s\n", words, $0 }' "$out"
}
# All but the segment that grows, to files of their own, until they are on the device.
copy_files() {
    local began since used
    began=$(date +%s%N)
    mkdir "$DIRECTORY/copy"
    TIMEFORMAT='%U %S'
    used=$( { time { cp $SEALED "$DIRECTORY/copy" && sync "$DIRECTORY"/copy/*; }; } 2>&1)
    since=$(($(date +%s%N) - began))
    rm -rf "$DIRECTORY/copy"
    COPIED=$(awk -v ns="$since" 'BEGIN { printf "%.3f", ns / 1e9 }')
    COPY_CPU=$(awk '{ print $1 + $2 }' <<<"$used")
}
clean() {
    "$BINARY" kafka-configs --bootstrap-server "127.0.0.1:$port" --alter --entity-type brokers --entity-default --add-config log.cleaner.threads=1 >/dev/null || exit 1
    until grep -qE 'compacted a log|cannot compact|stopped compacting' "$DIRECTORY/broker.out"; do sleep 0.05; done
}
SEALED=$(find "$DIRECTORY/compaction/keyed-0" -name '*.log' | sort | head -n -1)
size=$(cat $SEALED | wc -c)
cat $SEALED >/dev/null
beside 'nobody else' sleep "$SECONDS_EACH"
beside 'cp of the segments' copy_files
beside 'the cleaner' clean
line=$(grep -E 'compacted a log|cannot compact|stopped compacting' "$DIRECTORY/broker.out" | head -n 1)
echo "$line"
took=$(sed -n 's/.* ms=\([0-9]*\).*/\1/p' <<<"$line" | awk '{ printf "%.3f", $1 / 1000 }')
awk -v size="$size" -v copied="$COPIED" -v cpu="$COPY_CPU" -v took="$took" -v used="$(cleaner_cpu)" 'BEGIN {
    printf "cp and fsync: %.2f GB in %.2f s, %.0f MB/s, %.2f s CPU per GB\n", size / 1e9, copied, size / copied / 1e6, cpu / (size / 1e9)
    printf "the cleaner:  %.2f GB in %.2f s, %.0f MB/s, %.2f s CPU per GB, %.2f x cp\n", size / 1e9, took, size / took / 1e6, used / (size / 1e9), copied / took }'
