#!/usr/bin/env bash
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
run_tool kafka-dump-log "$@"
