#!/usr/bin/env bash
# Feeds bytes that nobody wrote to whatever reads bytes from outside: libFuzzer and AddressSanitizer, both of Swift's toolchain.
#   scripts/fuzz.sh                      the targets
#   scripts/fuzz.sh TARGET [SECONDS]     goes on from the corpus that is kept, 60 s by default; ends at the first finding
#   scripts/fuzz.sh keep TARGET          minimises what was reached and keeps it in Tests/FuzzingTests/Corpus
#   scripts/fuzz.sh replay TARGET FILE   runs one input
# A finding lies in .build/fuzz-corpus/found: mend its cause, then copy it to Tests/FuzzingTests/Corpus/found/TARGET-WHAT.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
cd "$ROOT" || exit 1
case ${1:-} in
--help | -h)
    sed -n '2,7s/^# //p' "$ROOT/scripts/fuzz.sh"
    exit 0
    ;;
esac
need_swift
need_libraries
WORK=$ROOT/.build/fuzz-corpus
FUZZER=$ROOT/.build/fuzz/release/letterbox-fuzz
# A scratch path of its own: ordinary builds neither wait for this one nor are built anew after it. Of several -sanitize= words
# Swift's compiler hears the last only, and without the fuzzer's own no branch is counted: both in one.
LETTERBOX_FUZZ=1 swift build -c release --sanitize address --sanitize fuzzer -Xswiftc -sanitize=address,fuzzer -Xswiftc -enable-testing \
    --scratch-path "$ROOT/.build/fuzz" --product letterbox-fuzz $(build_jobs) >&2 || fail "the build failed; its last lines say why"
[ $# -gt 0 ] || exec "$FUZZER" targets
word=$1
case $word in keep | replay) TARGET=${2:-} ;; *) TARGET=$word ;; esac
read -r _ max_length malloc_limit < <("$FUZZER" targets | grep "^$TARGET ") || fail "no target $TARGET; they are: $("$FUZZER" targets | cut -d' ' -f1 | xargs)"
# Golden data is read by the system's library, which forgets some of its memory.
export TARGET SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1}
mkdir -p "$WORK/$TARGET" "$WORK/found"
limits=(-max_len="$max_length" -malloc_limit_mb="$malloc_limit" -rss_limit_mb=2048 -timeout=10)
case $word in
replay) exec "$FUZZER" "${limits[@]}" "${3:?FILE}" ;;
keep)
    rm -rf "$WORK/$TARGET.kept" && mkdir -p "$WORK/$TARGET.kept"
    "$FUZZER" "${limits[@]}" -merge=1 "$WORK/$TARGET.kept" "$WORK/$TARGET" 2>&1 | tail -n 1 || exit 1
    ASAN_OPTIONS=detect_leaks=0 "$FUZZER" pack "$WORK/$TARGET.kept"
    ;;
*)
    ASAN_OPTIONS=detect_leaks=0 "$FUZZER" seeds "$WORK/$TARGET" && ASAN_OPTIONS=detect_leaks=0 "$FUZZER" unpack "$WORK/$TARGET" || exit 1
    nice -n 15 "$FUZZER" "${limits[@]}" -max_total_time="${2:-60}" -print_final_stats=1 -artifact_prefix="$WORK/found/$TARGET-" "$WORK/$TARGET"
    ;;
esac
