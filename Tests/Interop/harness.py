"""Starts Letterbox's processes for a test, on ports and in directories of its own, and kills them."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("LETTERBOX_BINARY", ROOT / ".build/release/letterbox"))
PORTS = [int(port) for port in os.environ.get("LETTERBOX_TEST_PORTS", "12000-30000").split("-")]
ENVIRONMENT = {**os.environ, "SWIFT_BACKTRACE": "enable=no", "LETTERBOX_LOG_STYLE": "narrated"}


def free_port():
    """Below the ephemeral range, so that no outgoing connection can take it between two starts of a server."""
    while True:
        port = random.randint(*PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
                return port
            except OSError:
                continue


def eventually(condition, what, seconds=20):
    """The value of `condition` as soon as it is true; fails the test when it never is. `what` may be asked for at the end."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what() if callable(what) else what}"
        time.sleep(0.02)


class Process:
    """One server: its command, its output file, its life."""

    def __init__(self, name, command, log, ready, environment=ENVIRONMENT):
        self.name, self.command, self.log, self.ready, self.environment = name, command, log, ready, environment
        self.process = None

    def start(self, wait=True):
        self.began = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                self.command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=self.log.parent, env=self.environment)
        if wait:
            self.wait_ready()
        return self

    def output(self):
        with open(self.log, "rb") as log:
            log.seek(self.began)
            return log.read().decode(errors="replace")

    def wait_ready(self, seconds=30):
        def condition():
            assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.output()[-2000:]}"
            return self.ready(self)

        eventually(condition, f"{self.name} is ready:\n{self.output()[-2000:]}", seconds)

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.alive:
            self.process.kill()
            self.process.wait()

    def stop(self, seconds=20):
        if self.alive:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(seconds)
        return self.process.returncode


def port_answers(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 0.2).close()
        return True
    return False


