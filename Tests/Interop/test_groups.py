"""Queue inside a group: members share partitions, one idles, one takes over."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from kafka import KafkaProducer

from harness import eventually

LIBRARIES = ["kafka-python", "confluent", "aiokafka"]


class Member:
    def __init__(self, library, cluster, group, topic, *options):
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).parent / "member.py", library, cluster.bootstrap, group, topic, *options],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.lines = []
        self.assigned = None
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            words = line.split()
            if words[0] == "assigned":
                self.assigned = {int(word) for word in words[1:]}
            self.lines.append(words)

    @property
    def records(self):
        return [(int(words[1]), int(words[2]), words[3]) for words in list(self.lines) if words[0] == "record"]

    @property
    def committed(self):
        return [(int(words[1]), int(words[2])) for words in list(self.lines) if words[0] == "committed"]

    def kill(self):
        self.process.kill()
        self.process.wait()


def balanced(members, sizes):
    """Do the members' assignments cover partitions 0, 1, 2 once, in these sizes?"""
    held = [member.assigned for member in members]
    if any(assigned is None for assigned in held):
        return False
    return sorted(map(len, held)) == sizes and sorted(p for assigned in held for p in assigned) == [0, 1, 2]


@pytest.mark.parametrize("library", LIBRARIES)
def test_one_to_four_members_share_three_partitions(cluster, library):
    topic = f"shared-{library}"
    cluster.create_topic(topic, 3)
    members = []
    try:
        for sizes in ([3], [1, 2], [1, 1, 1], [0, 1, 1, 1]):
            members.append(Member(library, cluster, topic, topic))
            eventually(lambda: balanced(members, sizes), f"{len(members)} members hold {sizes}", 40)
        busy = next(member for member in members if member.assigned)
        busy.kill()
        members.remove(busy)
        eventually(lambda: balanced(members, [1, 1, 1]), "the idle one has taken over", 40)
        producer = KafkaProducer(bootstrap_servers=cluster.bootstrap)
        for n in range(30):
            producer.send(topic, b"%d" % n, partition=n % 3)
        producer.close()
        eventually(lambda: sum(len(member.records) for member in members) == 30, "all 30 records were read once")
        assert sorted(int(record[2]) for member in members for record in member.records) == list(range(30))
    finally:
        for member in members:
            member.kill()


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_successor_goes_on_from_the_next_offset(cluster, library):
    topic = f"succession-{library}"
    cluster.create_topic(topic)
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap)
    for n in range(4):
        producer.send(topic, b"%d" % n).get(20)
    first = Member(library, cluster, topic, topic, "--commit-each")
    try:
        eventually(lambda: first.committed[-1:] == [(0, 4)], "read and committed up to offset 3", 40)
    finally:
        first.kill()
    for n in range(4, 7):
        producer.send(topic, b"%d" % n).get(20)
    producer.close()
    second = Member(library, cluster, topic, topic)
    try:
        eventually(lambda: len(second.records) == 3, "the successor has read the rest", 40)
        assert second.records == [(0, 4, "4"), (0, 5, "5"), (0, 6, "6")]
    finally:
        second.kill()
