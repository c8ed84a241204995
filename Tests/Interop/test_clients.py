"""kafka-python, confluent-kafka and aiokafka do what their users do."""

import asyncio
import time

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic as AioNewTopic
from aiokafka.structs import TopicPartition as AioTopicPartition
from confluent_kafka import Consumer, Producer, TopicPartition as ConfluentPartition
from confluent_kafka.admin import AdminClient, NewTopic as ConfluentNewTopic
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError


def read_all(consumer, expected, seconds=20):
    """What a kafka-python consumer gets until it has `expected` records."""
    records = []
    deadline = time.monotonic() + seconds
    while len(records) < expected and time.monotonic() < deadline:
        for batch in consumer.poll(timeout_ms=500).values():
            records.extend(batch)
    return records


def test_kafka_python_admin_producer_consumer(cluster):
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    admin.create_topics([NewTopic(name="python", num_partitions=3, replication_factor=1)])
    with pytest.raises(TopicAlreadyExistsError):
        admin.create_topics([NewTopic(name="python", num_partitions=3, replication_factor=1)])
    assert "python" in admin.list_topics()

    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap, acks="all")
    sent = [
        producer.send("python", key=b"k%d" % n, value=b"v%d" % n, partition=n % 3, timestamp_ms=1_700_000_000_000 + n,
                      headers=[("n", b"%d" % n), ("empty", b"")]).get(20)
        for n in range(30)]
    assert {(meta.partition, meta.offset) for meta in sent} == {(p, o) for p in range(3) for o in range(10)}
    producer.close()

    consumer = KafkaConsumer("python", bootstrap_servers=cluster.bootstrap, group_id="pythons", auto_offset_reset="earliest")
    records = read_all(consumer, 30)
    assert len(records) == 30
    for record in records:
        n = int(record.value[1:])
        assert (record.key, record.partition, record.timestamp) == (b"k%d" % n, n % 3, 1_700_000_000_000 + n)
        assert list(record.headers) == [("n", b"%d" % n), ("empty", b"")]
    consumer.commit()
    consumer.close()
    admin.delete_topics(["python"])
    admin.close()


def test_seek_by_offset_and_timestamp(cluster):
    cluster.create_topic("seek")
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap, acks="all", linger_ms=0)
    for n in range(100):
        producer.send("seek", value=b"%d" % n, timestamp_ms=1_700_000_000_000 + 1000 * n)
        if n % 10 == 9:
            producer.flush()
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=cluster.bootstrap)
    partition = TopicPartition("seek", 0)
    consumer.assign([partition])
    consumer.seek(partition, 42)
    assert read_all(consumer, 1)[0].value == b"42"
    found = consumer.offsets_for_times({partition: 1_700_000_000_000 + 57_500})
    assert found[partition].offset == 58 and found[partition].timestamp == 1_700_000_000_000 + 58_000
    consumer.seek(partition, found[partition].offset)
    assert read_all(consumer, 1)[0].value == b"58"
    assert consumer.offsets_for_times({partition: 1_800_000_000_000})[partition] is None
    assert consumer.beginning_offsets([partition]) == {partition: 0}
    assert consumer.end_offsets([partition]) == {partition: 100}
    consumer.close()


@pytest.mark.parametrize("idempotent", [False, True])
@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_confluent(cluster, idempotent, codec):
    topic = f"confluent-{codec}-{idempotent}"
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    for future in admin.create_topics([ConfluentNewTopic(topic, 2, 1)]).values():
        future.result(20)
    failures = []
    producer = Producer({
        "bootstrap.servers": cluster.bootstrap, "enable.idempotence": idempotent, "compression.type": codec, "acks": "all",
        "linger.ms": 5})
    for n in range(2000):
        producer.produce(topic, key=b"k%d" % (n % 7), value=b"value %d" % n, headers={"n": b"%d" % n},
                         timestamp=1_700_000_000_000 + n, on_delivery=lambda error, _: error and failures.append(error))
    assert producer.flush(30) == 0 and not failures

    consumer = Consumer({
        "bootstrap.servers": cluster.bootstrap, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    seen = {}
    deadline = time.monotonic() + 30
    while len(seen) < 2000 and time.monotonic() < deadline:
        for message in consumer.consume(500, 1.0):
            assert message.error() is None
            n = int(message.value().split()[1])
            assert message.headers() == [("n", b"%d" % n)] and message.timestamp()[1] == 1_700_000_000_000 + n
            assert n not in seen
            seen[n] = message.key()
    assert len(seen) == 2000 and all(key == b"k%d" % (n % 7) for n, key in seen.items())
    consumer.commit(asynchronous=False)
    committed = consumer.committed([ConfluentPartition(topic, 0), ConfluentPartition(topic, 1)], timeout=10)
    assert sum(partition.offset for partition in committed) == 2000
    consumer.close()


def test_aiokafka(cluster):
    async def scenario():
        admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
        await admin.start()
        await admin.create_topics([AioNewTopic("aio", 3, 1)])
        producer = AIOKafkaProducer(bootstrap_servers=cluster.bootstrap, enable_idempotence=True)
        await producer.start()
        for n in range(300):
            await producer.send("aio", b"%d" % n, key=b"k%d" % n)
        await producer.flush()
        await producer.stop()
        consumer = AIOKafkaConsumer(
            "aio", bootstrap_servers=cluster.bootstrap, group_id="aios", auto_offset_reset="earliest")
        await consumer.start()
        values = set()
        while len(values) < 300:
            for records in (await asyncio.wait_for(consumer.getmany(timeout_ms=1000), 20)).values():
                values.update(int(record.value) for record in records)
        assert values == set(range(300))
        await consumer.commit()
        assert len(consumer.assignment()) == 3
        await consumer.seek_to_beginning(AioTopicPartition("aio", 0))
        first = await asyncio.wait_for(consumer.getone(AioTopicPartition("aio", 0)), 10)
        assert first.offset == 0
        await consumer.stop()
        await admin.close()

    asyncio.run(scenario())


def test_two_groups_each_receive_everything(cluster):
    cluster.create_topic("broadcast", 3)
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap)
    for n in range(60):
        producer.send("broadcast", value=b"%d" % n)
    producer.close()
    for group in ("fraud", "analytics"):
        consumer = KafkaConsumer(
            "broadcast", bootstrap_servers=cluster.bootstrap, group_id=group, auto_offset_reset="earliest")
        assert {int(record.value) for record in read_all(consumer, 60)} == set(range(60))
        consumer.close()


def test_auto_creation_by_first_use(cluster):
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap)
    assert producer.send("appeared", b"x").get(20).offset == 0
    producer.close()


def test_deleted_topics_are_gone(cluster):
    cluster.create_topic("short-lived")
    KafkaProducer(bootstrap_servers=cluster.bootstrap).send("short-lived", b"x").get(20)
    done = cluster.topics("--delete", "--topic", "short-lived")
    assert (done.returncode, done.stdout) == (0, "")
    assert "short-lived" not in cluster.topics("--list", check=0).stdout.splitlines()
    cluster.create_topic("short-lived")
    done = cluster.tool("kafka-get-offsets", "--bootstrap-server", cluster.bootstrap, "--topic", "short-lived", check=0)
    assert done.stdout == "short-lived:0:0\n"
