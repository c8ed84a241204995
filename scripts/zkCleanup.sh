#!/usr/bin/env bash
# Removes old snapshots and logs of the directories that a properties file names (ZOOCFG; config/zookeeper.properties).
#   scripts/zkCleanup.sh -n 3
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
case ${1:-} in
"" | --help | -help | -h) run_tool zkCleanup --help ;;
esac
config=${ZOOCFG:-$ROOT/config/zookeeper.properties}
[ -r "$config" ] || fail "$config cannot be read. Name the coordinator's properties file: ZOOCFG=FILE scripts/zkCleanup.sh -n 3"
data=$(property "$config" dataDir)
[ -n "$data" ] || fail "$config names no dataDir"
logs=$(property "$config" dataLogDir)
# Relative directories are the start script's: below the checkout.
cd "$ROOT" || exit 1
if [ -n "$logs" ]; then run_tool zkCleanup "$logs" "$data" "$@"; else run_tool zkCleanup "$data" "$@"; fi
