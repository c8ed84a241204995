"""One group member in a process of its own, so that it can be killed: member.py LIBRARY BOOTSTRAP GROUP TOPIC [--commit-each].
Prints `assigned P…` and `record PARTITION OFFSET VALUE` lines."""

import asyncio
import sys

library, bootstrap, group, topic = sys.argv[1:5]
commit_each = "--commit-each" in sys.argv


def say(*words):
    print(*words, flush=True)


def kafka_python():
    from kafka import ConsumerRebalanceListener, KafkaConsumer

    class Listener(ConsumerRebalanceListener):
        def on_partitions_revoked(self, revoked):
            pass

        def on_partitions_assigned(self, assigned):
            say("assigned", *sorted(partition.partition for partition in consumer.assignment()))

    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", session_timeout_ms=6000,
        heartbeat_interval_ms=500, enable_auto_commit=not commit_each, auto_commit_interval_ms=200, max_poll_records=1)
    consumer.subscribe([topic], listener=Listener())
    while True:
        for records in consumer.poll(timeout_ms=200).values():
            for record in records:
                say("record", record.partition, record.offset, record.value.decode())
                if commit_each:
                    consumer.commit()
                    say("committed", record.partition, record.offset + 1)


def confluent():
    from confluent_kafka import Consumer

    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 500, "enable.auto.commit": not commit_each, "auto.commit.interval.ms": 200})
    consumer.subscribe([topic], on_assign=lambda _, partitions: say("assigned", *sorted(p.partition for p in partitions)))
    while True:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            say("record", message.partition(), message.offset(), message.value().decode())
            if commit_each:
                consumer.commit(message, asynchronous=False)
                say("committed", message.partition(), message.offset() + 1)


def aiokafka():
    from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener

    class Listener(ConsumerRebalanceListener):
        async def on_partitions_revoked(self, revoked):
            pass

        async def on_partitions_assigned(self, assigned):
            say("assigned", *sorted(partition.partition for partition in assigned))

    async def run():
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", session_timeout_ms=6000,
            heartbeat_interval_ms=500, enable_auto_commit=not commit_each, auto_commit_interval_ms=200)
        consumer.subscribe([topic], listener=Listener())
        await consumer.start()
        async for record in consumer:
            say("record", record.partition, record.offset, record.value.decode())
            if commit_each:
                await consumer.commit()
                say("committed", record.partition, record.offset + 1)

    asyncio.run(run())


{"kafka-python": kafka_python, "confluent": confluent, "aiokafka": aiokafka}[library]()
