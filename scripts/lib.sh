# Sourced by every script: where we are, what is built, which processes are ours. Bash 4 or newer.
set -u
ROOT=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
BINARY=${LETTERBOX_BINARY:-$ROOT/.build/release/letterbox}
RUN_DIR=${LETTERBOX_RUN_DIR:-$ROOT/run}
LOG_DIR=${LOG_DIR:-$ROOT/logs}

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

need_swift() {
    command -v swift >/dev/null 2>&1 ||
        fail "Swift 6 not found. Install it (swift.org/install, Debian 12), or put swift on PATH; then run this again."
    local version
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\)\.\([0-9]*\).*/\1.\2/p' | head -n 1)
    [ "${version%%.*}" -ge 6 ] 2>/dev/null ||
        fail "Swift ${version:-?} found at $(command -v swift), 6.0 or newer is needed."
}

# need_packages PACKAGE=FILE... : installs what is missing when we may, says what to run when we may not.
need_packages() {
    local missing=() pair
    for pair in "$@"; do [ -e "${pair#*=}" ] || missing+=("${pair%%=*}"); done
    [ ${#missing[@]} -eq 0 ] && return 0
    local sudo=""
    if [ "$(id -u)" -ne 0 ]; then
        if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
            sudo=sudo
        else
            printf 'missing: %s. Run:  sudo apt-get install -y %s\n' "${missing[*]}" "${missing[*]}" >&2
            return 1
        fi
    fi
    command -v apt-get >/dev/null 2>&1 || {
        printf 'missing: %s (the names are Debian'\''s), and there is no apt-get to install them.\n' "${missing[*]}" >&2
        return 1
    }
    printf ' install apt-get install -y %s\n' "${missing[*]}" >&2
    local log
    log=$(mktemp)
    if ! { DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends "${missing[@]}" ||
        { $sudo apt-get update -q && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends "${missing[@]}"; }; } >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

need_libraries() {
    need_packages zlib1g-dev=/usr/include/zlib.h liblz4-dev=/usr/include/lz4frame.h libzstd-dev=/usr/include/zstd.h \
        libsnappy-dev=/usr/include/snappy-c.h || exit 1
}

# Two cores and a whole module at a time want about 1.5 GB each.
build_jobs() {
    local free
    free=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
    if [ "$free" -lt 3000 ]; then
        echo "building with 1 job because only $free MB are free" >&2
        echo "--jobs 1"
    fi
}

build_release() {
    need_swift
    need_libraries
    printf ' build   swift build -c release (some minutes the first time)\n' >&2
    (cd "$ROOT" && swift build -c release $(build_jobs) >&2) || fail "the build failed; its last lines say why"
}

# The release build, made when there is none.
need_binary() { [ -x "$BINARY" ] || build_release; }

# The same, made again when a source is newer.
need_fresh_binary() {
    [ -n "${LETTERBOX_BINARY:-}" ] && return 0
    if [ ! -x "$BINARY" ] || [ -n "$(find "$ROOT/Sources" "$ROOT/Package.swift" -newer "$BINARY" -print -quit)" ]; then
        build_release
    fi
}

# run_tool NAME ARGUMENTS...
run_tool() {
    need_binary
    exec "$BINARY" "$@"
}

# property FILE KEY : its last value in a properties file. Blanks and a carriage return behind it are no part of it, as for the servers.
property() {
    sed -n "/^[[:space:]]*$2[[:space:]]*[=:[:space:]][[:space:]]*/{s///;s/[[:space:]]*\$//;p;}" "$1" | tail -n 1
}

# ours PID WORD: is it a letterbox process with this first argument?
ours() {
    local exe
    exe=$(readlink "/proc/$1/exe" 2>/dev/null) || return 1
    case "${exe% (deleted)}" in */letterbox) ;; *) return 1 ;; esac
    local words
    mapfile -d '' -t words <"/proc/$1/cmdline" 2>/dev/null
    [ "${words[1]:-}" = "$2" ]
}

