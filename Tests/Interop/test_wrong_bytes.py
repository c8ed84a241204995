"""Bytes of other protocols, torn frames and absurd lengths: an explained close, no crash, nobody else disturbed."""

import os
import socket
import ssl
import struct

import pytest
from confluent_kafka import Producer
from kazoo.client import KazooClient

TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(192)
WRONG = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "post": b"POST /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "tls": TLS_HELLO,
    "random": os.urandom(4096),
    "huge length": struct.pack(">i", 0x7FFFFFFF) + b"x" * 100,
    "negative length": struct.pack(">i", -5) + b"x" * 100,
    "zero length": struct.pack(">i", 0) * 8,
    "truncated frame": struct.pack(">i", 100) + b"abc",
    "short frame": struct.pack(">i", 3) + b"abc",
    "unknown api": struct.pack(">ihhih", 12, 9999, 0, 1, -1) + b"xx",
    "unknown version": struct.pack(">ihhih", 12, 0, 99, 1, -1) + b"xx",
    "absurd array": struct.pack(">ihhihi", 14, 3, 1, 1, -1, 0x7FFFFFFF),
    "negative string": struct.pack(">ihhih", 10, 3, 1, 1, -30000),
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
}


def send(port, data):
    """What comes back until the server closes, or None when it waits for more (a frame may yet be completed)."""
    with socket.create_connection(("127.0.0.1", port), 10) as stream:
        stream.settimeout(0.7)
        answer = b""
        try:
            stream.sendall(data)
            while True:
                piece = stream.recv(65536)
                if not piece:
                    return answer
                answer += piece
        except (ConnectionResetError, BrokenPipeError):
            return answer
        except TimeoutError:
            return None


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("side", ["broker", "coordinator"])
def test_wrong_bytes(cluster, side, kind):
    server = cluster.brokers[0] if side == "broker" else cluster.coordinator
    port = cluster.ports[0] if side == "broker" else cluster.client_port
    answer = send(port, WRONG[kind])
    if kind in ("http", "post"):
        assert answer is not None and answer.startswith(b"HTTP/1.1 400"), answer
        assert b"Kafka" in answer if side == "broker" else b"oo" in answer
    if kind in ("tls", "huge length", "negative length"):
        assert answer is not None, "the connection was closed"
    assert server.alive


def test_every_prefix_of_a_request(cluster):
    """A client that dies in the middle of its request, at any byte."""
    request = struct.pack(">hhih", 3, 1, 7, 2) + b"me" + struct.pack(">i", -1)
    frame = struct.pack(">i", len(request)) + request
    for length in range(len(frame)):
        with socket.create_connection(("127.0.0.1", cluster.ports[0]), 5) as stream:
            stream.sendall(frame[:length])
    assert cluster.brokers[0].alive


def test_others_are_undisturbed(cluster):
    """Wrong bytes by the hundred while a producer and a coordination session go on."""
    cluster.create_topic("undisturbed")
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all"})
    client = KazooClient(hosts=cluster.zookeeper)
    client.start(20)
    errors = []
    for n in range(200):
        producer.produce("undisturbed", b"%d" % n, on_delivery=lambda error, _: error and errors.append(error))
        producer.poll(0)
        data = list(WRONG.values())[n % len(WRONG)]
        for port in (cluster.ports[0], cluster.client_port):
            with socket.create_connection(("127.0.0.1", port), 5) as stream:
                stream.sendall(data)
        client.ensure_path(f"/undisturbed/{n}")
    assert producer.flush(20) == 0 and not errors
    assert len(client.get_children("/undisturbed")) == 200
    client.stop()


def test_a_flood_of_connections_is_survived(cluster):
    streams = [socket.create_connection(("127.0.0.1", cluster.ports[0]), 5) for _ in range(500)]
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    producer.produce("undisturbed", b"x")
    assert producer.flush(20) == 0
    for stream in streams:
        stream.close()
    assert cluster.brokers[0].alive
