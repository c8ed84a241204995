"""How long producers notice that somebody died: the cluster's own gap, and what a librdkafka producer makes of it.

Run by `scripts/benchmark.sh failover`. Settings by environment: ROUNDS=5, SESSION_MS=6000, FAILOVER_ON=letterbox|zookeeper|ensemble,
PARTS_OF_FAILOVER="calm kill stop follower restart away"."""

import itertools
import logging
import os
import socket
import statistics
import struct
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Interop"))

from confluent_kafka import Producer
from kafka.record.default_records import DefaultRecordBatchBuilder

import failover
import harness
from failover import BROKERS, PARTITIONS, TOPIC, Scene
from harness import eventually

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SESSION_MS = int(os.environ.get("SESSION_MS", "6000"))
COORDINATOR = os.environ.get("FAILOVER_ON", "letterbox")
# What an application sets that wants to notice quickly. By default librdkafka waits 100 ms (doubling to 1 s) before it sends again
# and before it connects again (to 10 s), and looks for the leader of a broken connection's partitions once a second, unless
# topic.metadata.refresh.interval.ms (5 min by default) comes first: what a client notices beyond the cluster's own gap is that.
CLIENT = {
    "linger.ms": 0, "retry.backoff.ms": 10, "retry.backoff.max.ms": 50, "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 50,
    "topic.metadata.refresh.interval.ms": 100, "topic.metadata.refresh.fast.interval.ms": 20, "log_level": 0}


class Gaps:
    """When acknowledgements came, and the longest time without one."""

    def __init__(self):
        self.times = [time.monotonic()]

    def note(self):
        self.times.append(time.monotonic())

    def longest(self, since, until=None):
        """In milliseconds, of the gaps that end after `since`."""
        times = [when for when in self.times if until is None or when <= until]
        return 1000 * max((b - a for a, b in itertools.pairwise(times) if b > since), default=float("nan"))


