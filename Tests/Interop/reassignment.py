"""A partition moves to another broker while librdkafka writes and reads it: throttled, cancelled half-way, moved again."""

import itertools
import json
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition

from harness import eventually

TOPIC = "moving"


class Clients:
    """A producer and a consumer that run through, and note whatever they are told that is not a record."""

    def __init__(self, bootstrap):
        self.stopping = threading.Event()
        self.acknowledged, self.read, self.errors = {}, {}, []
        self.slowest = 0.0
        self.producer = Producer({
            "bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "linger.ms": 2,
            "message.timeout.ms": 120000, "error_cb": lambda error: self.errors.append(f"producer: {error}")})
        self.consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": "mover", "enable.auto.commit": False,
            "error_cb": lambda error: self.errors.append(f"consumer: {error}")})
        self.threads = [threading.Thread(target=self.produce, daemon=True), threading.Thread(target=self.consume, daemon=True)]

    def start(self, offset):
        self.consumer.assign([TopicPartition(TOPIC, 0, offset)])
        for thread in self.threads:
            thread.start()

    def delivered(self, number, sent, error, message):
        if error is not None:
            self.errors.append(f"record {number}: {error}")
            return
        self.acknowledged[number] = message.offset()
        self.slowest = max(self.slowest, time.monotonic() - sent)

    def produce(self):
        for number in itertools.count():
            if self.stopping.is_set():
                break
            sent = time.monotonic()
            self.producer.produce(
                TOPIC, b"load %d" % number + b"." * 500, partition=0,
                on_delivery=lambda error, message, n=number, t=sent: self.delivered(n, t, error, message))
            self.producer.poll(0.002)
        if self.producer.flush(60):
            self.errors.append("records were never answered")

    def consume(self):
        quiet_since = None
        while True:
            message = self.consumer.poll(0.2)
            if message is None:
                if not self.stopping.is_set() or self.threads[0].is_alive():
                    continue
                quiet_since = quiet_since or time.monotonic()
                if len(self.read) >= len(self.acknowledged) or time.monotonic() - quiet_since > 20:
                    break
            elif message.error() is not None:
                self.errors.append(f"consumer: {message.error()}")
            elif message.value().startswith(b"load "):
                self.read[message.offset()] = int(message.value().split(b".")[0][5:])
        self.consumer.close()

    def finish(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(90)
        assert self.errors == []
        # An acknowledgement of what a retry found written already may lack its offset.
        promised = set(self.acknowledged)
        found = {number: offset for offset, number in self.read.items()}
        assert promised == set(found), f"not read: {sorted(promised - set(found))[:5]}, not acknowledged: {sorted(set(found) - promised)[:5]}"
        elsewhere = [n for n, offset in self.acknowledged.items() if offset >= 0 and found[n] != offset]
        assert not elsewhere, f"not where it was acknowledged: {elsewhere[:5]}"
        numbers = [self.read[offset] for offset in sorted(self.read)]
        assert numbers == list(range(len(numbers))), "a record is missing, doubled or out of order"


def fill(cluster, megabytes):
    record = bytes(range(256)) * 64
    failures = []
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all", "linger.ms": 5, "batch.size": 900000})
    count = megabytes * 1024 * 1024 // len(record)
    for _ in range(count):
        while True:
            try:
                producer.produce(TOPIC, record, partition=0, on_delivery=lambda e, _: failures.append(e) if e else None)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    assert producer.flush(120) == 0 and failures == []
    return count


def held_bytes(cluster, broker):
    directory = cluster.directory / f"broker-{broker}" / f"{TOPIC}-0"
    try:
        return sum(path.stat().st_size for path in directory.glob("*.log"))
    except FileNotFoundError:
        return 0


def described(cluster):
    return cluster.topics("--describe", "--topic", TOPIC, check=0).stdout


def reassign(cluster, replicas, action, *options, **words):
    plan = cluster.directory / "plan.json"
    plan.write_text(json.dumps(
        {"version": 1, "partitions": [{"topic": TOPIC, "partition": 0, "replicas": replicas, "log_dirs": ["any"] * len(replicas)}]}))
    return cluster.tool(
        "kafka-reassign-partitions", "--bootstrap-server", cluster.bootstrap, f"--{action}", "--reassignment-json-file", plan,
        *options, **words)


def move_under_load(cluster, megabytes, throttle, tell=lambda words, value: None):
    """From brokers 0 and 1 to 2 and 1; the first attempt is cancelled half-way."""
    cluster.topics("--create", "--topic", TOPIC, "--replica-assignment", "0:1", "--config", "min.insync.replicas=1", check=0)
    count = fill(cluster, megabytes)
    size = held_bytes(cluster, 0)
    clients = Clients(cluster.bootstrap)
    clients.start(count)
    eventually(lambda: len(clients.read) > 100, "the load runs")

    reassign(cluster, [2, 1], "execute", "--throttle", throttle, check=0)
    eventually(lambda: held_bytes(cluster, 2) > size * 0.4, "half of it is copied", 600)
    assert json.loads(cluster.znode(f"/brokers/topics/{TOPIC}"))["adding_replicas"] == {"0": [2]}
    reassign(cluster, [2, 1], "cancel", check=0)
    eventually(lambda: not (cluster.directory / "broker-2" / f"{TOPIC}-0").exists(), "the half copy is gone", 60)
    # In the order they had beside the one that was to come, as Kafka leaves them.
    assert json.loads(cluster.znode(f"/brokers/topics/{TOPIC}"))["partitions"] == {"0": [1, 0]}
    assert "throttled" not in cluster.znode(f"/config/topics/{TOPIC}")
    running = len(clients.read)
    eventually(lambda: len(clients.read) > running + 100, "the load runs on")

    began = time.monotonic()
    reassign(cluster, [2, 1], "execute", "--throttle", throttle, check=0)
    eventually(lambda: "is completed" in reassign(cluster, [2, 1], "verify").stdout, "the move is completed", 1200)
    took = time.monotonic() - began
    tell("copied, MB/s", size / took / 1e6)
    text = described(cluster)
    assert "Replicas: 2,1" in text and "Isr: " in text
    eventually(lambda: not (cluster.directory / "broker-0" / f"{TOPIC}-0").exists(), "the old copy is gone", 60)
    assert "throttled" not in cluster.znode(f"/config/topics/{TOPIC}")
    assert "throttled" not in cluster.tool(
        "kafka-configs", "--bootstrap-server", cluster.bootstrap, "--entity-type", "brokers", "--describe", check=0).stdout
    running = len(clients.read)
    eventually(lambda: len(clients.read) > running + 100, "the load runs on")
    clients.finish()
    tell("records written and read under the moves", len(clients.acknowledged))
    tell("slowest acknowledgement, s", clients.slowest)
