"""A broker with two log directories: a replica moves between them under load, and one of them fails beside the other."""

import json
import shutil
import socket
import struct

from confluent_kafka import Consumer, Producer, TopicPartition

from harness import Cluster, eventually

DIRECTORIES = {"log.dirs": "{directory}/broker-{number}/a,{directory}/broker-{number}/b"}


def move(port, path, topic, partition):
    """AlterReplicaLogDirs 1, written by hand: no client library here speaks it. Answers the error code."""
    def text(value):
        return struct.pack(">h", len(value)) + value.encode()
    body = struct.pack(">i", 1) + text(str(path)) + struct.pack(">i", 1) + text(topic) + struct.pack(">ii", 1, partition)
    frame = struct.pack(">hhi", 34, 1, 7) + text("test") + body
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(struct.pack(">i", len(frame)) + frame)
        stream = connection.makefile("rb")
        answer = stream.read(struct.unpack(">i", stream.read(4))[0])
    return struct.unpack(">h", answer[-2:])[0]


def described(cluster):
    """Directory name ("a", "b") to (topic-partition, is it a copy under way) as kafka-log-dirs.sh tells it."""
    done = cluster.tool("kafka-log-dirs", "--bootstrap-server", cluster.bootstrap, "--describe", check=0)
    report = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    return {
        entry["logDir"].rsplit("/", 1)[-1]: sorted(
            (partition["partition"], partition["isFuture"]) for partition in entry["partitions"])
        for entry in report["brokers"][0]["logDirs"] if not entry["error"]}


def home(cluster, name):
    return next(path for letter in "ab" if (path := cluster.directory / "broker-0" / letter / name).exists())


def consumed(cluster, topic, partition, count):
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "check", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0)])
    values = []
    eventually(
        lambda: values.extend(m.value() for m in consumer.consume(1000, 0.5) if not m.error()) or len(values) >= count,
        f"{count} records")
    consumer.close()
    return values


def producer(cluster, **more):
    return Producer({
        "bootstrap.servers": cluster.bootstrap, "acks": "all", "enable.idempotence": True, "linger.ms": 1,
        "reconnect.backoff.max.ms": 200, **more})


def test_a_replica_moves_under_load_and_through_a_crash():
    with Cluster(**DIRECTORIES) as cluster:
        cluster.create_topic("t", partitions=1, segment_bytes=100000)
        client, refused = producer(cluster), []
        sent = 0

        def send(count):
            nonlocal sent
            for _ in range(count):
                client.produce("t", b"%d" % sent, on_delivery=lambda error, _: error and refused.append(error))
                client.poll(0)
                sent += 1

        for _ in range(20):
            send(1000)
            client.flush(20)
        source = home(cluster, "t-0")
        target = source.parent.parent / ("b" if source.parent.name == "a" else "a")
        assert move(cluster.ports[0], target, "t", 0) == 0
        # Killed at once, wherever the copy is by then: it goes on after the start, or has not begun.
        send(2000)
        cluster.brokers[0].kill()
        cluster.brokers[0].start()
        assert move(cluster.ports[0], target, "t", 0) == 0
        send(2000)
        eventually(lambda: (target / "t-0").exists() and not source.exists(), "the replica in its new directory")
        send(1000)
        client.flush(60)
        assert not refused
        assert consumed(cluster, "t", 0, sent) == [b"%d" % n for n in range(sent)]
        assert described(cluster)[target.name] == [("t-0", False)]
        assert move(cluster.ports[0], "/nowhere", "t", 0) == 57
        assert move(cluster.ports[0], target, "t", 5) == 9


def test_a_directory_fails_beside_a_healthy_one_and_the_last_one_ends_the_broker():
    with Cluster(**DIRECTORIES) as cluster:
        cluster.create_topic("t", partitions=2, segment_bytes=10000)
        lost = next(n for n in range(2) if home(cluster, f"t-{n}").parent.name == "b")
        client = producer(cluster, **{"message.timeout.ms": 3000, "enable.idempotence": False})
        outcomes = {0: [], 1: []}

        def send(partition):
            client.produce(
                "t", b"x" * 1000, partition=partition,
                on_delivery=lambda error, message: outcomes[message.partition()].append(error))
            client.flush(10)
            return outcomes[partition][-1]

        assert send(0) is None and send(1) is None
        shutil.rmtree(cluster.directory / "broker-0" / "b")
        # The next segment cannot be made.
        eventually(lambda: send(lost) is not None, "the failure of the directory")
        before = len(outcomes[1 - lost])
        for _ in range(30):
            assert send(1 - lost) is None
        assert len(outcomes[1 - lost]) == before + 30
        assert cluster.brokers[0].alive
        assert described(cluster).keys() == {"a"}
        assert "log directory went offline" in cluster.brokers[0].output()
        shutil.rmtree(cluster.directory / "broker-0" / "a")
        eventually(lambda: not cluster.brokers[0].alive or (send(1 - lost) and False), "the end of the broker")
        line = next(line for line in cluster.brokers[0].output().splitlines() if "LB-1019" in line)
        assert "no log directory works any more" in line and "t-" in line
