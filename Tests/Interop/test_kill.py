"""kill -9 of broker and coordinator under load: what was acknowledged is there."""

import itertools
import os
import random
import threading
import time

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NodeExistsError

from coordinator_load import Coordinator, Load, dump
from harness import Cluster, eventually

ROUNDS = int(os.environ.get("LETTERBOX_KILL_ROUNDS", "20"))
PARTITIONS = 3


class RecordLoad(threading.Thread):
    """Produces numbered records without pause and keeps a receipt of every acknowledged one."""

    def __init__(self, bootstrap, topic):
        super().__init__(daemon=True)
        self.topic, self.stopping, self.receipts, self.failures = topic, False, {}, []
        self.producer = Producer({
            "bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "linger.ms": 1,
            "message.timeout.ms": 120000, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200})

    def delivered(self, error, message):
        if error is None:
            self.receipts[int(message.value())] = (message.partition(), message.offset())
        else:
            self.failures.append(error)

    def run(self):
        for n in itertools.count():
            if self.stopping:
                break
            while True:
                try:
                    self.producer.produce(self.topic, b"%d" % n, partition=n % PARTITIONS, on_delivery=self.delivered)
                    break
                except BufferError:
                    self.producer.poll(0.05)
            self.producer.poll(0)
            if n % 100 == 99:
                time.sleep(0.005)
        self.producer.flush(60)


class ZnodeLoad(threading.Thread):
    """Creates and sets znodes one after another; an operation whose answer was lost counts as neither done nor not done."""

    def __init__(self, hosts):
        super().__init__(daemon=True)
        self.stopping, self.created, self.versions = False, {}, {}
        self.client = KazooClient(hosts=hosts, timeout=10, connection_retry={"max_tries": -1, "delay": 0.02, "max_delay": 0.2})
        self.client.start(30)
        self.client.ensure_path("/load")

    def run(self):
        for n in itertools.count():
            if self.stopping:
                return
            path = f"/load/n{n:08d}"
            try:
                self.client.create(path, b"%d" % n)
                self.created[path] = b"%d" % n
                self.client.set(path, b"set %d" % n)
                self.created[path] = b"set %d" % n
            except KazooException:
                # Unknown outcome: the data may be either; existence is certain only if the create was acknowledged.
                if path in self.created:
                    self.created[path] = None
            except Exception:
                if path in self.created:
                    self.created[path] = None


def read_back(cluster, topic):
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "check", "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "fetch.wait.max.ms": 50})
    found = {}
    duplicates = []
    for partition in range(PARTITIONS):
        consumer.assign([TopicPartition(topic, partition, 0)])
        end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=20)[1]
        position = 0
        last = -1
        while position < end:
            messages = consumer.consume(10000, 5.0)
            assert messages, f"nothing more at {position} of {end}"
            for message in messages:
                assert message.error() is None, message.error()
                assert message.offset() == position, "offsets have no gaps"
                position += 1
                n = int(message.value())
                if n in found:
                    duplicates.append(n)
                assert n > last or n in found, f"order: {n} after {last}"
                last = n
                found[n] = (partition, message.offset())
    consumer.close()
    return found, duplicates


