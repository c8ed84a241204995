#!/usr/bin/env bash
# Stops the coordinator started from this checkout.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
case ${1:-} in
"") ;;
--help | -h) echo "USAGE: scripts/zookeeper-server-stop.sh"; exit 0 ;;
*) fail "$1 is not an option. USAGE: scripts/zookeeper-server-stop.sh" ;;
esac
stop_servers coordinator zookeeper
