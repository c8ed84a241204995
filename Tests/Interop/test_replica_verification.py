"""kafka-replica-verification.sh compares what the replicas hold: silent while they are equal, loud about one changed byte."""

import os
import re
import subprocess

from confluent_kafka import Producer

from harness import BINARY, ENVIRONMENT, ROOT, eventually, stored_batches


class Verification:
    """The tool while it runs, and the lines it has said."""

    def __init__(self, cluster, *words):
        self.process = subprocess.Popen(
            [ROOT / "scripts/kafka-replica-verification.sh", "--broker-list", cluster.bootstrap, "--report-interval-ms", "50",
             "--max-wait-ms", "50", *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**ENVIRONMENT, "LETTERBOX_BINARY": str(BINARY)})
        os.set_blocking(self.process.stdout.fileno(), False)
        self.said = ""

    def lines(self):
        self.said += (self.process.stdout.read() or b"").decode()
        return self.said.splitlines()

    def until(self, pattern, seconds=20):
        """The first line in which `pattern` is found, as a match."""
        return eventually(
            lambda: next((found for line in self.lines() if (found := re.search(pattern, line))), None),
            lambda: f"{pattern} in {self.said}", seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def verified(cluster, topics, since=-2, seconds=20):
    """Every replica of these topics holds the same from a time on (in ms) up to the high watermark, says the tool; returns what it
    said."""
    with Verification(cluster, "--topics-include", topics, "--time", str(since)) as tool:
        tool.until("max lag is 0 for partition", seconds)
        assert not [line for line in tool.lines() if "unmatched" in line or "doesn't match" in line], tool.said
        return tool.said


def test_replicas_are_compared(three_brokers):
    cluster = three_brokers
    for topic in ("compared", "other"):
        cluster.topics("--create", "--topic", topic, "--partitions", 3, "--replication-factor", 3, check=0)
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all", "linger.ms": 0})
    for n in range(300):
        producer.produce("compared", b"letter %d" % n, partition=n % 3)
        if n % 30 == 29:
            assert producer.flush(20) == 0
    said = verified(cluster, "compared")
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
    assert re.match(stamp + ": verification process is started$", said.splitlines()[0])
    assert re.search(stamp + r": max lag is 0 for partition compared-\d at offset 100 among 3 partitions", said)

    # One byte of one replica, in the middle of the second batch's records.
    changed = cluster.log_directory("compared", 1, 2) / "00000000000000000000.log"
    second = list(stored_batches(changed.parent))[1]
    data = bytearray(changed.read_bytes())
    place = data.index(b"letter %d" % (second[0] * 3 + 1))
    with open(changed, "r+b") as file:
        file.seek(place)
        file.write(b"L")
    with Verification(cluster, "--topics-include", "compared", "--time", "-2") as tool:
        found = tool.until(
            r"partition compared-1 has unmatched checksum at offset (\d+); replica 0's checksum (\d+); replica 2's checksum (\d+)$")
        assert int(found[1]) == second[0] + second[2] - 1 and found[2] != found[3]
        tool.until("max lag is 0 for partition")

    for words, answer in [
        ((), "Missing required argument \"[broker-list]\""),
        (("--broker-list", cluster.bootstrap, "--topics-include", "nothing-like-it"), "No topics found."),
        (("--broker-list", cluster.bootstrap, "--topics-include", "a(b"), "is an invalid regex"),
        (("--broker-list", cluster.bootstrap, "--topics-include", "a", "--topic-white-list", "b"), "can't be used with option"),
    ]:
        done = cluster.tool("kafka-replica-verification", "--report-interval-ms", "50", *words, check=1)
        assert answer in done.stderr, done.stderr