def test_nothing_acknowledged_is_lost():
    random.seed(1)
    with Cluster(brokers=1) as cluster:
        cluster.create_topic("load", PARTITIONS)
        records = RecordLoad(cluster.bootstrap, "load")
        znodes = ZnodeLoad(cluster.zookeeper)
        records.start()
        znodes.start()
        broker, coordinator = cluster.brokers[0], cluster.coordinator
        for round in range(ROUNDS):
            acknowledged, created = len(records.receipts), len(znodes.created)
            eventually(lambda: len(records.receipts) > acknowledged + 200, f"records flow in round {round}", 60)
            eventually(lambda: len(znodes.created) > created + 5, f"znodes flow in round {round}", 60)
            time.sleep(random.random() * 0.2)
            victims = [[broker], [coordinator], [broker, coordinator]][round % 3]
            for victim in victims:
                victim.kill()
            if coordinator in victims:
                coordinator.start()
            if broker in victims:
                broker.start()
                # The old session (6 s) is closed by the broker itself, not waited for.
                assert "waits for the former registration" not in broker.output(), broker.output()
        records.stopping = znodes.stopping = True
        records.join()
        znodes.join()
        assert not records.failures, records.failures[:3]
        found, duplicates = read_back(cluster, "load")
        missing = {n: place for n, place in records.receipts.items() if found.get(n) != place}
        assert not missing, f"{len(missing)} of {len(records.receipts)} acknowledged records are missing or moved"
        assert not duplicates, f"duplicates: {duplicates[:5]}"
        client = KazooClient(hosts=cluster.zookeeper)
        client.start(30)
        present = set(client.get_children("/load"))
        lost = [path for path in znodes.created if path.split("/")[-1] not in present]
        assert not lost, f"{len(lost)} acknowledged znodes are missing"
        for path, data in znodes.created.items():
            if data is not None:
                assert client.get(path)[0] == data, path
        client.stop()
        print(f"{ROUNDS} rounds: {len(records.receipts)} records and {len(znodes.created)} znodes acknowledged, all found")


def test_the_coordinator_alone_keeps_every_acknowledged_change():
    """Sets, creates, lists, sequences, ephemerals, deletions and multis of several sessions, with snapshots meanwhile."""
    random.seed(2)
    with Coordinator(snapCount=500) as coordinator:
        coordinator.ours()
        loads = [Load(coordinator.hosts, str(number), extended=True) for number in range(3)]
        for load in loads:
            load.start()
        zxid = 0
        for round in range(ROUNDS):
            done = [load.done for load in loads]
            eventually(
                lambda: all(load.done > before + 6 for load, before in zip(loads, done)), f"changes flow in round {round}", 60)
            time.sleep(random.random() * 0.1)
            coordinator.kill()
            coordinator.ours()
            assert coordinator.zxid >= zxid, "zxids never go back"
            zxid = coordinator.zxid
        for load in loads:
            load.stopping = True
        for load in loads:
            load.join(60)
            assert load.client.client_id == load.session
        found = dump(coordinator.hosts)
        for load in loads:
            load.check(found)
        print(
            f"{ROUNDS} rounds: {sum(load.done for load in loads)} steps acknowledged, {sum(len(load.present) for load in loads)} "
            f"nodes found, {sum(len(load.gone) for load in loads)} deleted ones not")
        for load in loads:
            load.client.stop()


def test_ephemerals_and_sequences_survive_a_coordinator_kill():
    with Cluster(brokers=0) as cluster:
        client = KazooClient(hosts=cluster.zookeeper, timeout=8)
        client.start(20)
        client.create("/queue", b"")
        first = client.create("/queue/n-", b"", sequence=True)
        client.delete(first)
        client.create("/mine", b"here", ephemeral=True)
        session = client.client_id
        cluster.coordinator.kill()
        cluster.coordinator.start()
        eventually(lambda: client.connected, "reconnected")
        assert client.client_id == session, "the session was re-attached with its password"
        assert client.get("/mine")[0] == b"here"
        assert client.create("/queue/n-", b"", sequence=True) == "/queue/n-0000000001"
        client.stop()
        other = KazooClient(hosts=cluster.zookeeper)
        other.start(20)
        assert other.exists("/mine") is None
        other.stop()


def test_a_clean_stop_is_quick_and_keeps_everything():
    with Cluster(brokers=1) as cluster:
        cluster.create_topic("kept")
        producer = Producer({"bootstrap.servers": cluster.bootstrap})
        producer.produce("kept", b"letter")
        assert producer.flush(20) == 0
        assert cluster.brokers[0].stop() == 0
        assert cluster.coordinator.stop() == 0
        cluster.coordinator.start()
        cluster.brokers[0].start()
        done = cluster.tool(
            "kafka-console-consumer", "--bootstrap-server", cluster.bootstrap, "--topic", "kept", "--from-beginning",
            "--max-messages", 1, check=0)
        assert done.stdout == "letter\n"