def mode(port):
    """What a coordinator says it is: standalone, leader or follower; None while it does not serve."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
        connection.sendall(b"srvr")
        found = re.search("Mode: (\\w+)", connection.makefile().read())
        return found and found[1]
    return None


class Cluster:
    """A coordinator (ours, Debian's ZooKeeper, or an ensemble of three of those) and brokers 0, 1, … in a temporary directory.

    `tick_time` is the coordinator's, in milliseconds: sessions last between 2 and 20 of them."""

    def __init__(self, brokers=1, coordinator="letterbox", tick_time=None, **settings):
        self.directory = Path(tempfile.mkdtemp(prefix="letterbox-"))
        self.settings = settings
        self.tick_time = tick_time
        self.keep = bool(os.environ.get("LETTERBOX_KEEP"))
        self.client_ports = [free_port() for _ in range(3 if coordinator == "ensemble" else 1)]
        self.client_port = self.client_ports[0]
        make = {"letterbox": self._letterbox, "zookeeper": self._zookeeper, "ensemble": self._ensemble}[coordinator]
        self.coordinators = make()
        self.coordinator = self.coordinators[0]
        self.ports = [free_port() for _ in range(brokers)]
        self.brokers = [self._broker(number) for number in range(brokers)]

    def _coordinator_config(self, name, number=0, tick_time=None, more=""):
        config = self.directory / name
        tick_time = self.tick_time or tick_time
        config.write_text(
            f"dataDir={self.directory}/zookeeper{number or ''}\nclientPort={self.client_ports[number]}\nmaxClientCnxns=0\n"
            "admin.enableServer=false\n4lw.commands.whitelist=*\n" + (f"tickTime={tick_time}\n" if tick_time else "") + more)
        return config

    def _letterbox(self):
        config = self._coordinator_config("zookeeper.properties")
        return [Process(
            "coordinator", [BINARY, "coordinator", config], self.directory / "coordinator.out",
            lambda server: "binding to port" in server.output() and port_answers(self.client_port))]

    def _apache(self, program, config, number, ready):
        # Short-lived servers start quicker without the second compiler.
        return Process(
            f"zookeeper {number}",
            ["java", "-XX:TieredStopAtLevel=1", "-cp", "/usr/share/java/zookeeper.jar", "-Xmx256m",
             f"org.apache.zookeeper.server.{program}", config],
            self.directory / f"coordinator{number or ''}.out", ready)

    def _zookeeper(self):
        config = self._coordinator_config("zoo.cfg", tick_time=2000)
        return [self._apache("ZooKeeperServerMain", config, 0, lambda _: mode(self.client_port))]

    def _ensemble(self):
        servers = "".join(f"server.{number}=127.0.0.1:{free_port()}:{free_port()}\n" for number in range(1, 4))
        processes = []
        for number, port in enumerate(self.client_ports):
            # Limits are counted in ticks: ten seconds to follow a leader, five to keep up with it.
            tick = self.tick_time or 2000
            config = self._coordinator_config(
                f"zoo{number}.cfg", number, 2000, f"initLimit={10000 // tick}\nsyncLimit={max(2, 5000 // tick)}\n{servers}")
            directory = self.directory / f"zookeeper{number or ''}"
            directory.mkdir()
            (directory / "myid").write_text(f"{number + 1}\n")
            processes.append(
                self._apache("quorum.QuorumPeerMain", config, number, lambda _, port=port: mode(port)))
        return processes

    def _broker(self, number):
        config = self.directory / f"server-{number}.properties"
        settings = {
            "broker.id": number,
            "listeners": f"PLAINTEXT://:{self.ports[number]}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.ports[number]}",
            "log.dirs": f"{self.directory}/broker-{number}",
            "zookeeper.connect": self.zookeeper,
            "zookeeper.session.timeout.ms": 6000,
            "group.initial.rebalance.delay.ms": 0,
            **self.settings,
        }
        # What differs from broker to broker is said with {number} and {directory}.
        config.write_text("".join(
            f"{key}={str(value).format(number=number, directory=self.directory)}\n" for key, value in settings.items()))
        return Process(
            f"broker {number}", [BINARY, "broker", config], self.directory / f"broker-{number}.out",
            lambda server: "started (kafka.server.KafkaServer)" in server.output())

    def __enter__(self):
        try:
            for group in (self.coordinators, self.brokers):
                for process in group:
                    process.start(wait=False)
                for process in group:
                    # Java takes its time on a busy machine.
                    process.wait_ready(90)
        except BaseException as error:
            self.__exit__(type(error))
            raise
        return self

    def __exit__(self, kind, *_):
        for process in [*self.brokers, *self.coordinators]:
            process.kill()
        if kind is None and not self.keep:
            shutil.rmtree(self.directory, ignore_errors=True)
        else:
            print(f"logs and data kept in {self.directory}")

    @property
    def bootstrap(self):
        return ",".join(f"127.0.0.1:{port}" for port in self.ports)

    @property
    def zookeeper(self):
        return ",".join(f"127.0.0.1:{port}" for port in self.client_ports)

    # The tools, as a user calls them.

    def tool(self, name, *arguments, stdin="", timeout=60, check=None):
        done = subprocess.run(
            [ROOT / "scripts" / f"{name}.sh", *map(str, arguments)], input=stdin, capture_output=True, text=True,
            timeout=timeout, env={**ENVIRONMENT, "LETTERBOX_BINARY": str(BINARY)})
        if check is not None:
            assert done.returncode == check, f"{name} {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def topics(self, *arguments, **options):
        return self.tool("kafka-topics", "--bootstrap-server", self.bootstrap, *arguments, **options)

    def create_topic(self, name, partitions=1, **configs):
        settings = [word for key, value in configs.items() for word in ("--config", f"{key.replace('_', '.')}={value}")]
        self.topics(
            "--create", "--topic", name, "--partitions", partitions, "--replication-factor", 1, *settings, check=0)

    def znode(self, path):
        done = self.tool("zookeeper-shell", self.zookeeper, "get", path, check=0)
        return done.stdout.rstrip("\n").split("\n")[-1]

    def log_directory(self, topic, partition, broker=None):
        for number in range(len(self.brokers)) if broker is None else [broker]:
            path = self.directory / f"broker-{number}" / f"{topic}-{partition}"
            if path.exists():
                return path
        raise AssertionError(f"nobody holds {topic}-{partition}")


def stored_batches(directory):
    """(base offset, attributes, record count) of every batch of a partition's segments, read without our own code."""
    for segment in sorted(Path(directory).glob("*.log")):
        data = segment.read_bytes()
        position = 0
        while position + 61 <= len(data):
            base = int.from_bytes(data[position:position + 8], "big")
            length = int.from_bytes(data[position + 8:position + 12], "big")
            attributes = int.from_bytes(data[position + 21:position + 23], "big")
            count = int.from_bytes(data[position + 57:position + 61], "big")
            if length <= 0:
                break
            yield base, attributes, count
            position += 12 + length


CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
