"""Moving a partition under load; scripts/benchmark.sh reassign does it with 1 GB."""

from harness import Cluster
from reassignment import move_under_load


def test_a_partition_moves_under_load():
    with Cluster(brokers=3) as cluster:
        move_under_load(cluster, megabytes=24, throttle=8_000_000)
