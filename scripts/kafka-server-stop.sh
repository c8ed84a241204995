#!/usr/bin/env bash
# Stops the brokers started from this checkout, or one of them. Leaders are handed over first (SIGTERM); SIGNAL=KILL does not ask.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
wanted=
while [ $# -gt 0 ]; do
    case $1 in
    --node-id=* | --broker-id=*) wanted=${1#*=}; shift ;;
    --node-id | --broker-id) [ -n "${2:-}" ] || fail "$1 needs a number"; wanted=$2; shift 2 ;;
    --process-role=*) shift ;;
    --help | -h)
        echo "USAGE: scripts/kafka-server-stop.sh [--broker-id N]"
        echo "  scripts/kafka-server-stop.sh                  every broker started from this checkout"
        echo "  scripts/kafka-server-stop.sh --broker-id 1    only broker 1"
        exit 0
        ;;
    *) fail "$1 is not an option. USAGE: scripts/kafka-server-stop.sh [--broker-id N]" ;;
    esac
done
stop_servers broker kafka "$wanted"