class Probe(threading.Thread):
    """One record after another into one partition, acks=all, over sockets of its own: who refuses, or is not there, is followed at
    once by the next broker, without any metadata. What it notices is the cluster's own doing."""

    def __init__(self, ports, partition):
        super().__init__(daemon=True)
        self.ports, self.partition, self.gaps, self.stopping = ports, partition, Gaps(), False
        self.sockets = {}

    def batch(self):
        builder = DefaultRecordBatchBuilder(
            magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1000)
        builder.append(0, timestamp=int(time.time() * 1000), key=None, value=b"probe", headers=[])
        return bytes(builder.build())

    def ask(self, port):
        connection = self.sockets.get(port)
        if connection is None:
            connection = self.sockets[port] = socket.create_connection(("127.0.0.1", port), 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(1)
        batch = self.batch()
        name = TOPIC.encode()
        body = struct.pack(">hhi", -1, -1, 1000) + struct.pack(">ih", 1, len(name)) + name
        body += struct.pack(">iii", 1, self.partition, len(batch)) + batch
        frame = struct.pack(">hhih", 0, 3, 1, 5) + b"probe" + body
        connection.sendall(struct.pack(">i", len(frame)) + frame)
        answer = b""
        while len(answer) < 4 or len(answer) < 4 + struct.unpack(">i", answer[:4])[0]:
            more = connection.recv(4096)
            if not more:
                raise ConnectionError
            answer += more
        at = 4 + 4 + 4 + 2 + len(name) + 4 + 4
        return struct.unpack(">h", answer[at:at + 2])[0]

    def run(self):
        port = self.ports[0]
        while not self.stopping:
            try:
                if self.ask(port) == 0:
                    self.gaps.note()
                    time.sleep(0.001)
                    continue
            except OSError:
                broken = self.sockets.pop(port, None)
                if broken:
                    broken.close()
            port = self.ports[(self.ports.index(port) + 1) % len(self.ports)]
            time.sleep(0.001)


class Client(threading.Thread):
    """A librdkafka producer, idempotent, acks=all: a few records a millisecond into one partition."""

    def __init__(self, bootstrap, partition):
        super().__init__(daemon=True)
        self.partition, self.gaps, self.stopping, self.failures = partition, Gaps(), False, []
        self.producer = Producer({
            "bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "message.timeout.ms": 60000, **CLIENT})

    def told(self, error, _):
        if error is None:
            self.gaps.note()
        else:
            self.failures.append(str(error))

    def run(self):
        while not self.stopping:
            if len(self.producer) < 50000:
                self.producer.produce(TOPIC, b"client", partition=self.partition, on_delivery=self.told)
            self.producer.poll(0.001)


class Table:
    def __init__(self):
        self.rows = []

    def add(self, words, cluster, client, limit, unit="ms"):
        """Medians of the rounds, the worst behind them; the cluster's own figure is what is judged."""
        def text(values):
            return f"{statistics.median(values):.0f} ({max(values):.0f})" if values else ""
        verdict = ("met" if statistics.median(cluster) <= limit else "NOT MET") if limit else ""
        self.rows.append((words, text(cluster), text(client), f"<= {limit}" if limit else "", verdict))
        print(f"   {words}: cluster {[round(v) for v in cluster]}, client {[round(v) for v in client]}", flush=True)

    def show(self):
        print(f"{'median (worst), ms':<58} {'cluster':>14} {'librdkafka':>14} {'bar':>8}")
        for words, cluster, client, limit, verdict in self.rows:
            print(f"{words:<58} {cluster:>14} {client:>14} {limit:>8} {verdict}")


class Measurement:
    """A cluster with both clients at work, and what is done to it."""

    def __init__(self, scene):
        self.scene, self.cluster = scene, scene.cluster
        self.probe, self.client = Probe(self.cluster.ports, 0), Client(self.cluster.bootstrap, 0)
        self.returns = []
        self.probe.start()
        self.client.start()

    def flows(self):
        seen = [len(gaps.times) for gaps in (self.probe.gaps, self.client.gaps)]
        eventually(
            lambda: all(len(gaps.times) > then + 50 for gaps, then in zip((self.probe.gaps, self.client.gaps), seen)),
            "records flow", 30)

    def gaps(self, act, beyond=0):
        """Acts, waits until both have gone on, and returns both longest gaps, less `beyond` milliseconds."""
        self.flows()
        self.scene.in_sync()
        began = time.monotonic()
        act()
        self.flows()
        ended = time.monotonic()
        return [gaps.longest(began, ended) - beyond for gaps in (self.probe.gaps, self.client.gaps)]

    def calm(self, _):
        return self.gaps(lambda: time.sleep(2))

    def leader_killed(self, _):
        victim = self.scene.leader(0)
        broker = self.cluster.brokers[victim]

        def kill():
            broker.kill()
            self.scene.others_lead(victim)

        result = self.gaps(kill, SESSION_MS)
        began = time.monotonic()
        broker.start(wait=False)
        self.scene.in_sync()
        self.returns.append(1000 * (time.monotonic() - began))
        broker.wait_ready()
        return result

    def leader_stopped(self, _):
        broker = self.cluster.brokers[self.scene.leader(0)]
        result = self.gaps(broker.stop)
        broker.start()
        return result

    def follower_killed(self, _):
        broker = self.cluster.brokers[(self.scene.leader(0) + 1) % BROKERS]

        def kill():
            broker.kill()
            eventually(lambda: all(len(state["isr"]) == 2 for state in self.scene.states() or [{"isr": []}]), "it is out of sync")

        result = self.gaps(kill, SESSION_MS)
        broker.start()
        return result

    def coordinator_restarted(self, _):
        coordinator, _ = self.scene.leading_coordinator()

        def again():
            coordinator.kill()
            coordinator.start()

        return self.gaps(again)

    def coordinator_away(self, _):
        coordinator, _ = self.scene.leading_coordinator()

        def away():
            coordinator.kill()
            time.sleep(SESSION_MS / 1000 + 1)

        self.flows()
        result = self.gaps(away)
        coordinator.start()
        return result


PARTS = {
    "calm": ("nothing happens", Measurement.calm, None),
    "kill": ("kill -9 of the leader, beyond the session timeout", Measurement.leader_killed, 300),
    "stop": ("clean stop of the leader", Measurement.leader_stopped, 100),
    "follower": ("kill -9 of a follower, beyond the session timeout", Measurement.follower_killed, 300),
    "restart": ("the coordinator is killed and restarted", Measurement.coordinator_restarted, 1000),
    "away": ("the coordinator stays away, longer than a session", Measurement.coordinator_away, 1000),
}


def main():
    failover.SESSION_MS = SESSION_MS
    table = Table()
    # Kafka's style of lines has milliseconds.
    harness.ENVIRONMENT["LETTERBOX_LOG_STYLE"] = "classic"
    with Scene(COORDINATOR, loads=False) as scene:
        print(f"three brokers on {COORDINATOR}, sessions of {SESSION_MS} ms, {PARTITIONS} partitions x 3 replicas, {ROUNDS} rounds")
        measurement = Measurement(scene)
        for part in os.environ.get("PARTS_OF_FAILOVER", " ".join(PARTS)).split():
            words, act, limit = PARTS[part]
            table.add(words, *map(list, zip(*(act(measurement, round) for round in range(ROUNDS)))), limit)
            if part == "kill":
                table.add("  its return: from its start to every in-sync set", measurement.returns, [], 2000)
        measurement.probe.stopping = measurement.client.stopping = True
        measurement.probe.join(10)
        measurement.client.join(10)
        if measurement.client.failures:
            print(f"NOT DELIVERED: {len(measurement.client.failures)}, first {measurement.client.failures[0]}")
    table.show()


logging.disable(logging.WARNING)
main()