# pid_files broker | pid_files coordinator : lines "PID ID FILE" of those that live; forgets the others.
pid_files() {
    local file name pid
    for file in "$RUN_DIR/$1"-*.pid; do
        [ -e "$file" ] || continue
        name=$(basename "$file" .pid)
        pid=${name##*-}
        if ours "$pid" "$1"; then
            name=${name#"$1"-}
            printf '%s %s %s\n' "$pid" "${name%-*}" "$file"
        else
            rm -f "$file"
        fi
    done
}

seconds_since() { awk -v a="$1" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f", b - a }'; }

# start_server KIND ID PORT DAEMON NAME ARGUMENTS... : in front (exec), or behind with -daemon, then waits until it is ready.
start_server() {
    local kind=$1 id=$2 port=$3 daemon=$4 name=$5
    shift 5
    need_binary
    mkdir -p "$RUN_DIR"
    cd "$ROOT" || exit 1
    local variable
    for variable in KAFKA_HEAP_OPTS KAFKA_JVM_PERFORMANCE_OPTS KAFKA_LOG4J_OPTS JMX_PORT; do
        [ -n "${!variable:-}" ] && echo "note: $variable is ignored: there is no JVM here" >&2
    done
    if [ "$daemon" != yes ]; then
        echo $$ >"$RUN_DIR/$kind-$id-$$.pid"
        exec "$BINARY" "$kind" "$@"
    fi
    mkdir -p "$LOG_DIR"
    local out="$LOG_DIR/$name.out" before pid
    : >>"$out" || exit 1
    before=$(stat -c %s "$out")
    setsid nohup "$BINARY" "$kind" "$@" >>"$out" 2>&1 </dev/null &
    pid=$!
    echo "$pid" >"$RUN_DIR/$kind-$id-$pid.pid"
    local ready='binding to port'
    [ "$kind" = broker ] && ready='started (kafka.server.KafkaServer)'
    local turns=0 shown=0 waits
    while kill -0 "$pid" 2>/dev/null; do
        tail -c +$((before + 1)) "$out" | grep -qF "$ready" && return 0
        sleep 0.01
        # A start that waits says for what, also here.
        if [ $((++turns % 50)) -eq 0 ]; then
            mapfile -t waits < <(tail -c +$((before + 1)) "$out" | grep -E 'waiting for the coordinator|waits for the former')
            [ ${#waits[@]} -le $shown ] || printf '%s\n' "${waits[@]:$shown}" >&2
            shown=${#waits[@]}
        fi
    done
    rm -f "$RUN_DIR/$kind-$id-$pid.pid"
    # The line that says why; else whatever came last.
    tail -c +$((before + 1)) "$out" | grep -E 'error: | ERROR ' | tail -n 3 >&2
    [ "${PIPESTATUS[1]}" -eq 0 ] || tail -c +$((before + 1)) "$out" | tail -n 5 >&2
    return 1
}

# await_end PID [BOUND] : until it is gone, or a zombie that nobody fetched; fails when it still runs after BOUND seconds.
await_end() {
    local state turns=0 pause=0.02 began=$SECONDS
    # Read by the shell itself: a program started for every look would cost more than the look.
    while { read -r state <"/proc/$1/stat"; } 2>/dev/null; do
        state=${state##*) }
        [ "${state%% *}" != Z ] || return 0
        [ -z "${2:-}" ] || [ $((SECONDS - began)) -le "$2" ] || return 1
        # Most end within the first second. Who does not is not hurried by looking often.
        [ $((++turns)) -lt 50 ] || pause=0.25
        sleep $pause
    done
    return 0
}

# stop_servers KIND LABEL WANTED_ID : sends SIGNAL (TERM) and waits for the end.
stop_servers() {
    local kind=$1 label=$2 wanted=${3:-} signal=${SIGNAL:-TERM} began line pid id file found=0
    began=$(date +%s.%N)
    local lines=()
    while read -r line; do
        read -r pid id file <<<"$line"
        [ -n "$wanted" ] && [ "$wanted" != "$id" ] && continue
        kill -s "$signal" "$pid" 2>/dev/null && lines+=("$line")
    done < <(pid_files "$kind")
    for line in "${lines[@]:-}"; do
        [ -n "$line" ] || continue
        found=1
        read -r pid id file <<<"$line"
        await_end "$pid"
        rm -f "$file"
        if [ "$kind" = broker ]; then echo "broker $id stopped in $(seconds_since "$began") s"; else echo "coordinator stopped in $(seconds_since "$began") s"; fi
    done
    if [ $found -eq 0 ]; then
        echo "No $label server to stop"
        return 1
    fi
}

# need_clients : the real clients that tests and benchmarks use, in a Python environment of their own; sets CLIENTS to it.
need_clients() {
    local wanted=$ROOT/Tests/Interop/requirements.txt
    CLIENTS=$ROOT/.build/interop-venv
    cmp -s "$wanted" "$CLIENTS/requirements.txt" && return 0
    python3 -c 'import venv, ensurepip' 2>/dev/null ||
        need_packages python3=/usr/bin/python3 python3-venv=/usr/share/doc/python3-venv || return 1
    rm -rf "$CLIENTS" && python3 -m venv "$CLIENTS" &&
        "$CLIENTS/bin/pip" install -q --disable-pip-version-check -r "$wanted" &&
        cp "$wanted" "$CLIENTS/requirements.txt"
}
