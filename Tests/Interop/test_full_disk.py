"""Disks fill up under load: nothing acknowledged is lost, reads go on, producers wait, and go on by themselves when there is room."""

import contextlib
import itertools
import os
import subprocess
import threading

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from harness import Cluster, eventually

TOPIC = "filling"
MEGABYTES = 40
BALLAST = 16


@contextlib.contextmanager
def small_disks(cluster, brokers):
    """A tmpfs below each broker's log directory, with a file in it that can go."""
    mounted = []
    try:
        for number in brokers:
            path = cluster.directory / f"disk-{number}"
            path.mkdir()
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", path], capture_output=True, text=True)
            if done.returncode != 0:
                pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
            mounted.append(path)
            (path / "ballast").write_bytes(bytes(BALLAST << 20))
        yield mounted
    finally:
        for process in [*cluster.brokers, cluster.coordinator]:
            process.kill()
        for path in mounted:
            subprocess.run(["umount", path], check=True)
            # Gone, unless the test failed and its logs are kept.
            with contextlib.suppress(OSError):
                path.rmdir()
                cluster.directory.rmdir()


class Load(threading.Thread):
    def __init__(self, bootstrap):
        super().__init__(daemon=True)
        self.stopping = threading.Event()
        self.acknowledged, self.failures, self.left = {}, [], None
        self.producer = Producer({
            "bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "linger.ms": 1,
            "queue.buffering.max.kbytes": 2048, "batch.size": 200000, "message.timeout.ms": 300000})

    def delivered(self, number, error, message):
        if error is None:
            self.acknowledged[message.offset()] = number
        else:
            self.failures.append(str(error))

    def run(self):
        for number in itertools.count():
            record = b"%d:" % number + os.urandom(10000)
            while not self.stopping.is_set():
                try:
                    self.producer.produce(
                        TOPIC, record, partition=0, on_delivery=lambda e, m, n=number: self.delivered(n, e, m))
                    break
                except BufferError:
                    self.producer.poll(0.1)
            if self.stopping.is_set():
                break
            self.producer.poll(0)
        self.left = self.producer.flush(120)


def read(cluster, count):
    """The first `count` records, by offset."""
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "reader", "enable.auto.commit": False})
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    found = {}

    def more():
        for message in consumer.consume(500, 0.5):
            assert message.error() is None, message.error()
            found[message.offset()] = int(message.value().split(b":")[0])
        return len(found) >= count

    eventually(more, f"{count} records are read", 60)
    consumer.close()
    return found


def test_full_disks_under_load():
    cluster = Cluster(
        brokers=3, **{"log.dirs": "{directory}/disk-{number}/logs", "replica.lag.time.max.ms": 3000, "log.segment.bytes": 4 << 20})
    with small_disks(cluster, range(3)) as disks, cluster:
        cluster.topics(
            "--create", "--topic", TOPIC, "--partitions", 1, "--replication-factor", 3, "--config", "min.insync.replicas=2",
            check=0)
        load = Load(cluster.bootstrap)
        load.start()

        def told(words):
            return [broker.output().count(words) for broker in cluster.brokers]

        eventually(lambda: sum(n > 0 for n in told("LB-3030")) >= 2, "two brokers say that their disks are full", 60)
        assert load.failures == []
        # Whatever was promised can be read while nothing more is taken.
        promised = dict(load.acknowledged)
        found = read(cluster, len(promised))
        assert {offset: found.get(offset) for offset in promised} == promised
        assert all(broker.alive for broker in cluster.brokers)

        for disk in disks:
            (disk / "ballast").unlink()
        eventually(lambda: len(load.acknowledged) > len(promised) + 200, "records are taken again", 60)
        load.stopping.set()
        load.join(150)
        assert load.left == 0 and load.failures == []
        for full, room in zip(told("LB-3030"), told("has room for records again")):
            assert full == room <= 2
        found = read(cluster, len(load.acknowledged))
        assert found == load.acknowledged
        assert [found[offset] for offset in sorted(found)] == list(range(len(found)))
