"""Logs that are kept for years: what retention lets go, what compaction leaves, and what a tool says of the files."""

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from harness import Cluster, eventually

QUICK = {
    "log.retention.check.interval.ms": 200, "log.segment.delete.delay.ms": 200, "log.cleaner.backoff.ms": 200,
    "group.initial.rebalance.delay.ms": 0}


@pytest.fixture(scope="module")
def cluster():
    with Cluster(**QUICK) as running:
        yield running


def producer(cluster, **more):
    return Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all", "linger.ms": 0, **more})


def read(cluster, topic, upto):
    """Everything from the beginning to the end offset, by offset: key and value."""
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "check", "enable.auto.commit": False})
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=20)
    consumer.assign([TopicPartition(topic, 0, low)])
    found = {}

    def is_done():
        for message in consumer.consume(1000, 0.3):
            if not message.error():
                found[message.offset()] = (message.key(), message.value())
        return max(found, default=-1) >= min(upto, high) - 1
    eventually(is_done, f"{topic} read up to {upto}")
    consumer.close()
    return low, found


def test_compaction_leaves_the_latest_of_each_key(cluster):
    cluster.create_topic(
        "state", cleanup_policy="compact", segment_bytes=2000, min_cleanable_dirty_ratio=0.01)
    client = producer(cluster, **{"compression.type": "lz4"})
    for round in range(40):
        for key in range(5):
            client.produce("state", key=b"key-%d" % key, value=b"value-%d" % round)
        client.flush(20)
    client.produce("state", key=b"last", value=b"1")
    client.flush(20)

    def is_compacted():
        low, found = read(cluster, "state", 201)
        assert low == 0
        latest = {}
        for offset in sorted(found):
            latest[found[offset][0]] = found[offset][1]
        assert latest == {**{b"key-%d" % key: b"value-39" for key in range(5)}, b"last": b"1"}
        return len(found) < 100
    eventually(is_compacted, "fewer records than were written")
    # And so it is after a crash.
    cluster.brokers[0].kill()
    cluster.brokers[0].start()
    assert is_compacted()


def test_a_compacted_topic_takes_no_record_without_a_key(cluster):
    cluster.create_topic("keyed", cleanup_policy="compact")
    errors = []
    client = producer(cluster)
    client.produce("keyed", value=b"no key", on_delivery=lambda error, _: errors.append(error))
    client.flush(20)
    assert [error.code() for error in errors] == [KafkaError.INVALID_RECORD]


def test_retention_moves_the_beginning(cluster):
    cluster.create_topic("old", retention_bytes=5000, segment_bytes=2000, file_delete_delay_ms=200)
    client = producer(cluster)
    for number in range(200):
        client.produce("old", value=b"%d" % number * 20)
        if number % 10 == 9:
            client.flush(20)

    def begins():
        done = cluster.tool("kafka-get-offsets", "--bootstrap-server", cluster.bootstrap, "--topic", "old", "--time", "-2")
        return int(done.stdout.strip().rsplit(":", 1)[-1])
    directory = cluster.log_directory("old", 0)

    def kept():
        return sum(path.stat().st_size for path in directory.glob("*.log"))

    # The first look may come while records are still being sent.
    eventually(lambda: begins() > 0 and kept() <= 5000 + 2 * 2000, lambda: f"the beginning moved: {kept()} bytes are kept")
    eventually(lambda: not list(directory.glob("*.deleted")), "deleted files are gone")
    assert kept() >= 5000
    low, found = read(cluster, "old", 200)
    assert sorted(found) == list(range(low, 200))
    cluster.tool(
        "kafka-configs", "--bootstrap-server", cluster.bootstrap, "--alter", "--entity-type", "topics", "--entity-name",
        "old", "--add-config", "retention.ms=1", check=0)
    eventually(lambda: begins() == 200, "what the new setting lets go is gone")


def test_a_log_is_told_in_words(cluster):
    cluster.create_topic("told")
    client = producer(cluster)
    client.produce("told", key=b"k", value=b"v", headers={"h": b"x"}, timestamp=1700000000000)
    client.flush(20)
    path = cluster.log_directory("told", 0) / ("0" * 20 + ".log")
    done = cluster.tool("kafka-dump-log", "--print-data-log", "--files", str(path), check=0)
    lines = done.stdout.splitlines()
    assert lines[:2] == [f"Dumping {path}", "Log starting offset: 0"]
    assert lines[3] == (
        "| offset: 0 CreateTime: 1700000000000 keySize: 1 valueSize: 1 sequence: -1 headerKeys: [h] key: k payload: v")
    assert cluster.tool("kafka-dump-log", "--files", "/nonexistent/00000000000000000000.log").returncode == 1
