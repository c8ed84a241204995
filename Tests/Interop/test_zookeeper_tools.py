"""ZooKeeper's own shells, Debian's cli_mt (the C client) and zkCli (the Java client), say the same of our coordinator as of Apache's."""

import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

import pytest

import jute
from jute import Session, acl, buffer, integer, string
from test_coordination_rules import JAR, pair, pytestmark  # noqa: F401  (skipped where Debian's zookeeper is not)

CLI_MT = Path("/usr/lib/zookeeper/bin/cli_mt")
ROOT = "/tools"


@pytest.fixture(scope="module")
def servers():
    with pair() as servers:
        yield servers


@pytest.fixture(autouse=True)
def nodes(servers):
    """`/secret` for who is u:p, in a fresh tree for each test."""
    sessions = []
    for server in servers:
        session = Session(server.port)
        assert session.auth("digest", b"u:p")[0] == 0
        body = string("/secret") + buffer(b"hidden") + acl([(31, "auth", "")]) + integer(0)
        assert session.call(jute.CREATE, body)[0] == 0
        sessions.append(session)
    yield
    for session in sessions:
        assert session.call(jute.DELETE, string("/secret") + integer(-1))[0] == 0
        session.call(jute.CLOSE)


def comparable(text, port):
    """Without what differs between any two runs: times, ids, zxids, ports."""
    for pattern, replacement in [
        (r"\r", ""), (r"0x[0-9a-f]+", "ID"), (r"session Id = \w+", "session ID"), (r"\w{3} \w{3} +\d+ [\d:]+ [\w ]*\d{4}", "DATE"),
        (r"zxid ?= ?\d+", "zxid"), (r"time = \d+ msec\n", ""), (str(port), "PORT"),
    ]:
        text = re.sub(pattern, replacement, text)
    return text


class Shell:
    """A program on a terminal, as it writes at once then."""

    def __init__(self, command):
        self.terminal, inner = pty.openpty()
        import termios
        settings = termios.tcgetattr(inner)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(inner, termios.TCSANOW, settings)
        self.process = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner)
        os.close(inner)
        self.text = ""

    def until(self, mark, start):
        deadline = time.monotonic() + 30
        while mark not in self.text[start:]:
            readable, _, _ = select.select([self.terminal], [], [], max(deadline - time.monotonic(), 0))
            assert readable, f"{mark!r} did not come:\n{self.text[-2000:]}"
            self.text += os.read(self.terminal, 65536).decode(errors="replace")

    def say(self, line):
        start = len(self.text)
        os.write(self.terminal, line.encode() + b"\n")
        return start

    def end(self):
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)


@pytest.mark.skipif(not CLI_MT.exists(), reason="Debian's zookeeper-bin is not installed")
def test_the_c_client(servers):
    script = [
        "create /c", "create /c", "set /c hello world", "get /c", "exists /c", "create +es /c/e-", "create2 +s /c/s-",
        "create +t=600000 /c/t", "create +t=0 /c/none", "create +c /c/box", "ls /c", "ls2 /c", "wexists /nowhere", "create /nowhere",
        "wexists /c", "set /c again", "delete /c", "delete /nowhere", "get /nowhere", "sync /c", "get /secret", "set /secret x",
        "addauth digest u:p", "get /secret", "set /secret hidden", "config", "reconfig -remove 1"]
    heard = []
    for server in servers:
        shell = Shell([str(CLI_MT), f"127.0.0.1:{server.port}"])
        try:
            shell.until("Got a new session id", 0)
            answers = []
            for line in script:
                start = shell.say(line)
                # Answers come in order: when this one is there, the line before has had its own.
                shell.say("sync /zookeeper/quota")
                shell.until("\tname = /zookeeper/quota\r\n", start)
                # What the caller's thread and the client's own write may change places.
                answers.append((line, sorted(comparable(shell.text[start:], server.port).split("\n"))))
            heard.append(answers)
        finally:
            shell.end()
        session = Session(server.port)
        for child in session.call(jute.CHILDREN, string("/c") + b"\0")[2]:
            session.call(jute.DELETE, string(f"/c/{child}") + integer(-1))
        session.call(jute.DELETE, string("/c") + integer(-1))
    for ours, apache in zip(*heard):
        assert ours == apache
    secrets = [answer for line, answer in heard[0] if line == "get /secret"]
    assert any("rc = -102" in line for line in secrets[0]) and "hidden" in secrets[1]


def test_the_java_shell(servers):
    script = f"""version
ls /
create {ROOT} data
create {ROOT} data
create -e {ROOT}/e x
create -s {ROOT}/s- x
create -s -e {ROOT}/se- x
create -c {ROOT}/box
create -t 600000 {ROOT}/ttl x
create {ROOT}/e/child
create /no/parent
ls {ROOT}
ls -s {ROOT}
ls -R {ROOT}
get {ROOT}
get -s {ROOT}
get -w {ROOT}
set {ROOT} more
set -s {ROOT} more
set -v 9 {ROOT} more
stat -w {ROOT}/later
create {ROOT}/later
ls -w {ROOT}
create {ROOT}/other
addWatch -m PERSISTENT {ROOT}/other
set {ROOT}/other 1
set {ROOT}/other 2
delete {ROOT}/other
create {ROOT}/other
addWatch {ROOT}/box
create {ROOT}/box/in
set {ROOT}/box/in x
delete {ROOT}/box/in
getAcl {ROOT}
setAcl {ROOT}/other world:anyone:r
getAcl -s {ROOT}/other
set {ROOT}/other x
get /secret
getAcl /secret
whoami
addauth digest u:p
whoami
get /secret
getAcl /secret
setAcl {ROOT}/later auth::crwda
getAcl {ROOT}/later
setquota -n 20 {ROOT}
listquota {ROOT}
setquota -B 8 {ROOT}/box
create {ROOT}/box/big 123456789
create {ROOT}/box/fits 12345678
listquota {ROOT}/box
get /zookeeper/quota{ROOT}/zookeeper_stats
delquota -n {ROOT}
delquota {ROOT}
getEphemerals
getEphemerals {ROOT}/s
getAllChildrenNumber {ROOT}
getAllChildrenNumber /
sync {ROOT}
config
reconfig -remove 1
delete -v 9 {ROOT}/box/fits
delete {ROOT}/box
delete {ROOT}/other
deleteall {ROOT}
ls {ROOT}
quit
"""
    heard = []
    for server in servers:
        done = subprocess.run(
            ["java", "-cp", str(JAR), "org.apache.zookeeper.ZooKeeperMain", "-server", f"127.0.0.1:{server.port}"],
            input=script, capture_output=True, text=True, timeout=120)
        text = comparable(done.stdout + done.stderr, server.port)
        # Answers and events are written by different threads.
        # Ephemeral nodes are listed in no order, "[/b, /a]".
        lines = [re.sub(r"^\[(/.*)\]$", lambda m: str(sorted(m[1].split(", "))), line) for line in text.split("\n")]
        heard.append(sorted(line for line in lines if " INFO " not in line and "WatchedEvent" not in line))
        events = [line for line in text.split("\n") if "WatchedEvent" in line]
        heard[-1].append(events)
        assert any("NodeDataChanged" in line for line in events)
    for ours, apache in zip(*heard):
        assert ours == apache
    assert len(heard[0]) == len(heard[1])
