#!/usr/bin/env bash
# Is the cluster of config/zookeeper.properties well?  scripts/status.sh [--wait [SECONDS]] [--brokers N] [--json]
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
case " $* " in
*" --zookeeper"* | *" -zookeeper"*) run_tool status "$@" ;;
*) run_tool status --zookeeper "localhost:$(property "$ROOT/config/zookeeper.properties" clientPort)" "$@" ;;
esac
