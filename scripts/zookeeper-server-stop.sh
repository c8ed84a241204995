#!/usr/bin/env bash
# Stops the coordinator started from this checkout.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
[ "${1:-}" = --help ] && { echo "USAGE: $0"; exit 0; }
stop_servers coordinator zookeeper
