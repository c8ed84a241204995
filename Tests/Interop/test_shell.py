"""The coordinator's shell at a terminal, and beside ZooKeeper's own."""

import difflib
import os
import pty
import re
import select
import subprocess

import pytest

from harness import BINARY, Cluster


@pytest.fixture(scope="module")
def cluster():
    with Cluster(brokers=0) as cluster:
        yield cluster


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(words[0], words, {**os.environ, "TERM": "xterm"})
        self.text = ""
        self.status = None

    def until(self, pattern):
        """What was shown from the last call on, up to and with `pattern`."""
        while True:
            match = re.search(pattern, self.text)
            if match:
                shown, self.text = self.text[: match.end()], self.text[match.end() :]
                return shown
            ready, _, _ = select.select([self.fd], [], [], 30)
            assert ready, f"{pattern!r} did not come; shown was {self.text!r}"
            try:
                chunk = os.read(self.fd, 4096)
            except OSError:
                chunk = b""
            assert chunk, f"ended before {pattern!r}; shown was {self.text!r}"
            self.text += chunk.decode()

    def press(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        if self.status is None:
            while True:
                try:
                    if not os.read(self.fd, 4096):
                        break
                except OSError:
                    break
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            os.close(self.fd)
        return self.status


@pytest.fixture
def terminal(cluster):
    made = Terminal(str(BINARY), "zookeeper-shell", cluster.zookeeper)
    made.until(r"SyncConnected")
    made.until(r"CONNECTED\) 0\] $")
    yield made
    if made.status is None:
        os.kill(made.pid, 9)
        made.end()


def test_tab_completes_commands_and_nodes(cluster, terminal):
    terminal.press("create /parent\r")
    terminal.until(r"1\] $")
    terminal.press("create /parent/child hello\r")
    terminal.until(r"2\] $")
    terminal.press("get /par\tc\t\r")
    assert "\nhello" in terminal.until(r"3\] $")
    terminal.press("getA\t\t")
    shown = terminal.until(r"getAllChildrenNumber\s*\r\n")
    assert "getAcl" in shown
    terminal.press("\x03")
    terminal.press("quit\r")
    assert terminal.end() == 0


def test_json_is_laid_out_and_lines_come_back(cluster, terminal):
    terminal.press("create /json '{\"version\":1,\"ids\":[1,2]}'\r")
    terminal.until(r"1\] $")
    terminal.press("get /json\r")
    assert '{\r\n  "version": 1,\r\n  "ids": [\r\n    1,\r\n    2\r\n  ]\r\n}' in terminal.until(r"2\] $")
    terminal.press("\x1b[A\x1b[A\x01\x0bls /\r")
    assert "zookeeper]" in terminal.until(r"3\] $")
    terminal.press("ruok\r")
    assert "imok" in terminal.until(r"4\] $")
    terminal.press("\x04")
    assert terminal.end() == 0


def test_events_are_shown_above_the_line_being_written(cluster, terminal):
    terminal.press("ls -w /\r")
    terminal.until(r"1\] $")
    terminal.press("ls /half")
    terminal.until(r"/half")
    cluster.tool("zookeeper-shell", cluster.zookeeper, "create", "/appeared")
    terminal.until(r"NodeChildrenChanged path:/")
    terminal.until(r"1\] ls /half")
    terminal.press("\x15quit\r")
    assert terminal.end() == 0


def test_watch_tells_events_until_ctrl_c(cluster, terminal):
    cluster.tool("zookeeper-shell", cluster.zookeeper, "create", "/watched")
    terminal.press("watch /watched\r")
    terminal.until(r"Ctrl-C ends this")
    cluster.tool("zookeeper-shell", cluster.zookeeper, "create", "/watched/below")
    cluster.tool("zookeeper-shell", cluster.zookeeper, "set", "/watched", "x")
    assert re.search(r"\d\d:\d\d:\d\d\.\d{3} NodeCreated /watched/below\r\n", terminal.until(r"NodeDataChanged /watched\r\n"))
    terminal.press("\x03")
    terminal.until(r"1\] $")
    terminal.press("quit\r")
    assert terminal.end() == 0


JAVA = "/usr/bin/java"
JARS = "/usr/share/java"
SCRIPT = """
create /s first
create /s
create -s /s/n- x
create -e /s/e here
create -c /s/c
create -e /s/e/under
ls /s
ls -R /s
get /s
get -s /nosuch
set /s second
set -v 9 /s third
stat /nosuch
getAllChildrenNumber /s
getEphemerals /s
getAcl /s
setAcl /s world:anyone:cdra
set /s fourth
getAcl /s
addauth digest user:secret
create /private data auth:user:secret:cdrwa
getAcl /private
setquota -n 3 /s/c
listquota /s/c
delquota /s/c
delete /s
deleteall /s
deleteall /private
ls /
frobnicate
sync /
config
whoami
printwatches
version
close
ls /
quit
"""
# What differs by nature: versions, and where each puts its own talk.
LOOSE = re.compile(r"^(Connecting to|Welcome|JLine|.*(INFO|WARN|DEBUG|ERROR)\b|\[zk: |ZooKeeper CLI version|log4j|SLF4J|\s*$|WATCHER|WatchedEvent)")


def shown(words):
    done = subprocess.run(words, input=SCRIPT, capture_output=True, text=True, timeout=120)
    def lines(text):
        # Help is the program's own.
        return [line for line in text.splitlines() if not LOOSE.match(line) and not line.startswith("\t") and "cmd args" not in line]
    assert done.returncode == 0, done.stderr
    return lines(done.stdout), lines(done.stderr)


@pytest.mark.skipif(not os.path.exists(f"{JARS}/zookeeper.jar"), reason="Debian's zookeeper is not installed")
def test_says_what_zookeepers_own_shell_says(cluster):
    classpath = ":".join(os.path.join(JARS, name) for name in os.listdir(JARS) if name.endswith(".jar") and re.match(
        r"(zookeeper|slf4j-api|slf4j-nop|commons-cli|commons-io|netty|jline)", name))
    theirs = shown([JAVA, "-cp", classpath, "org.apache.zookeeper.ZooKeeperMain", "-server", cluster.zookeeper])
    ours = shown([str(BINARY), "zookeeper-shell", cluster.zookeeper])
    for mine, other in zip(ours, theirs):
        assert not (parted := list(difflib.unified_diff(other, mine, "ZooKeeper's", "ours", n=1, lineterm=""))), "\n".join(parted)
