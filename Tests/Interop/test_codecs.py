"""A million lines go in and come out, in every codec, through clients that nobody here wrote."""

import hashlib
import os
import subprocess

import pytest
from kafka import KafkaConsumer, TopicPartition

from harness import CODECS, stored_batches

LINES = int(os.environ.get("LETTERBOX_LINES", "1000000"))


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    path = tmp_path_factory.mktemp("lines") / "lines.txt"
    with open(path, "w") as file:
        for number in range(LINES):
            file.write(f"{number:07d} the letter to {number * 2654435761 % 1000003}\n")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("codec", CODECS)
def test_a_million_lines(cluster, lines, codec):
    path, digest = lines
    topic = f"million-{codec}"
    cluster.create_topic(topic)
    subprocess.run(
        ["kcat", "-P", "-b", cluster.bootstrap, "-t", topic, "-p", "0", "-z", codec, "-X", "topic.acks=all", "-l", str(path)],
        check=True, timeout=300)

    batches = list(stored_batches(cluster.log_directory(topic, 0)))
    assert sum(count for _, _, count in batches) == LINES
    # librdkafka leaves a batch uncompressed when that is smaller: a handful of lines while it was still connecting.
    asked = sum(count for _, attributes, count in batches if attributes & 7 == CODECS[codec])
    assert asked > 0.9 * LINES

    kcat = subprocess.run(
        ["kcat", "-C", "-q", "-e", "-b", cluster.bootstrap, "-t", topic, "-p", "0", "-o", "beginning"],
        check=True, timeout=300, capture_output=True)
    assert hashlib.sha256(kcat.stdout).hexdigest() == digest

    console = cluster.tool(
        "kafka-console-consumer", "--bootstrap-server", cluster.bootstrap, "--topic", topic, "--from-beginning",
        "--max-messages", LINES, timeout=300, check=0)
    assert hashlib.sha256(console.stdout.encode()).hexdigest() == digest

    consumer = KafkaConsumer(bootstrap_servers=cluster.bootstrap, max_poll_records=10000, fetch_max_bytes=50 << 20,
                             max_partition_fetch_bytes=8 << 20)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    received = hashlib.sha256()
    count = 0
    while count < LINES:
        records = consumer.poll(timeout_ms=10000).get(partition)
        assert records, f"nothing more after {count}"
        received.update(b"".join(record.value + b"\n" for record in records))
        count += len(records)
    consumer.close()
    assert received.hexdigest() == digest
