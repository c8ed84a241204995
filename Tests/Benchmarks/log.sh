# Sourced by benchmark.sh: what a start and a seek cost against the size of a log and the number of its segments. The logs are whole to
# every reader and take a hundredth of their size of the disk (logshape.c), but for the one in batches of 4 KB, whose index is as long as
# an index gets; all in one run, with a warm page cache.
# SIZE,SEGMENTS,PAIRS: of the log, of a segment, of two batches.
SHAPES=${SHAPES:-"1G,1G,1M 10G,1G,1M 100G,1G,1M 1G,1G,4K 64000K,64K,64K 640000K,64K,64K"}
CALLS=${CALLS:-20000}
# Beyond so many bytes a start that must read everything is left out.
READ_ALL_BELOW=${READ_ALL_BELOW:-12000000000}
start_coordinator
SEEKS=()
STARTS=()

# began PID SINCE : milliseconds since then, the broker's CPU seconds, the MB it has read, its resident MB.
began() {
    local cpu
    cpu=$(sed 's/.*) //' "/proc/$1/stat" | awk -v hertz="$(getconf CLK_TCK)" '{ printf "%.2f", ($12 + $13) / hertz }')
    echo "$((($(date +%s%N) - $2) / 1000000)) $cpu $(awk '/^rchar/ { printf "%.1f", $2 / 1e6 }' "/proc/$1/io") $(awk '/^VmRSS/ { printf "%.0f", $2 / 1024 }' "/proc/$1/status")"
}
# start_shape WORDS : the broker of this shape, and a line of the table of starts; the lines of its log that tell of repairs.
start_shape() {
    local since figures
    since=$(date +%s%N)
    serve broker 'started (kafka.server.KafkaServer)' "$DIRECTORY/$shape.properties"
    broker=$LAST
    read -ra figures <<<"$(began "$broker" "$since")"
    STARTS+=("$(printf '%-10s %8s  %-34s %8s %8s %10s %8s' "$size" "$segments" "$1" "${figures[@]}")")
    echo "${STARTS[-1]}"
    grep -E 'log was mended|log was not opened| ERROR ' "$DIRECTORY/broker.out" | head -n 3
}
end_broker() {
    kill -s "$1" "$broker"
    wait "$broker" 2>/dev/null
}
# checkpoint FILE OFFSET
checkpoint() { printf '0\n1\nshaped 0 %s\n' "$2" >"$DIRECTORY/$shape/$1"; }

printf '%-10s %8s  %-34s %8s %8s %10s %8s\n' log segments start ms 'CPU s' 'MB read' 'RSS MB'
for entry in $SHAPES; do
    IFS=, read -r size each pair <<<"$entry"
    shape=log-${entry//,/-}
    port=$(free_port)
    printf 'broker.id=0\nlisteners=PLAINTEXT://127.0.0.1:%s\nlog.dirs=%s\nzookeeper.connect=127.0.0.1:%s/%s\nlog.retention.ms=-1\n' \
        "$port" "$DIRECTORY/$shape" "$CLIENT_PORT" "$shape" >"$DIRECTORY/$shape.properties"
    segments=0
    serve broker 'started (kafka.server.KafkaServer)' "$DIRECTORY/$shape.properties"
    broker=$LAST
    "$BINARY" kafka-topics --bootstrap-server "127.0.0.1:$port" --create --topic shaped --partitions 1 --replication-factor 1 >/dev/null || exit 1
    end_broker TERM
    [ ${#STARTS[@]} -gt 0 ] || { start_shape 'clean, an empty log'; end_broker TERM; }
    find "$DIRECTORY/$shape/shaped-0" -type f ! -name partition.metadata -delete
    read -r segments records <<<"$("$TOOLS/logshape" "$DIRECTORY/$shape/shaped-0" -g "$size" -s "$each" -u "$pair")"
    [ -n "${records:-}" ] || exit 1
    checkpoint recovery-point-offset-checkpoint "$records"
    checkpoint replication-offset-checkpoint "$records"
    sync -f "$DIRECTORY/$shape"
    start_shape 'clean'
    out=$("$TOOLS/latency" seek "127.0.0.1:$port" shaped -n "$CALLS" -k "$broker") || exit 1
    SEEKS+=("$(printf '%-10s %8s ' "$size" "$segments")$(sed -E 's/.*p50 ([0-9]+) us, p99 ([0-9]+) us.*CPU ([0-9.]+) us.*/\1 \2 \3/' <<<"$out" | tr '\n' ' ' | awk '{ printf "%10s %8s %8s %10s %8s %8s", $1, $2, $3, $4, $5, $6 }')")
    end_broker KILL
    # A killed process leaves the page cache as it was: warm, where anybody had written.
    warm=$(find "$DIRECTORY/$shape/shaped-0" -name '*.log' | sort -r)
    [ "$(numfmt --from=iec "$size")" -lt "$READ_ALL_BELOW" ] || warm=$(head -n 5 <<<"$warm")
    xargs cat <<<"$warm" >/dev/null
    start_shape 'killed; all is synced'
    if [ "$segments" -gt 5 ]; then
        end_broker KILL
        # Four segments' worth was not synced.
        checkpoint recovery-point-offset-checkpoint $((records / segments * (segments - 4) + 1))
        start_shape 'killed; the last 4 are not synced'
    fi
    if [ "$(numfmt --from=iec "$size")" -lt "$READ_ALL_BELOW" ]; then
        end_broker KILL
        rm -f "$DIRECTORY/$shape/recovery-point-offset-checkpoint"
        start_shape 'killed, without a checkpoint'
    fi
    end_broker KILL
    rm -rf "${DIRECTORY:?}/$shape"
done
echo
printf '%-10s %8s  %-28s %-28s\n' '' '' '     offset of a time (us)' '  fetch of a batch there (us)'
printf '%-10s %8s %10s %8s %8s %10s %8s %8s  %s\n' log segments p50 p99 CPU p50 p99 CPU 'x the first line: p50 and CPU of both'
for line in "${SEEKS[@]}"; do
    read -ra now <<<"$line"
    [ -n "${first:-}" ] || first=("${now[@]}")
    echo "$line  $(ratio "${now[2]}" "${first[2]}") $(ratio "${now[4]}" "${first[4]}"), $(ratio "${now[5]}" "${first[5]}") $(ratio "${now[7]}" "${first[7]}")"
done
