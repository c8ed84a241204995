# Sourced by benchmark.sh: our coordinator and Apache ZooKeeper in turn, in one run. Figures of pairs are medians of rounds.
need_packages zookeeper=/usr/share/java/zookeeper.jar default-jre-headless=/usr/bin/java || exit 1
ROUNDS=${ROUNDS:-3}
ZOOKEEPER_HEAP=${ZOOKEEPER_HEAP:--Xmx1g}
PARTS_OF_COORDINATOR=${PARTS_OF_COORDINATOR:-load alone watch start million}
TABLE=()

# bar WORDS OURS THEIRS RATIO OPERATOR LIMIT : one line of the table; RATIO is what is judged.
bar() {
    local verdict
    verdict=$(awk -v a="${4:-nan}" -v op="$5" -v b="$6" 'BEGIN { if (a !~ /^[0-9.]+$/) print "NOT MEASURED"; else if (op == "<=" ? a <= b : a >= b) print "met"; else print "NOT MET" }')
    TABLE+=("$(printf '%-44s %12s %12s %9s %3s %-7s %s' "$1" "$2" "$3" "$4" "$5" "$6" "$verdict")")
}
# beside WORDS FIGURE : one line that nothing is judged by: ours beside what the kernel and the disk ask for the same (zkfloor.c).
beside() {
    local floor share
    floor=$(sed -n "s/^median $2 .*third=\([0-9.]*\) .*/\1/p" <<<"$PAIR")
    share=$(sed -n "s/^median $2 .*first\/third=\([0-9.]*\).*/\1/p" <<<"$PAIR")
    TABLE+=("$(printf '%-44s %12s %12s %9s' "$1" "$(median "$PAIR" "$2" first)" "$floor" "$share")")
}
# settings NAME PORT [LINES] : a properties file that both understand.
settings() {
    mkdir -p "$DIRECTORY/$1"
    printf 'dataDir=%s\nclientPort=%s\ntickTime=2000\nmaxClientCnxns=0\nadmin.enableServer=false\n4lw.commands.whitelist=*\n%b' \
        "$DIRECTORY/$1" "$2" "${3:-}" >"$DIRECTORY/$1.properties"
}
# answers PORT : does a server say imok?
answers() {
    local word=""
    { exec 3<>"/dev/tcp/127.0.0.1/$1" && printf ruok >&3 && read -r -t 5 -n 4 word <&3; exec 3>&-; } 2>/dev/null
    [ "$word" = imok ]
}
# start_zookeeper NAME PORT HEAP : sets LAST.
start_zookeeper() {
    java $3 -Dzookeeper.forceSync=yes -cp /usr/share/java/zookeeper.jar org.apache.zookeeper.server.ZooKeeperServerMain "$DIRECTORY/$1.properties" >"$DIRECTORY/$1.out" 2>&1 &
    LAST=$!
    PIDS+=("$LAST")
    until answers "$2"; do
        kill -0 "$LAST" 2>/dev/null || { tail -n 5 "$DIRECTORY/$1.out" >&2; exit 1; }
        sleep 0.1
    done
}
# rest PID : resident memory in MB, with a decimal.
rest() { awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$1/status"; }
end_server() { kill -9 "$1" 2>/dev/null; wait "$1" 2>/dev/null; }
# median OUTPUT FIGURE FIELD : of a pair's output; FIELD is first, second or ratio.
median() {
    case $3 in
    ratio) sed -n "s/^median $2 .*ratio first\/second=\([0-9.]*\).*/\1/p" <<<"$1" ;;
    first) sed -n "s/^median $2 .* first=\([0-9.]*\) .*/\1/p" <<<"$1" ;;
    second) sed -n "s/^median $2 .* second=\([0-9.]*\) .*/\1/p" <<<"$1" ;;
    esac
}
pair() {
    PAIR=$("$TOOLS/zkload" -s "$OURS" -s "$THEIRS" -b 100 -r "$ROUNDS" "$@") || { echo "zkload $* failed: ${PAIR##*$'\n'}" >&2; PAIR=""; }
    grep -v '^median' <<<"$PAIR"
}

port=$(free_port)
settings ours "$port"
"$BINARY" coordinator "$DIRECTORY/ours.properties" >"$DIRECTORY/ours.out" 2>&1 &
ours=$!
PIDS+=("$ours")
until answers "$port"; do kill -0 "$ours" 2>/dev/null || { tail -n 5 "$DIRECTORY/ours.out" >&2; exit 1; }; done
OURS=127.0.0.1:$port:$ours
idle=$(rest "$ours")
bar "idle resident memory, MB" "$idle" "" "$idle" "<=" 12
port=$(free_port)
settings zookeeper "$port"
start_zookeeper zookeeper "$port" "$ZOOKEEPER_HEAP"
theirs=$LAST
THEIRS=127.0.0.1:$port:$theirs
# What neither server can do better than: the same requests answered without a coordinator behind. It sleeps while nobody is connected.
"$TOOLS/zkfloor" "$DIRECTORY" >"$DIRECTORY/floor.port" &
floor=$!
PIDS+=("$floor")
until [ -s "$DIRECTORY/floor.port" ]; do kill -0 "$floor" 2>/dev/null || exit 1; sleep 0.02; done
FLOOR=127.0.0.1:$(<"$DIRECTORY/floor.port"):$floor
echo "ZooKeeper $(readlink -f /usr/share/java/zookeeper.jar), $ZOOKEEPER_HEAP, warmed up first"
# It says imok before it lets anybody in.
until "$TOOLS/zkload" -s "$THEIRS" -m get -c 1 -d 0.1 -u 0 -r 1 >/dev/null 2>&1; do sleep 0.1; done
for mode in get set; do "$TOOLS/zkload" -s "$THEIRS" -m $mode -c 16 -w 100 -d 4 -u 0 -r 1 >/dev/null; done
"$TOOLS/zkload" -s "$THEIRS" -m create -c 16 -w 100 -n 60000 -r 1 >/dev/null

