"""A cluster under a load without pause, and what must hold whenever the load rests: acknowledged = found, once, in order, on
every replica in the same bytes."""

import hashlib
import json
import os
import random
import signal
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

from harness import Cluster, eventually, mode
from test_replica_verification import verified

SESSION_MS = int(os.environ.get("LETTERBOX_FAILOVER_SESSION_MS", "1500"))
TOPIC = "letters"
PARTITIONS = 6
BROKERS = 3
# What lets a client notice within a fraction of a second. librdkafka would otherwise wait up to 60 s for a stopped broker's
# answer, and up to 10 s before it connects again to one that was killed.
QUICK = {
    "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "topic.metadata.refresh.interval.ms": 500,
    "topic.metadata.refresh.fast.interval.ms": 50, "socket.timeout.ms": 2000, "log_level": 0}


def passes(error):
    """It says who leads, or who can be reached, at the moment."""
    return error.name() in (
        "NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE", "_TRANSPORT", "_ALL_BROKERS_DOWN", "_TIMED_OUT", "_TIMED_OUT_QUEUE")


class Load(threading.Thread):
    """Produces numbered records of various sizes, without pause unless told to rest, and keeps every receipt."""

    def __init__(self, bootstrap):
        super().__init__(daemon=True)
        self.resting, self.rests, self.stopping, self.failures = False, threading.Event(), False, []
        # Of each partition: values in the order sent, and the offset that was acknowledged for each value.
        self.sent = [[] for _ in range(PARTITIONS)]
        self.receipts = [{} for _ in range(PARTITIONS)]
        self.producer = Producer({
            "bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "linger.ms": 1, "retry.backoff.ms": 50,
            "message.timeout.ms": 120000, **QUICK})

    def delivered(self, error, message):
        if error is None:
            self.receipts[message.partition()][int(message.key())] = message.offset()
        else:
            self.failures.append(str(error))

    def run(self):
        chance = random.Random(1)
        number = 0
        while not self.stopping:
            if self.resting:
                if self.producer.flush(0.1) == 0:
                    self.rests.set()
                    time.sleep(0.002)
                continue
            self.rests.clear()
            for _ in range(25):
                partition = number % PARTITIONS
                try:
                    self.producer.produce(
                        TOPIC, b"." * chance.randrange(300), key=b"%d" % number, partition=partition,
                        on_delivery=self.delivered)
                except BufferError:
                    self.producer.poll(0.05)
                    break
                self.sent[partition].append(number)
                number += 1
            self.producer.poll(0.003)
        self.producer.flush(60)

    def rest(self):
        """Every record sent has been answered; none is sent any more."""
        self.rests.clear()
        self.resting = True
        eventually(self.rests.is_set, "every record is acknowledged", 60)
        assert self.failures == []

    def go_on(self):
        self.resting = False

    @property
    def acknowledged(self):
        return [len(receipts) for receipts in self.receipts]


class Reader(threading.Thread):
    """Reads along, all the time: whatever a consumer was shown at an offset must be there for ever."""

    def __init__(self, bootstrap):
        super().__init__(daemon=True)
        self.seen = [[] for _ in range(PARTITIONS)]
        self.stopping, self.wrong = False, []
        self.consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False, "auto.offset.reset": "error",
            "fetch.wait.max.ms": 50, "fetch.error.backoff.ms": 20, **QUICK})
        self.consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in range(PARTITIONS)])

    def run(self):
        while not self.stopping:
            for message in self.consumer.consume(1000, 0.05):
                if message.error():
                    if not passes(message.error()):
                        self.wrong.append(str(message.error()))
                    continue
                seen = self.seen[message.partition()]
                if message.offset() != len(seen):
                    self.wrong.append(f"{message.partition()}: offset {message.offset()} behind {len(seen) - 1}")
                seen.append(int(message.key()))
        self.consumer.close()


