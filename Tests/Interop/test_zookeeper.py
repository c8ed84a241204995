"""Brokers serve the same on Debian's ZooKeeper 3.8 instead of our coordinator."""

import json
import shutil
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer

from harness import Cluster

pytestmark = pytest.mark.skipif(
    shutil.which("java") is None or not Path("/usr/share/java/zookeeper.jar").exists(),
    reason="Debian's zookeeper package is not installed")


def test_brokers_on_apache_zookeeper():
    with Cluster(brokers=2, coordinator="zookeeper") as cluster:
        cluster.create_topic("there", 4)
        producer = Producer({"bootstrap.servers": cluster.bootstrap, "enable.idempotence": True})
        for n in range(400):
            producer.produce("there", b"%d" % n, partition=n % 4)
        assert producer.flush(20) == 0
        consumer = Consumer({
            "bootstrap.servers": cluster.bootstrap, "group.id": "g", "auto.offset.reset": "earliest",
            "enable.auto.commit": False})
        consumer.subscribe(["there"])
        seen = set()
        while len(seen) < 400:
            messages = consumer.consume(500, 10.0)
            assert messages
            seen.update(int(message.value()) for message in messages)
        consumer.commit(asynchronous=False)
        consumer.close()
        assert json.loads(cluster.znode("/brokers/ids/0"))["port"] == cluster.ports[0]
        assert sum(int(cluster.znode(f"/consumers/g/offsets/there/{p}")) for p in range(4)) == 400

        cluster.brokers[0].kill()
        cluster.brokers[0].start()
        cluster.coordinator.kill()
        cluster.coordinator.start()
        producer.produce("there", b"again", partition=0)
        assert producer.flush(60) == 0
        cluster.topics("--delete", "--topic", "there", check=0)
