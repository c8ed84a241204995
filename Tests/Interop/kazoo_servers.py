"""A pytest plug-in for kazoo's own suite: the servers its tests ask for are one Letterbox coordinator, or one Apache ZooKeeper.

kazoo's harness builds Java command lines, keys and certificates in kazoo.testing.common; that module alone is replaced, from
outside, by a cluster of one server. KAZOO_SUITE_SERVER names it: letterbox (the default) or zookeeper.
"""

import contextlib
import os
import shutil
import socket
import sys
import tempfile
import types
from pathlib import Path

from harness import BINARY, Process, free_port

SUPER_DIGEST = "super:D/InIHSb7yEEbrWz8b9l71RjZJU="


class Server:
    """What kazoo calls a ManagedZooKeeper: its address, and its life."""

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="kazoo-suite-"))
        self.client_port = free_port()
        self.process = None

    def _command(self):
        config = self.directory / "server.properties"
        settings = {
            "dataDir": self.directory / "data", "clientPort": self.client_port, "tickTime": 2000, "maxClientCnxns": 0,
            "admin.enableServer": "false", "4lw.commands.whitelist": "*", "reconfigEnabled": "true"}
        java = ["-Dzookeeper.extendedTypesEnabled=true", f"-Dzookeeper.DigestAuthenticationProvider.superDigest={SUPER_DIGEST}"]
        if os.environ.get("KAZOO_SUITE_SERVER") == "zookeeper":
            command = ["java", "-cp", "/usr/share/java/zookeeper.jar", "-Xmx256m", *java,
                       "org.apache.zookeeper.server.ZooKeeperServerMain", config]
        else:
            settings["extendedTypesEnabled"] = "true"
            settings["DigestAuthenticationProvider.superDigest"] = SUPER_DIGEST
            command = [BINARY, "coordinator", config]
        config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        return command

    @property
    def address(self):
        return f"127.0.0.1:{self.client_port}"

    secure_address = address

    @property
    def running(self):
        return self.process is not None and self.process.alive

    def run(self):
        if self.running:
            return
        self.directory.mkdir(exist_ok=True)
        self.process = Process("server", self._command(), self.directory / "server.out", self._serves).start()

    def _serves(self, _):
        """Apache's listens before it serves, and closes those who come too early."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.client_port), 1) as connection:
            connection.sendall(b"srvr")
            return "Mode:" in connection.makefile().read()

    def stop(self):
        if self.running:
            self.process.stop()

    def reset(self):
        self.destroy()
        self.run()

    def destroy(self):
        if self.running:
            self.process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def get_logs(self, lines=100):
        return self.process.output().splitlines()[-lines:] if self.process else []


class ZookeeperCluster:
    def __init__(self, **_):
        self.servers = [Server()]

    def __getitem__(self, index):
        return self.servers[index]

    def __iter__(self):
        return iter(self.servers)

    def start(self):
        for server in self:
            server.run()

    def stop(self):
        for server in self:
            server.stop()

    def terminate(self):
        for server in self:
            server.destroy()

    def reset(self):
        for server in self:
            server.reset()

    def get_logs(self):
        return [line for server in self for line in server.get_logs()]


replacement = types.ModuleType("kazoo.testing.common")
replacement.ZookeeperCluster = ZookeeperCluster
sys.modules["kazoo.testing.common"] = replacement
os.environ.setdefault("ZOOKEEPER_VERSION", "3.8.0")