class Scene:
    """Three brokers on a coordinator of some kind, the load, and the words in which the rounds are told."""

    def __init__(self, coordinator, loads=True):
        self.kind, self.loads = coordinator, loads
        self.cluster = Cluster(
            brokers=BROKERS, coordinator=coordinator, tick_time=max(50, SESSION_MS // 20),
            **{"zookeeper.session.timeout.ms": SESSION_MS, "auto.create.topics.enable": "false"})
        # Up to which offsets everything was found right, and at what time (ms).
        self.checked, self.checked_at = [0] * PARTITIONS, -2
        self.broken = False

    def __enter__(self):
        cluster = self.cluster.__enter__()
        try:
            cluster.topics(
                "--create", "--topic", TOPIC, "--partitions", PARTITIONS, "--replication-factor", BROKERS, "--config",
                "min.insync.replicas=2", "--config", "segment.bytes=1000000", check=0)
            self.tree = KazooClient(
                hosts=cluster.zookeeper, timeout=SESSION_MS / 1000,
                connection_retry={"max_tries": -1, "delay": 0.02, "max_delay": 0.2},
                command_retry={"max_tries": -1, "delay": 0.02, "max_delay": 0.2})
            self.tree.start(30)
            if self.loads:
                self.load, self.reader = Load(cluster.bootstrap), Reader(cluster.bootstrap)
                self.load.start()
                self.reader.start()
                self.flows("at the beginning")
        except BaseException as error:
            self.__exit__(type(error))
            raise
        return self

    def __exit__(self, kind, *_):
        for thread in (getattr(self, name, None) for name in ("load", "reader")):
            if thread is not None:
                thread.stopping = True
        if kind is None and self.loads:
            self.load.join(60)
            self.reader.join(60)
        if hasattr(self, "tree"):
            self.tree.stop()
            self.tree.close()
        self.cluster.__exit__(kind)

    def play(self, kind, rounds):
        """So many rounds of one kind, each judged; then every replica is read from its beginning."""
        self.broken = True
        for round in range(rounds):
            KINDS[kind](self, round)
            self.check()
        # From the beginning takes its time, in which followers of a busy leader are always some records behind.
        self.load.rest()
        verified(self.cluster, TOPIC, seconds=120)
        self.load.go_on()
        self.broken = False

    # What the tree says.

    def node(self, path):
        try:
            return json.loads(self.tree.get(path)[0])
        except (KazooException, self.tree.handler.timeout_exception):
            return None

    def states(self):
        found = [self.node(f"/brokers/topics/{TOPIC}/partitions/{partition}/state") for partition in range(PARTITIONS)]
        return found if all(found) else None

    def leader(self, partition):
        return eventually(lambda: self.node(f"/brokers/topics/{TOPIC}/partitions/{partition}/state"), "a state")["leader"]

    def controller(self):
        return eventually(lambda: self.node("/controller"), "a controller")["brokerid"]

    def others_lead(self, broker):
        """The cluster has given all that `broker` led to others."""
        def condition():
            states = self.states()
            return states and all(state["leader"] not in (-1, broker) for state in states)
        eventually(condition, f"all that broker {broker} led is led by others", 30)

    def in_sync(self):
        """Every broker is registered, and in sync wherever it has a replica."""
        def condition():
            states = self.states()
            if not states or not all(self.node(f"/brokers/ids/{number}") for number in range(BROKERS)):
                return False
            return all(sorted(state["isr"]) == list(range(BROKERS)) and state["leader"] != -1 for state in states)
        eventually(condition, lambda: f"every replica is in sync: {self.states()}", 60)

    def leading_coordinator(self):
        """The only one, or the ensemble's leader; and its port."""
        servers = list(zip(self.cluster.coordinators, self.cluster.client_ports))
        return eventually(
            lambda: next((pair for pair in servers if mode(pair[1]) in ("leader", "standalone")), None), "a coordinator leads")

    # What the clients notice.

    def flows(self, when, records=60):
        """From here on, so many records more are acknowledged in each partition, and read."""
        before = self.load.acknowledged
        eventually(
            lambda: all(now >= then + records for now, then in zip(self.load.acknowledged, before)),
            lambda: f"acknowledgements go on {when}: {before}, now {self.load.acknowledged}; {self.load.failures[:1]}", 60)
        target = self.load.acknowledged
        eventually(
            lambda: all(len(seen) >= there for seen, there in zip(self.reader.seen, target)),
            lambda: f"consuming goes on {when}: {target}, now {[len(seen) for seen in self.reader.seen]}; {self.reader.wrong[:1]}",
            60)

    # What is done to it.

    def kill_leader(self, round):
        victim = self.leader(round % PARTITIONS)
        self.cluster.brokers[victim].kill()
        if round % 3 != 1:
            self.others_lead(victim)
            self.flows("without the killed leader")
        # In other rounds it is back before anybody's session has ended.
        self.cluster.brokers[victim].start()

    def kill_controller(self, round):
        victim = self.controller()
        self.cluster.brokers[victim].kill()
        if round % 3 != 1:
            eventually(lambda: (self.node("/controller") or {"brokerid": victim})["brokerid"] != victim, "another controller")
            self.others_lead(victim)
            self.flows("without the killed controller")
        self.cluster.brokers[victim].start()

    def kill_coordinator(self, round):
        """With an ensemble: its leader, so that the others elect one."""
        leading, _ = self.leading_coordinator()
        leading.kill()
        # Brokers serve on without it, also for longer than a session lasts.
        self.flows("without the coordinator", 60 if round % 2 == 0 else 1000)
        # Java, and an election that it may have to wait for, take their time on a busy machine.
        leading.start(wait=False).wait_ready(120)

    def kill_all(self, round):
        for broker in self.cluster.brokers:
            broker.process.kill()
        for broker in self.cluster.brokers:
            broker.kill()
        order = list(self.cluster.brokers)
        random.Random(round).shuffle(order)
        for broker in order:
            broker.start(wait=False)
        for broker in order:
            broker.wait_ready()

    def pause_leader(self, round):
        """Longer than its session: a zombie that wakes with requests in its hands."""
        victim = self.leader(round % PARTITIONS)
        process = self.cluster.brokers[victim].process
        process.send_signal(signal.SIGSTOP)
        self.others_lead(victim)
        self.flows("without the paused leader")
        process.send_signal(signal.SIGCONT)

    def roll(self, round):
        for broker in self.cluster.brokers:
            # Only who is not needed may go.
            self.in_sync()
            assert broker.stop() == 0, broker.output()[-2000:]
            self.flows("beside a broker that was stopped", 10)
            broker.start()

    # What must hold.

    def check(self):
        """All that was acknowledged since the last check is found where it was promised, and nothing else."""
        self.flows("after it")
        self.in_sync()
        self.load.rest()
        counts = [len(sent) for sent in self.load.sent]
        assert self.load.acknowledged == counts
        for partition, (sent, receipts) in enumerate(zip(self.load.sent, self.load.receipts)):
            found = self.read_back(partition, self.checked[partition], counts[partition])
            # Order, no gap, no duplicate: an offset for each record, in the order in which they were sent.
            assert found == sent[self.checked[partition]:], f"partition {partition}, from {self.checked[partition]}"
            # librdkafka takes the answer to a later batch for an earlier one's too, whose own was lost: it knows no offset then.
            moved = [
                (number, receipts[number], offset) for offset, number in enumerate(sent) if receipts[number] not in (offset, None)]
            assert not moved, f"partition {partition}: acknowledged at another offset (value, promised, found): {moved[:3]}"
        eventually(
            lambda: [len(seen) for seen in self.reader.seen] == counts, lambda: f"the reader has seen all: {self.reader.wrong}")
        assert self.reader.wrong == []
        assert self.reader.seen == self.load.sent, "a consumer was shown something else"
        # Everything is acknowledged, so the high watermark is the end.
        for partition in range(PARTITIONS):
            eventually(
                lambda: len({self.digest(broker, partition) for broker in range(BROKERS)}) == 1,
                lambda: f"the replicas of partition {partition} are the same bytes: "
                f"{[self.digest(broker, partition) for broker in range(BROKERS)]}")
        verified(self.cluster, TOPIC, since=self.checked_at)
        self.checked, self.checked_at = counts, int(time.time() * 1000)
        self.load.go_on()

    def read_back(self, partition, first, end):
        consumer = Consumer({
            "bootstrap.servers": self.cluster.bootstrap, "group.id": "check", "enable.auto.commit": False,
            "auto.offset.reset": "error", "fetch.wait.max.ms": 50, **QUICK})
        place = TopicPartition(TOPIC, partition, first)
        consumer.assign([place])
        found = []

        def read():
            for message in consumer.consume(10000, 0.2):
                assert message.error() is None or passes(message.error()), message.error()
                if message.error() is None:
                    assert message.offset() == first + len(found), "offsets have no gaps"
                    found.append(int(message.key()))
            return len(found) >= end - first

        if end > first:
            eventually(read, lambda: f"partition {partition} is read from {first} to {end}: {len(found)}", 30)
        def watermarks():
            try:
                return consumer.get_watermark_offsets(place, timeout=10)
            except KafkaException as error:
                # Leaderships go back to the preferred brokers at a time of their own.
                assert passes(error.args[0]), error
                return None

        high = eventually(watermarks, "the high watermark is told")[1]
        consumer.close()
        assert high == end, f"partition {partition}: the high watermark is {high}, {end} were acknowledged"
        return found

    def digest(self, broker, partition):
        digest, size = hashlib.sha256(), 0
        for segment in sorted(self.cluster.log_directory(TOPIC, partition, broker).glob("*.log")):
            data = segment.read_bytes()
            digest.update(data)
            size += len(data)
        return size, digest.hexdigest()


KINDS = {
    "leader": Scene.kill_leader, "controller": Scene.kill_controller, "coordinator": Scene.kill_coordinator,
    "all brokers": Scene.kill_all, "zombie": Scene.pause_leader, "rolling restart": Scene.roll}
