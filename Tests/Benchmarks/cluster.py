"""1,000 topics x 3 partitions x 3 replicas on three brokers: made, idle, failed over, stopped and started, deleted.

Called by scripts/benchmark.sh cluster; prints a table of figures beside their bars. Times are wall seconds; the CPU seconds beside
them are those of the coordinator and of all brokers together, and say more on a machine that does other things too.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Interop"))

from confluent_kafka import Producer  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

from harness import Cluster, eventually  # noqa: E402

TOPICS = int(os.environ.get("TOPICS", "1000"))
IDLE_SECONDS = float(os.environ.get("IDLE_SECONDS", "10"))
SESSION = 6.0
HERTZ = os.sysconf("SC_CLK_TCK")
TABLE = []


def bar(words, value, limit=None, cpu=None, unit="s"):
    verdict = "" if limit is None else f"<= {limit:g} {'met' if value <= limit else 'NOT MET'}"
    line = f"{words:<66} {value:>9.2f} {unit:<4} {'' if cpu is None else f'{cpu:.2f} s CPU':>14}  {verdict}"
    TABLE.append(line)
    print(line, flush=True)


def cpu(process):
    """CPU seconds a process has used; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{process.process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / HERTZ


def resident(process):
    for line in Path(f"/proc/{process.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def descriptors(process):
    return len(os.listdir(f"/proc/{process.process.pid}/fd"))


class Watch:
    """Wall and CPU time since it was made."""

    def __init__(self, cluster):
        self.processes = [cluster.coordinator, *cluster.brokers]
        self.before = sum(map(cpu, self.processes))
        self.began = time.monotonic()

    def read(self):
        return time.monotonic() - self.began, sum(map(cpu, self.processes)) - self.before


class Eyes:
    """The cluster as clients see it through one broker."""

    def __init__(self, cluster, broker):
        self.admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{cluster.ports[broker]}", "socket.timeout.ms": 10000})

    def partitions(self):
        try:
            found = self.admin.list_topics(timeout=10)
        except Exception:
            return []
        return [(name, p) for name, topic in found.topics.items() for p in topic.partitions.values()]


def all_led(partitions, count, without=None):
    return len(partitions) >= count and all(p.leader >= 0 and p.leader != without for _, p in partitions)


def all_in_sync(partitions, count):
    return len(partitions) >= count and all(p.leader >= 0 and len(p.isrs) == 3 for _, p in partitions)


def create(cluster, names, batch):
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    for start in range(0, len(names), batch):
        topics = [NewTopic(name, 3, 3, config={"min.insync.replicas": "2"}) for name in names[start:start + batch]]
        for future in admin.create_topics(topics, operation_timeout=60, request_timeout=60).values():
            future.result()


def delete(cluster, names):
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    for future in admin.delete_topics(names, operation_timeout=60, request_timeout=60).values():
        future.result()


def listed(cluster, path):
    return cluster.tool("zookeeper-shell", cluster.zookeeper, "ls", path, check=0).stdout.rstrip("\n").split("\n")[-1]


def produce_everywhere(cluster, partitions):
    """One record, acks=all, to every partition."""
    failures = []
    producer = Producer({
        "bootstrap.servers": cluster.bootstrap, "acks": "all", "linger.ms": 0, "message.timeout.ms": 60000,
        "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100, "retry.backoff.ms": 20})
    for name, partition in partitions:
        producer.produce(
            name, b"a record", partition=partition.id, on_delivery=lambda error, _: failures.append(error) if error else None)
    left = producer.flush(60)
    assert not left and not failures, f"{left} unanswered, {failures[:3]}"


def wait_in_sync(cluster, broker, count, seconds=120):
    eyes = Eyes(cluster, broker)
    eventually(lambda: all_in_sync(eyes.partitions(), count), "all are in sync", seconds)


def fail_over(cluster, number, words, count):
    """Kills a broker; measures until the others lead all it led and take records for it."""
    survivor = (number + 1) % 3
    eyes = Eyes(cluster, survivor)
    led = sum(p.leader == number for _, p in eyes.partitions())
    watch = Watch(cluster)
    gone = cpu(cluster.brokers[number])
    cluster.brokers[number].kill()
    eventually(lambda: all_led(eyes.partitions(), count, without=number), "others lead", 60)
    seen, used = watch.read()
    produce_everywhere(cluster, eyes.partitions())
    wrote, _ = watch.read()
    bar(f"{words} that led {led} killed: others lead, beyond the session", seen - SESSION, 2.0, used + gone)
    bar("  and a record was acknowledged by every partition", wrote - SESSION, 2.0)
    watch = Watch(cluster)
    cluster.brokers[number].start()
    started, _ = watch.read()
    wait_in_sync(cluster, survivor, count)
    back, used = watch.read()
    bar("  started again: serves", started, 5.0)
    bar("  back in every in-sync set", back, 10.0, used)


def main():
    names = [f"scale-{number:04d}" for number in range(TOPICS)]
    count = 3 * TOPICS
    settings = {"zookeeper.session.timeout.ms": int(SESSION * 1000), "default.replication.factor": 3}
    with Cluster(brokers=3, **settings) as cluster:
        rested = [resident(broker) for broker in cluster.brokers]
        watch = Watch(cluster)
        create(cluster, names, len(names))
        bar(f"{TOPICS} topics x 3 x 3 in one CreateTopics", watch.read()[0], 20.0, watch.read()[1])
        for broker in range(3):
            wait_in_sync(cluster, broker, count)
        took, used = watch.read()
        bar("  every broker tells of all leaders, all in sync", took, 20.0, used)
        watch = Watch(cluster)
        delete(cluster, names)
        for broker in range(3):
            eyes = Eyes(cluster, broker)
            eventually(lambda: not eyes.partitions(), "all are deleted", 120)
        eventually(lambda: listed(cluster, "/admin/delete_topics") == "[]", "nothing is left to delete", 120)
        bar(f"{TOPICS} topics deleted", watch.read()[0], 20.0, watch.read()[1])

        watch = Watch(cluster)
        create(cluster, names, 50)
        bar(f"{TOPICS} topics x 3 x 3 in CreateTopics of 50", watch.read()[0], 20.0, watch.read()[1])
        wait_in_sync(cluster, 0, count)
        watch = Watch(cluster)
        for number in range(10):
            cluster.topics("--create", "--topic", f"single-{number}", "--partitions", 3, "--replication-factor", 3, check=0)
        bar("kafka-topics.sh --create beside them, each", watch.read()[0] / 10, 0.2, watch.read()[1] / 10)
        count += 30

        watch = Watch(cluster)
        produce_everywhere(cluster, Eyes(cluster, 0).partitions())
        bar("a record to every partition, acks=all", watch.read()[0], None, watch.read()[1])

        def idle(words):
            before = [cpu(process) for process in [cluster.coordinator, *cluster.brokers]]
            began = time.monotonic()
            time.sleep(IDLE_SECONDS)
            took = time.monotonic() - began
            used = [100 * (cpu(process) - b) / took for process, b in zip([cluster.coordinator, *cluster.brokers], before)]
            bar(f"{words}: the busiest idle broker, CPU", max(used[1:]), 2.0, unit="%")
            bar("  the coordinator, CPU", used[0], 2.0, unit="%")

        idle("after creation")
        for number, broker in enumerate(cluster.brokers):
            bar(f"  broker {number}, resident (empty: {rested[number]:.0f})", resident(broker), unit="MB")
            bar(f"  broker {number}, open descriptors", descriptors(broker), unit="")

        controller = json.loads(cluster.znode("/controller"))["brokerid"]
        other = (controller + 1) % 3
        fail_over(cluster, other, "a broker", count)
        prefer(cluster)
        fail_over(cluster, controller, "the controller", count)
        prefer(cluster)

        stopped = cluster.brokers[other]
        watch = Watch(cluster)
        gone = cpu(stopped)
        assert stopped.stop(60) == 0
        took, used = watch.read()
        bar(f"a broker with {count} replicas stopped (SIGTERM)", took, 10.0, used + gone)
        watch = Watch(cluster)
        stopped.start()
        bar("  started again: serves", watch.read()[0], 5.0)
        wait_in_sync(cluster, (other + 1) % 3, count)
        bar("  back in every in-sync set", watch.read()[0], 10.0, watch.read()[1])
        idle("after all of that")


def prefer(cluster):
    """Leaders back to the first of their replicas."""
    watch = Watch(cluster)
    cluster.tool(
        "kafka-leader-election", "--bootstrap-server", cluster.bootstrap, "--election-type", "preferred",
        "--all-topic-partitions", check=0)
    bar("  preferred leaders elected again", watch.read()[0], 5.0, watch.read()[1])


if __name__ == "__main__":
    main()
