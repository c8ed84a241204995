"""A consumer reads from the replica of its rack (KIP-392), and from the leader when that replica is gone."""

import json

from confluent_kafka import Consumer, Producer, TopicPartition

from harness import Cluster, eventually

RACKS = {
    "broker.rack": "rack-{number}",
    "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector",
    "replica.lag.time.max.ms": "3000",
}


def test_a_consumer_reads_in_its_rack():
    with Cluster(brokers=2, **RACKS) as cluster:
        cluster.topics("--create", "--topic", "t", "--replica-assignment", "0:1", check=0)
        producer = Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all"})
        for n in range(1000):
            producer.produce("t", b"%d" % n)
        producer.flush(20)
        reads_from = []

        def statistics(text):
            partitions = json.loads(text)["topics"].get("t", {}).get("partitions", {})
            if "0" in partitions:
                reads_from.append(partitions["0"]["broker"])

        consumer = Consumer({
            "bootstrap.servers": cluster.bootstrap, "group.id": "near", "client.rack": "rack-1",
            "enable.auto.commit": False, "statistics.interval.ms": 100, "stats_cb": statistics,
            "topic.metadata.refresh.interval.ms": 1000})
        consumer.assign([TopicPartition("t", 0, 0)])
        values = []

        def has(count):
            values.extend(m.value() for m in consumer.consume(100, 0.2) if not m.error())
            return len(values) >= count

        eventually(lambda: has(1000) and reads_from[-1:] == [1], "a consumer that reads from broker 1")
        producer.produce("t", b"1000")
        producer.flush(20)
        eventually(lambda: has(1001), "what was produced later")
        cluster.brokers[1].kill()
        producer.produce("t", b"1001")
        eventually(lambda: producer.poll(0.1) is not None and has(1002), "the leader to serve instead", 40)
        assert values == [b"%d" % n for n in range(1002)]
        consumer.close()
