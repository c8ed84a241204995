"""Three brokers, three replicas: the leader is killed under load, and nothing acknowledged is lost or doubled."""

import itertools
import json
import os
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition

from harness import Cluster, eventually, stored_batches

ROUNDS = int(os.environ.get("LETTERBOX_REPLICATION_ROUNDS", "3"))
TOPIC = "replicated"


class Load(threading.Thread):
    """Produces numbered records without pause and keeps a receipt of every acknowledged one."""

    def __init__(self, bootstrap, topic):
        super().__init__(daemon=True)
        self.topic, self.stopping, self.receipts, self.failures = topic, False, {}, []
        self.producer = Producer({
            "bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "linger.ms": 1,
            "message.timeout.ms": 120000, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200,
            "topic.metadata.refresh.interval.ms": 2000})

    def delivered(self, error, message):
        if error is None:
            self.receipts[int(message.value())] = message.offset()
        else:
            self.failures.append(str(error))

    def run(self):
        for n in itertools.count():
            if self.stopping:
                break
            while True:
                try:
                    self.producer.produce(self.topic, b"%d" % n, partition=0, on_delivery=self.delivered)
                    break
                except BufferError:
                    self.producer.poll(0.05)
            self.producer.poll(0)
            if n % 50 == 49:
                time.sleep(0.005)
        self.producer.flush(60)


def state(cluster):
    return json.loads(cluster.znode(f"/brokers/topics/{TOPIC}/partitions/0/state"))


def log_bytes(cluster, broker):
    return b"".join(path.read_bytes() for path in sorted(cluster.log_directory(TOPIC, 0, broker).glob("*.log")))


def consumed(cluster, count):
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "check", "enable.auto.commit": False})
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    found = {}
    deadline = time.monotonic() + 60
    while len(found) < count and time.monotonic() < deadline:
        for message in consumer.consume(10000, 1.0):
            assert message.error() is None, message.error()
            found[message.offset()] = int(message.value())
    consumer.close()
    return found


def test_leader_killed_under_load():
    with Cluster(brokers=3) as cluster:
        cluster.topics(
            "--create", "--topic", TOPIC, "--partitions", 1, "--replication-factor", 3, "--config", "min.insync.replicas=2",
            check=0)
        load = Load(cluster.bootstrap, TOPIC)
        load.start()
        eventually(lambda: len(load.receipts) > 1000, "records are acknowledged")

        for _ in range(ROUNDS):
            before = state(cluster)
            leader = before["leader"]
            cluster.brokers[leader].kill()
            eventually(lambda: state(cluster)["leader"] not in (leader, -1), "another leader", 15)
            acknowledged = len(load.receipts)
            eventually(lambda: len(load.receipts) > acknowledged + 500, "the new leader acknowledges", 15)
            assert state(cluster)["leader_epoch"] > before["leader_epoch"]
            cluster.brokers[leader].start()
            eventually(lambda: sorted(state(cluster)["isr"]) == [0, 1, 2], "the old leader is in sync again", 30)

        load.stopping = True
        load.join(90)
        assert not load.is_alive()
        assert load.failures == []

        # Found once and at the offset of its receipt, each of them.
        found = consumed(cluster, len(load.receipts))
        assert len(found) == len(load.receipts)
        assert all(found.get(offset) == value for value, offset in load.receipts.items())
        assert len(set(found.values())) == len(found)
        assert sorted(found) == list(range(len(found)))

        # Everything is acknowledged, so the high watermark is the end: the replicas are the same bytes.
        eventually(lambda: len({log_bytes(cluster, n) for n in range(3)}) == 1, "the replicas are equal")
        assert sum(count for _, _, count in stored_batches(cluster.log_directory(TOPIC, 0, 0))) == len(found)


def test_stopped_cleanly_under_load():
    """A clean stop hands the leadership over: the producer hardly notices."""
    with Cluster(brokers=3) as cluster:
        cluster.topics(
            "--create", "--topic", TOPIC, "--partitions", 1, "--replication-factor", 3, "--config", "min.insync.replicas=2",
            check=0)
        load = Load(cluster.bootstrap, TOPIC)
        load.start()
        eventually(lambda: len(load.receipts) > 500, "records are acknowledged")
        leader = state(cluster)["leader"]
        assert cluster.brokers[leader].stop() in (0, 143)
        assert state(cluster)["leader"] not in (leader, -1)
        acknowledged = len(load.receipts)
        eventually(lambda: len(load.receipts) > acknowledged + 500, "the new leader acknowledges", 5)
        load.stopping = True
        load.join(60)
        assert load.failures == []
        found = consumed(cluster, len(load.receipts))
        assert sorted(found) == list(range(len(load.receipts)))
        assert all(found.get(offset) == value for value, offset in load.receipts.items())
