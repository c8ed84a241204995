"""Topics that choose their packing, and clients that speak as before Kafka 0.11, through libraries that nobody here wrote."""

import re
import socket
import struct

import pytest
from confluent_kafka import Producer
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from harness import CODECS, stored_batches

TARGETS = ["uncompressed", "gzip", "snappy", "lz4", "zstd"]
# What each version of a client speaks: Fetch and Produce 1, 2, 2 with Fetch 3.
OLD = [(0, 9), (0, 10), (0, 10, 1)]


def values(cluster, topic, count, **settings):
    consumer = KafkaConsumer(bootstrap_servers=cluster.bootstrap, **settings)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    found = []
    while len(found) < count:
        records = consumer.poll(timeout_ms=10000).get(partition)
        assert records, f"nothing more after {len(found)}"
        found += records
    consumer.close()
    assert [record.offset for record in found] == list(range(count))
    return [record.value for record in found]


@pytest.mark.parametrize("target", TARGETS)
def test_every_packing_becomes_the_topics(cluster, target):
    topic = f"packed-{target}"
    cluster.create_topic(topic, compression_type=target, compression_zstd_level=7, compression_gzip_level=2)
    sent = []
    for codec in CODECS:
        producer = Producer({
            "bootstrap.servers": cluster.bootstrap, "compression.type": codec, "acks": "all", "enable.idempotence": True,
            "linger.ms": 20})
        for n in range(200):
            value = f"{codec} letter {n} ".encode() * 5
            sent.append(value)
            producer.produce(topic, value, key=b"k", headers={"n": str(n)})
        assert producer.flush(30) == 0
    python = KafkaProducer(bootstrap_servers=cluster.bootstrap, compression_type="lz4", linger_ms=20)
    for n in range(200):
        sent.append(b"python %d" % n)
        python.send(topic, sent[-1])
    python.close()
    batches = list(stored_batches(cluster.log_directory(topic, 0)))
    wanted = 0 if target == "uncompressed" else CODECS[target]
    assert {attributes & 7 for _, attributes, _ in batches} == {wanted}
    assert values(cluster, topic, len(sent)) == sent


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4"])
@pytest.mark.parametrize("version", OLD, ids=lambda version: ".".join(map(str, version)))
def test_old_clients_produce_and_consume(cluster, version, codec):
    topic = f"old-{'.'.join(map(str, version))}-{codec}"
    cluster.create_topic(topic)
    packing = None if codec == "none" else codec
    sent = [b"letter %d " % n * 20 for n in range(300)]
    for settings in ({"api_version": version}, {}):
        producer = KafkaProducer(bootstrap_servers=cluster.bootstrap, compression_type=packing, linger_ms=20, **settings)
        for value in sent:
            producer.send(topic, value)
        producer.close()
    twice = sent + sent
    # Both ways of reading what both have written.
    assert values(cluster, topic, 600, api_version=version) == twice
    assert values(cluster, topic, 600, api_version=version, max_partition_fetch_bytes=1000) == twice
    assert values(cluster, topic, 600) == twice


class Raw:
    """Requests by hand, in the words of 2012."""

    def __init__(self, cluster):
        host, port = cluster.bootstrap.split(",")[0].split(":")
        self.socket = socket.create_connection((host, int(port)), 20)

    def ask(self, key, version, body):
        frame = struct.pack(">hhih", key, version, 7, 3) + b"raw" + body
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)
        size = struct.unpack(">i", self.read(4))[0]
        return self.read(size)[4:]

    def read(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            assert piece, "the broker ended the connection"
            data += piece
        return data

    def fetch(self, version, topic, offset, size=1 << 20):
        name = struct.pack(">h", len(topic)) + topic.encode()
        limit = struct.pack(">i", 1 << 20) if version >= 3 else b""
        body = struct.pack(">iii", -1, 100, 1) + limit + struct.pack(">i", 1) + name + struct.pack(">iiqi", 1, 0, offset, size)
        answer = self.ask(1, version, body)[4 if version >= 1 else 0:]
        answer = answer[4 + 2 + len(topic) + 4:]
        _, error, _, length = struct.unpack(">ihqi", answer[:18])
        return error, answer[18:18 + length]

    def list_offsets(self, topic, time, count):
        name = struct.pack(">h", len(topic)) + topic.encode()
        body = struct.pack(">ii", -1, 1) + name + struct.pack(">iiqi", 1, 0, time, count)
        answer = self.ask(2, 0, body)[4 + 2 + len(topic) + 4:]
        _, error, found = struct.unpack(">ihi", answer[:10])
        return error, list(struct.unpack(f">{found}q", answer[10:]))


def test_every_old_version_by_hand(cluster):
    cluster.create_topic("by-hand", segment_bytes=1000)
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap, acks="all")
    for n in range(20):
        producer.send("by-hand", b"x" * 200, headers=[("h", b"v")], timestamp_ms=1_700_000_000_000 + n).get(20)
    producer.close()
    raw = Raw(cluster)
    for version in range(4):
        seen = []
        while len(seen) < 20:
            error, data = raw.fetch(version, "by-hand", len(seen), 500)
            assert error == 0 and data
            position = 0
            while position < len(data):
                offset, size = struct.unpack(">qi", data[position:position + 12])
                magic = data[position + 16]
                assert magic == (0 if version < 2 else 1)
                seen.append(offset)
                position += 12 + size
            assert position == len(data)
        assert seen == list(range(20))
        assert raw.fetch(version, "by-hand", 20)[1] == b""
        assert raw.fetch(version, "by-hand", 21)[0] == 1
    error, ends = raw.list_offsets("by-hand", -1, 100)
    assert error == 0 and ends[0] == 20 and ends[-1] == 0 and ends == sorted(ends, reverse=True) and len(ends) > 3
    assert raw.list_offsets("by-hand", -1, 1) == (0, [20])
    assert raw.list_offsets("by-hand", -2, 5) == (0, [0])


def test_offsets_by_every_word(cluster):
    topic = "words-of-time"
    cluster.create_topic(topic)
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap, acks="all", compression_type="gzip", linger_ms=100)
    times = [5, 3, 9, 1, 7]
    for time in times:
        producer.send(topic, b"x", timestamp_ms=1_700_000_000_000 + time)
    producer.close()
    expected = {
        "latest": "5", "-1": "5", "earliest": "0", "-2": "0", "max-timestamp": "2", "-3": "2", "earliest-local": "0",
        "-4": "0", "1700000000006": "2", "1700000000005": "0", "1700000000009": "2"}
    for word, offset in expected.items():
        done = cluster.tool(
            "kafka-get-offsets", "--bootstrap-server", cluster.bootstrap, "--topic", topic, "--time", word, check=0)
        assert done.stdout == f"{topic}:0:{offset}\n", word
    for word in ("latest-tiered", "-5", "1700000000010"):
        done = cluster.tool(
            "kafka-get-offsets", "--bootstrap-server", cluster.bootstrap, "--topic", topic, "--time", word, check=0)
        assert re.fullmatch(rf"({topic}:0:(-1)?\n)?", done.stdout), (word, done.stdout)
