"""A load of every kind of change, and a tree compared with what was acknowledged and with another server's."""

import contextlib
import enum
import os
import shutil
import socket
import struct
import tempfile
import threading
from pathlib import Path

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NoNodeError
from kazoo.protocol.serialization import read_string, write_buffer, write_string
from kazoo.security import make_acl, make_digest_acl

from harness import BINARY, Process, eventually, free_port, port_answers

JAR = Path("/usr/share/java/zookeeper.jar")
# AdminServer is there only with it beside.
SERVLETS = Path("/usr/share/java/servlet-api.jar")
# super:secret
SUPER = "super:lK75jTNcA+U9vtVEw5vB51mj/w4="


class Kind(enum.Enum):
    """Of nodes that kazoo has no words for: operation, and flags of the request."""

    CONTAINER = (19, 4)
    TTL = (21, 5)


class CreateKind:
    """A create request of one of them, in kazoo's way of making requests."""

    def __init__(self, path, data, kind, ttl):
        self.path, self.data, self.kind, self.ttl = path, data, kind, ttl
        self.type = kind.value[0]

    def serialize(self):
        text = write_string(self.path) + write_buffer(self.data)
        text += struct.pack("!ii", 1, 31) + write_string("world") + write_string("anyone")
        text += struct.pack("!i", self.kind.value[1])
        return bytes(text) + (struct.pack("!q", self.ttl) if self.ttl else b"")

    @classmethod
    def deserialize(cls, bytes, offset):
        return read_string(bytes, offset)[0]


def create_kind(client, path, data, kind, ttl=None):
    answer = client.handler.async_result()
    client._call(CreateKind(path, data, kind, ttl), answer)
    return answer.get(20)


def client(hosts, **options):
    made = KazooClient(
        hosts=hosts, timeout=options.pop("timeout", 20),
        connection_retry={"max_tries": -1, "delay": 0.02, "max_delay": 0.1}, **options)
    made.start(30)
    return made


def dump(hosts):
    """Every node's data, stat and list by its path, but for what is the servers' own."""
    reader = client(hosts, auth_data=[("digest", "u:secret"), ("digest", "super:secret")])
    found = {}

    def walk(path):
        data, stat = reader.get(path)
        found[path] = (data, tuple(stat), sorted(map(repr, reader.get_acls(path)[0])))
        for child in sorted(reader.get_children(path)):
            walk(path.rstrip("/") + "/" + child)

    walk("/")
    reader.stop()
    reader.close()
    return found


class Load(threading.Thread):
    """Changes without pause until told to stop, of which it remembers what was acknowledged. `unsure` holds the paths of
    which the last answer was lost: they may be as before or as asked."""

    def __init__(self, hosts, name, extended):
        super().__init__(daemon=True)
        self.hosts, self.name, self.extended = hosts, name, extended
        self.stopping, self.present, self.gone, self.unsure, self.done = False, {}, set(), set(), 0
        self.highest = {}
        self.client = client(hosts)
        self.client.add_auth("digest", "u:secret")
        self.base = f"/load/{name}"
        self.client.ensure_path(self.base)
        self.client.ensure_path(self.base + "/queue")
        self.session = self.client.client_id

    def run(self):
        number = 0
        while not self.stopping:
            number += 1
            for step in (self.plain, self.listed, self.mine, self.queued, self.several, self.kinds):
                try:
                    step(number)
                    self.done += 1
                except (KazooException, self.client.handler.timeout_exception, ConnectionError):
                    pass

    def attempt(self, path, change):
        """Unsure while it is asked for."""
        self.unsure.add(path)
        self.gone.discard(path)
        change()
        self.unsure.discard(path)

    def create(self, path, data, **options):
        self.attempt(path, lambda: self.client.create(path, data, **options))
        self.present[path] = data

    def delete(self, path):
        self.attempt(path, lambda: self.client.delete(path))
        self.present.pop(path, None)
        self.gone.add(path)

    def plain(self, n):
        path = f"{self.base}/plain-{n}"
        self.create(path, b"first")
        data = b"%d" % n * 20
        self.attempt(path, lambda: self.client.set(path, data))
        self.present[path] = data
        if n % 3 == 0:
            self.delete(path)

    def listed(self, n):
        path = f"{self.base}/listed-{n}"
        lists = [
            [make_digest_acl("u", "secret", all=True)],
            [make_acl("ip", "127.0.0.0/8", all=True), make_digest_acl("u", "secret", read=True)],
            [make_acl("world", "anyone", read=True), make_digest_acl("u", "secret", all=True)],
        ]
        self.create(path, b"l", acl=lists[n % 3])
        if n % 4 == 0:
            self.client.set_acls(path, lists[(n + 1) % 3])

    def mine(self, n):
        self.create(f"{self.base}/mine-{n}", b"m", ephemeral=True)
        if n > 20:
            with contextlib.suppress(NoNodeError):
                self.delete(f"{self.base}/mine-{n - 20}")

    def queued(self, n):
        made = self.client.create(f"{self.base}/queue/q-", b"", sequence=True)
        assert made > self.highest.get("queue", ""), f"{made} came behind {self.highest['queue']}"
        self.highest["queue"] = made
        self.present[made] = b""
        if n % 2:
            self.delete(made)

    def several(self, n):
        one, two = f"{self.base}/both-{n}", f"{self.base}/both-{n}-too"

        def change():
            asked = self.client.transaction()
            asked.create(one, b"1")
            asked.create(two, b"2")
            asked.set_data(one, b"3")
            if n % 5 == 0:
                asked.check(two, 77)
            asked.commit()

        self.unsure |= {one, two}
        change()
        self.unsure -= {one, two}
        if n % 5 == 0:
            self.gone |= {one, two}
        else:
            self.present[one], self.present[two] = b"3", b"2"

    def kinds(self, n):
        if not self.extended or n > 40:
            return
        container, ttl = f"{self.base}/container-{n}", f"{self.base}/ttl-{n}"
        self.attempt(container, lambda: create_kind(self.client, container, b"c", Kind.CONTAINER))
        self.present[container] = b"c"
        self.create(container + "/child", b"")
        self.attempt(ttl, lambda: create_kind(self.client, ttl, b"t", Kind.TTL, ttl=600_000))
        self.present[ttl] = b"t"

    def check(self, found):
        """Everything acknowledged is in what another session has found."""
        for path, data in self.present.items():
            if path not in self.unsure:
                assert path in found, f"acknowledged {path} is missing"
                assert found[path][0] == data, f"{path} holds {found[path][0]!r}, acknowledged was {data!r}"
        for path in self.gone - self.unsure:
            assert path not in found, f"{path} was deleted and is there"


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
            "zookeeper", ["java", *words, "-XX:TieredStopAtLevel=1", "-cp", f"{JAR}:{SERVLETS}", "-Xmx256m",
                          "org.apache.zookeeper.server.ZooKeeperServerMain", config],
            self.directory / "apache.out", lambda server: port_answers(self.port) and "Mode: " in self.word("srvr"))
        return self.process.start(wait)

    def move(self):
        """The next start is at another port: whoever knocks while Apache's server begins may never be answered."""
        self.port = free_port()
        self.settings["clientPort"] = self.port

    def word(self, word):
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
