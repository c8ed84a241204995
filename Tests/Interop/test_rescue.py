"""One side's data is lost: the tree is rebuilt from the brokers' disks, and groups' offsets come from Apache Kafka's."""

import shutil
import subprocess

import confluent_kafka as ck

from harness import BINARY, ENVIRONMENT, ROOT, Cluster, eventually, free_port

GOLDEN = ROOT / "Tests/CommitLogTests/Golden"


def letterbox(*words, status=0):
    done = subprocess.run([BINARY, *map(str, words)], capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
    assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def everything(cluster, topic, partitions, **settings):
    """The values of a topic by partition, as a client reads them."""
    reader = ck.Consumer({
        "bootstrap.servers": cluster.bootstrap, "group.id": "all", "enable.auto.commit": False, "enable.partition.eof": True,
        "isolation.level": "read_uncommitted", **settings})
    reader.assign([ck.TopicPartition(topic, number, ck.OFFSET_BEGINNING) for number in range(partitions)])
    found, ended = {number: [] for number in range(partitions)}, set()

    def read():
        message = reader.poll(0.1)
        if message is None:
            return False
        if message.error():
            assert message.error().code() == ck.KafkaError._PARTITION_EOF, message.error()
            ended.add(message.partition())
        else:
            found[message.partition()].append(message.value())
        return len(ended) == partitions

    eventually(read, f"{topic} is read to its end", 30)
    reader.close()
    return found


def test_a_lost_tree_is_rebuilt_from_the_brokers_disks():
    with Cluster(brokers=3) as cluster:
        cluster.topics("--create", "--topic", "letters", "--partitions", 3, "--replication-factor", 3, check=0)
        producer = ck.Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all", "enable.idempotence": True})
        delivered = {0: [], 1: [], 2: []}

        def done(error, message):
            assert error is None, error
            delivered[message.partition()].append(message.value())

        def write(count):
            for number in range(count):
                producer.produce("letters", b"letter %d" % number, partition=number % 3, on_delivery=done)
                producer.poll(0)
            assert producer.flush(30) == 0

        write(300)
        # One disk is behind the others.
        cluster.brokers[2].kill()
        write(300)
        described = cluster.topics("--describe", "--topic", "letters").stdout
        identity = cluster.znode("/cluster/id")
        for process in [*cluster.brokers, cluster.coordinator]:
            process.kill()
        directories = [cluster.directory / f"broker-{number}" for number in range(3)]
        shutil.rmtree(cluster.directory / "zookeeper")
        cluster.coordinator.start()
        cluster.brokers[0].start(wait=False)
        eventually(lambda: not cluster.brokers[0].alive, "the broker refuses a stranger's tree")
        assert "LB-1010" in cluster.brokers[0].output() and "letterbox rescue" in cluster.brokers[0].output()

        place = ("--zookeeper", cluster.zookeeper)
        told = letterbox("rescue", "--from-log-dirs", *directories, *place)
        assert "Nothing was changed" in told and "topic letters" in told and told.count("in sync 0,1  next offset 200") == 3
        assert cluster.tool("zookeeper-shell", cluster.zookeeper, "get", "/brokers/topics/letters").returncode != 0
        told = letterbox("rescue", "--from-log-dirs", ",".join(map(str, directories)), *place, "--execute")
        assert "The tree is written" in told
        # A second time, everything is there.
        assert "is in the tree already" in letterbox("rescue", "--from-log-dirs", *directories, *place, "--execute")

        assert cluster.znode("/cluster/id") == identity
        for broker in cluster.brokers:
            broker.start(wait=False)
        for broker in cluster.brokers:
            broker.wait_ready()
        write(300)
        assert everything(cluster, "letters", 3) == delivered
        eventually(
            lambda: all(
                len(line.split("Isr: ")[1].split("\t")[0].split(",")) == 3
                for line in cluster.topics("--describe", "--topic", "letters").stdout.splitlines()[1:]),
            "all copies are in sync again")
        again = cluster.topics("--describe", "--topic", "letters").stdout

        def topic_id(text):
            return text.split("TopicId: ")[1].split()[0]

        assert topic_id(again) == topic_id(described)
        assert "retention.ms=-1" in again, "nothing is deleted until somebody says so"
        # While a broker is there, nobody rebuilds under it.
        assert "is registered" in letterbox("rescue", "--from-log-dirs", *directories, *place, "--execute", status=1)


def test_a_directory_of_apache_kafka_is_served_and_its_groups_go_on():
    with Cluster(brokers=0) as cluster:
        directory = cluster.directory / "broker-9"
        shutil.copytree(GOLDEN / "log-dir", directory)
        for internal in (GOLDEN / "internal").iterdir():
            shutil.copytree(internal, directory / internal.name)
        told = letterbox("rescue", "--from-log-dirs", directory, "--zookeeper", cluster.zookeeper, "--execute", status=1)
        assert "__consumer_offsets" in told and "The tree is written" in told
        cluster.ports = [free_port()] * 10
        broker = cluster._broker(9)
        broker.start(wait=False)
        eventually(lambda: not broker.alive, "the broker tells of Apache's internal topics")
        assert "LB-1018" in broker.output() and "letterbox import --groups" in broker.output()
        broker.command.append("--ignore-internal-topics")
        cluster.brokers = [broker]
        cluster.ports = cluster.ports[:1]
        broker.start()
        for topic, count in [
                ("g-none", 57), ("g-gzip", 57), ("g-snappy", 57), ("g-lz4", 57), ("g-zstd", 57), ("g-idemp", 60), ("g-roll", 480),
                ("g-logappend", 10)]:
            assert len(everything(cluster, topic, 1)[0]) == count, topic
        # Of three transactions one was committed, one aborted, one left open.
        committed = everything(cluster, "g-txn", 1, **{"isolation.level": "read_committed"})[0]
        assert committed and len(committed) < len(everything(cluster, "g-txn", 1)[0])

        words = ("import", "--groups", directory, "--bootstrap-server", cluster.bootstrap)
        told = letterbox(*words)
        assert "g-none-0  offset 57" in told and "g-idemp-0  offset 60" in told and "Nothing was changed" in told
        assert cluster.tool("kafka-consumer-groups", "--bootstrap-server", cluster.bootstrap, "--list").stdout.split() == []
        letterbox(*words, "--execute")
        assert cluster.znode("/consumers/grp-a/offsets/g-none/0") == "57"
        assert cluster.znode("/consumers/grp-static/offsets/g-idemp/0") == "60"
        assert cluster.znode("/consumers/gtxn/offsets/g-txn/0") == "3", "what a committed transaction committed"
        assert "is committed already" in letterbox(*words, "--execute")
