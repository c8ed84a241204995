"""A partition of 1 GB moves to another broker under load: throttled, cancelled half-way, moved. Called by scripts/benchmark.sh."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Interop"))

from harness import Cluster  # noqa: E402
from reassignment import move_under_load  # noqa: E402

MEGABYTES = int(os.environ.get("MEGABYTES", "1024"))
THROTTLE = int(os.environ.get("THROTTLE", "50000000"))

with Cluster(brokers=3) as cluster:
    print(f"{MEGABYTES} MB, throttled to {THROTTLE / 1e6:g} MB/s", flush=True)
    move_under_load(cluster, MEGABYTES, THROTTLE, tell=lambda words, value: print(f"{words:<50} {value:>12.2f}", flush=True))
    print("no error at producer or consumer; nothing lost, doubled or out of order")
