"""The tutorial's very lines, with scripts/ for bin\\windows\\."""

import json
import os
import pty
import re
import select
import subprocess
import time

from harness import BINARY, ENVIRONMENT, ROOT, eventually


def test_create_list_describe(cluster):
    done = cluster.topics("--create", "--topic", "vmc-topic", "-partitions", "3", "--replication-factor", "1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Created topic vmc-topic.\n", "")
    assert "vmc-topic\n" in cluster.topics("--list", check=0).stdout
    described = cluster.topics("--describe", "--topic", "vmc-topic", check=0).stdout
    masked = re.sub(r"TopicId: \S{22}", "TopicId: ID", described)
    assert masked == (
        "Topic: vmc-topic\tTopicId: ID\tPartitionCount: 3\tReplicationFactor: 1\tConfigs: \n"
        + "".join(
            f"\tTopic: vmc-topic\tPartition: {partition}\tLeader: 0\tReplicas: 0\tIsr: 0\tElr: N/A\tLastKnownElr: N/A\n"
            for partition in range(3)))


def test_produce_and_consume(cluster):
    cluster.create_topic("letters", 3)
    done = cluster.tool(
        "kafka-console-producer", "--broker-list", cluster.bootstrap, "--topic", "letters",
        stdin="hello letterbox\nsecond letter\n", check=0)
    assert done.stdout == ""
    done = cluster.tool(
        "kafka-console-consumer", "--bootstrap-server", cluster.bootstrap, "--topic", "letters", "--from-beginning",
        "--max-messages", "2", check=0)
    assert sorted(done.stdout.splitlines()) == ["hello letterbox", "second letter"]
    assert done.stderr.splitlines()[-1] == "Processed a total of 2 messages"


def test_the_producer_prompts_on_a_terminal_only(cluster):
    cluster.create_topic("typed")
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [ROOT / "scripts/kafka-console-producer.sh", "--bootstrap-server", cluster.bootstrap, "--topic", "typed"],
        stdin=slave, stdout=slave, stderr=slave, env={**ENVIRONMENT, "LETTERBOX_BINARY": str(BINARY)})
    os.close(slave)
    seen = b""

    def expect(text):
        nonlocal seen
        deadline = time.monotonic() + 10
        while text not in seen:
            assert time.monotonic() < deadline, seen
            if select.select([master], [], [], 0.1)[0]:
                seen += os.read(master, 4096)

    expect(b">")
    os.write(master, b"hello\n")
    expect(b"hello\r\n>")
    os.write(master, b"world\n")
    expect(b"world\r\n>")
    os.write(master, b"\x04")
    assert process.wait(10) == 0
    os.close(master)
    assert seen == b">hello\r\n>world\r\n>"


def test_znodes_show_what_classic_kafka_would(cluster):
    broker = json.loads(cluster.znode("/brokers/ids/0"))
    port = cluster.ports[0]
    assert broker.pop("timestamp").isdigit()
    assert broker == {
        "version": 5, "host": "127.0.0.1", "port": port, "jmx_port": -1, "endpoints": [f"PLAINTEXT://127.0.0.1:{port}"],
        "listener_security_protocol_map": {"PLAINTEXT": "PLAINTEXT"}, "features": {}}
    assert json.loads(cluster.znode("/controller"))["brokerid"] == 0
    cluster.create_topic("counted")
    cluster.tool(
        "kafka-console-producer", "--bootstrap-server", cluster.bootstrap, "--topic", "counted", stdin="1\n2\n3\n4\n", check=0)
    cluster.tool(
        "kafka-console-consumer", "--bootstrap-server", cluster.bootstrap, "--topic", "counted", "--group", "readers",
        "--from-beginning", "--max-messages", "4", check=0)
    assert cluster.znode("/consumers/readers/offsets/counted/0") == "4"
    state = json.loads(cluster.znode("/brokers/topics/counted/partitions/0/state"))
    assert (state["leader"], state["isr"], state["leader_epoch"]) == (0, [0], 0)


def test_a_group_goes_on_where_it_stopped(cluster):
    cluster.create_topic("parcels")
    cluster.tool(
        "kafka-console-producer", "--bootstrap-server", cluster.bootstrap, "--topic", "parcels",
        stdin="".join(f"m{n}\n" for n in range(7)), check=0)

    def read(count):
        return cluster.tool(
            "kafka-console-consumer", "--bootstrap-server", cluster.bootstrap, "--topic", "parcels", "--group", "home",
            "--consumer-property", "auto.offset.reset=earliest", "--max-messages", count, check=0).stdout.splitlines()

    assert read(4) == ["m0", "m1", "m2", "m3"]
    assert read(3) == ["m4", "m5", "m6"]
    described = cluster.tool(
        "kafka-consumer-groups", "--bootstrap-server", cluster.bootstrap, "--describe", "--group", "home", check=0)
    rows = [line.split() for line in described.stdout.splitlines() if line.strip()]
    assert rows[-2][:6] == ["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG"]
    assert rows[-1][:6] == ["home", "parcels", "0", "7", "7", "0"]


def test_get_offsets(cluster):
    cluster.create_topic("offsets", 2)
    subprocess.run(
        ["kcat", "-P", "-b", cluster.bootstrap, "-t", "offsets", "-p", "1"], input=b"a\nb\nc\n", check=True, timeout=20)
    done = cluster.tool("kafka-get-offsets", "--bootstrap-server", cluster.bootstrap, "--topic", "offsets", check=0)
    assert done.stdout == "offsets:0:0\noffsets:1:3\n"