for piece in $PARTS_OF_COORDINATOR; do
    case $piece in
    alone)
        # The disk's own rate, ours and theirs, a second each in turn; the generator does not sleep.
        pair -s "$FLOOR" -m set -c 1 -w 1 -d 1 -u 0.3 -p -D "$DIRECTORY"
        share=$(median "$PAIR" "of disk" first)
        bar "one outstanding set, of fdatasync's rate" "$share" "$(median "$PAIR" "of disk" second)" "$share" ">=" 0.9
        bar "  and never more than it allows" "$share" "" "$share" "<=" 1.05
        beside "  beside a server that only writes and sends" "of disk"
        ;;
    load)
        for mode in get set create; do
            if [ $mode = create ]; then pair -m create -c 16 -w 100 -n 100000 -k; else pair -m $mode -c 16 -w 100 -d 2 -u 0.5; fi
            limit=0.125
            [ $mode = get ] && limit=0.1
            bar "$mode, CPU us an operation" "$(median "$PAIR" "cpu us\/op" first)" "$(median "$PAIR" "cpu us\/op" second)" "$(median "$PAIR" "cpu us\/op" ratio)" "<=" $limit
            bar "$mode, operations a second" "$(median "$PAIR" "ops\/s" first)" "$(median "$PAIR" "ops\/s" second)" "$(median "$PAIR" "ops\/s" ratio)" ">=" 4
        done
        ;;
    watch)
        pair -s "$FLOOR" -m watch -c 64 -d 3 -p
        for point in p50 p99; do
            bar "64 watchers, last event us, $point" "$(median "$PAIR" "last $point" first)" "$(median "$PAIR" "last $point" second)" "$(median "$PAIR" "last $point" ratio)" "<=" 0.25
            beside "  beside a server that only writes and sends" "last $point"
        done
        ;;
    start)
        best=()
        for ((i = 0; i < 5; i++)); do
            port=$(free_port)
            settings "start$i" "$port"
            began=$(date +%s%N)
            "$BINARY" coordinator "$DIRECTORY/start$i.properties" >"$DIRECTORY/start.out" 2>&1 &
            LAST=$!
            PIDS+=("$LAST")
            until answers "$port"; do kill -0 "$LAST" 2>/dev/null || exit 1; done
            best+=($((($(date +%s%N) - began) / 1000000)))
            end_server "$LAST"
        done
        took=$(printf '%s\n' "${best[@]}" | sort -n | sed -n 3p)
        bar "start to the first imok, ms" "$took" "" "$took" "<=" 50
        ;;
    million)
        held=$(rest "$ours")
        held_there=$(rest "$theirs")
        bar "resident after the series, MB" "$held" "$held_there" "$(ratio "$held" "$held_there" | sed 's/?/nan/')" "<=" 0.125
        end_server "$ours"
        end_server "$theirs"
        # ZooKeeper's need: what lives on its heap after a full collection, which its class histogram begins with.
        port=$(free_port)
        settings million-zookeeper "$port" 'snapCount=100000000\n'
        start_zookeeper million-zookeeper "$port" "-Xmx2g -XX:+PrintClassHistogram"
        until "$TOOLS/zkload" -s "127.0.0.1:$port" -m get -c 1 -d 0.1 -u 0 -r 1 >/dev/null 2>&1; do sleep 0.1; done
        "$TOOLS/zkload" -s "127.0.0.1:$port:$LAST" -m create -c 16 -w 100 -n 1000000 -k -r 1
        kill -QUIT "$LAST"
        for ((i = 0; i < 200; i++)); do grep -q '^Total' "$DIRECTORY/million-zookeeper.out" && break; sleep 0.1; done
        heap=$(awk '/^Total/ { total = $3 } END { if (total) printf "%.0f", total / 1048576; else print "nan" }' "$DIRECTORY/million-zookeeper.out")
        end_server "$LAST"
        port=$(free_port)
        settings million "$port"
        serve coordinator 'binding to port' "$DIRECTORY/million.properties"
        "$TOOLS/zkload" -s "127.0.0.1:$port:$LAST" -m create -c 16 -w 100 -n 1000000 -k -r 1
        held=$(rest "$LAST")
        bar "1,000,000 znodes: resident, their heap, MB" "$held" "$heap" "$(awk -v a="$held" -v b="$heap" 'BEGIN { if (b > 0) printf "%.2f", a / b; else print "nan" }')" "<=" 0.5
        kill "$LAST"
        wait "$LAST" 2>/dev/null
        began=$(date +%s%N)
        "$BINARY" coordinator "$DIRECTORY/million.properties" >"$DIRECTORY/again.out" 2>&1 &
        LAST=$!
        PIDS+=("$LAST")
        until answers "$port"; do kill -0 "$LAST" 2>/dev/null || exit 1; sleep 0.01; done
        took=$(awk -v a="$began" -v b="$(date +%s%N)" 'BEGIN { printf "%.2f", (b - a) / 1e9 }')
        grep -h 'loaded the tree' "$DIRECTORY/again.out"
        bar "  started again from its snapshot, s" "$took" "" "$took" "<=" 2
        end_server "$LAST"
        ;;
    *) fail "PARTS_OF_COORDINATOR: load, alone, watch, start, million" ;;
    esac
done
end_server "$ours"
end_server "$theirs"
end_server "$floor"
printf '%-44s %12s %12s %9s %3s %-7s\n' "" ours ZooKeeper "judged" "" bar
printf '%s\n' "${TABLE[@]}"
