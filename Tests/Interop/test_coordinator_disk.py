"""The coordinator's disk: exchanged with Apache ZooKeeper's in both directions, and in every trouble a disk can make."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

from coordinator_load import Load, client, dump
from harness import BINARY, ENVIRONMENT, ROOT, Process, eventually, free_port, port_answers

JAR = Path("/usr/share/java/zookeeper.jar")
needs_apache = pytest.mark.skipif(
    shutil.which("java") is None or not JAR.exists(), reason="Debian's zookeeper package is not installed")
# super:secret
SUPER = "super:lK75jTNcA+U9vtVEw5vB51mj/w4="


class Coordinator:
    """A data directory, and the program that has it open: ours or Apache's, changed from one start to the next."""

    def __init__(self, directory=None, **settings):
        self.directory = Path(directory or tempfile.mkdtemp(prefix="letterbox-disk-"))
        self.port = free_port()
        self.settings = {
            "dataDir": self.directory / "data", "clientPort": self.port, "maxClientCnxns": 0, "tickTime": 2000,
            "maxSessionTimeout": 60000, "admin.enableServer": "false", "4lw.commands.whitelist": "*",
            "extendedTypesEnabled": "true", "preAllocSize": 256, "snapCount": 400,
            "DigestAuthenticationProvider.superDigest": SUPER, **settings}
        self.process = None

    @property
    def hosts(self):
        return f"127.0.0.1:{self.port}"

    @property
    def files(self):
        return self.directory / "data/version-2"

    def _config(self, settings):
        file = self.directory / "zookeeper.properties"
        file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        return file

    def ours(self, wait=True, before=(), **changes):
        config = self._config({**self.settings, **changes})
        self.process = Process(
            "coordinator", [*before, BINARY, "coordinator", config], self.directory / "ours.out",
            lambda server: "binding to port" in server.output() and port_answers(self.port))
        return self.process.start(wait)

    def apache(self, wait=True, **changes):
        config = self._config({**self.settings, **changes})
        words = [
            f"-Dzookeeper.{key}={value}" for key, value in {**self.settings, **changes}.items()
            if key in ("extendedTypesEnabled", "preAllocSize", "snapCount", "DigestAuthenticationProvider.superDigest",
                       "snapshot.compression.method")]
        self.process = Process(
            "zookeeper", ["java", *words, "-XX:TieredStopAtLevel=1", "-cp", JAR, "-Xmx256m",
                          "org.apache.zookeeper.server.ZooKeeperServerMain", config],
            self.directory / "apache.out", lambda server: port_answers(self.port) and self.word("ruok") == "imok")
        return self.process.start(wait)

    def word(self, word):
        import socket

        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as stream:
            stream.sendall(word.encode())
            answer = b""
            while chunk := stream.recv(65536):
                answer += chunk
            return answer.decode()
        return ""

    @property
    def zxid(self):
        line = next(line for line in self.word("srvr").splitlines() if line.startswith("Zxid"))
        return int(line.split()[1], 16)

    def kill(self):
        self.process.kill()

    def refused(self, **changes):
        """The line with which our coordinator refuses to start on this directory."""
        process = self.ours(wait=False, **changes)
        eventually(lambda: not process.alive, "the start is refused")
        assert process.process.returncode == 1, process.output()
        lines = [line for line in process.output().splitlines() if " error" in line]
        assert len(lines) == 1, process.output()
        return lines[0]

    def logs(self):
        return sorted(self.files.glob("log.*"), key=lambda file: int(file.suffix[1:], 16))

    def snapshots(self):
        return sorted(
            (file for file in self.files.glob("snapshot.*")), key=lambda file: int(file.name.split(".")[1], 16))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process:
            self.process.kill()
        if kind is None and not os.environ.get("LETTERBOX_KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)
        else:
            print(f"logs and data kept in {self.directory}")


def run_load(coordinator, name, steps, extended=True):
    """Several sessions' load, and kill -9 in its middle."""
    loads = [Load(coordinator.hosts, f"{name}-{number}", extended) for number in range(3)]
    for load in loads:
        load.start()
    eventually(lambda: all(load.done > steps for load in loads), f"{name}: the load comes along", 60)
    coordinator.kill()
    for load in loads:
        load.stopping = True
    return loads


def finish(loads):
    for load in loads:
        load.join(60)
        assert not load.is_alive()


@needs_apache
@pytest.mark.parametrize("order", [("apache", "ours", "apache", "ours"), ("ours", "apache", "ours", "apache")])
def test_a_directory_goes_from_one_program_to_the_other_and_back(order):
    """Load, kill -9, open in the other: sessions are resumed by id and password, and the same tree is there node by node."""
    with Coordinator() as coordinator:
        getattr(coordinator, order[0])()
        keeper = client(coordinator.hosts, timeout=60)
        keeper.create("/kept", b"by its session", ephemeral=True)
        keeper.create("/counted", b"")
        keeper.create("/zookeeper/quota/counted", b"")
        keeper.create("/zookeeper/quota/counted/zookeeper_limits", b"count=100000,bytes=-1")
        keeper.create("/zookeeper/quota/counted/zookeeper_stats", b"count=1,bytes=0")
        session = keeper.client_id
        former, everybody = None, []
        for leg, (one, other) in enumerate(zip(order, order[1:])):
            name = keeper.create("/counted/n-", b"", sequence=True)
            assert former is None or int(name[-10:]) == int(former[-10:]) + 1, f"{former}, then {name}"
            former = name
            before = coordinator.zxid
            loads = run_load(coordinator, f"leg{leg}-{one}", 700)
            getattr(coordinator, other)()
            finish(loads)
            everybody += loads
            eventually(lambda: keeper.connected, "the session is resumed")
            assert keeper.client_id == session, "by its id and password"
            assert keeper.get("/kept")[0] == b"by its session"
            assert keeper.get("/kept")[1].owner_session_id == session[0]
            found = dump(coordinator.hosts)
            for load in everybody:
                load.check(found)
                assert load.client.client_id == load.session
            assert coordinator.zxid > before
            # What is opened by one is opened by the other the same, without a change in between.
            coordinator.kill()
            getattr(coordinator, one)()
            assert strip(dump(coordinator.hosts)) == strip(found)
            coordinator.kill()
            getattr(coordinator, other)()
            assert strip(dump(coordinator.hosts)) == strip(found)
        for load in everybody:
            load.client.stop()
            load.client.close()
        keeper.stop()
        found = dump(coordinator.hosts)
        assert "/kept" not in found and not [path for path in found if "/mine-" in path], "sessions end with their nodes"


def strip(found):
    """Without what a comparing session changes itself."""
    return {path: entry for path, entry in found.items() if path not in ("/zookeeper/config",)}


@needs_apache
@pytest.mark.parametrize("method", ["gz", "snappy"])
def test_packed_snapshots_of_apache_are_read(method):
    with Coordinator(**{"snapshot.compression.method": method}) as coordinator:
        coordinator.apache(snapCount=60)
        loads = run_load(coordinator, "packed", 300)
        packed = list(coordinator.files.glob(f"snapshot.*.{method}"))
        assert packed, os.listdir(coordinator.files)
        # Only what they hold: the start must not be able to do without.
        newest = max(packed, key=lambda file: int(file.name.split(".")[1], 16))
        for file in coordinator.files.glob("snapshot.*"):
            if file != newest:
                file.unlink()
        coordinator.ours()
        finish(loads)
        found = dump(coordinator.hosts)
        for load in loads:
            load.check(found)
            load.client.stop()
