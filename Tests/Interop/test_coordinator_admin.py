"""The coordinator's words and HTTP commands beside Apache ZooKeeper's 3.8, and its limits on what a process may have open."""

import contextlib
import json
import re
import shutil
import socket
import urllib.error
import urllib.request

import pytest

import jute
from coordinator_load import JAR, SERVLETS, Coordinator
from harness import eventually, free_port
from jute import OPEN, Session, acl, boolean, buffer, integer, string

needs_apache = pytest.mark.skipif(
    shutil.which("java") is None or not JAR.exists() or not SERVLETS.exists(), reason="Debian's zookeeper is not installed")
WORDS = "ruok conf icfg isro gtmk hash dirs cons dump wchs wchc wchp srvr stat envi mntr crst srst".split()
COMMANDS = (
    "configuration connections dirs dump environment get_trace_mask hash is_read_only last_snapshot leader monitor observers ruok"
    " server_stats stats voting_view watch_summary watches watches_by_path connection_stat_reset stat_reset").split()


@contextlib.contextmanager
def administered():
    """Both servers, each with its admin port, and a session that owns and watches something."""
    with contextlib.ExitStack() as stack:
        servers = []
        for kind in ("ours", "apache"):
            coordinator = stack.enter_context(Coordinator())
            coordinator.admin = free_port()
            coordinator.settings.update({
                "admin.enableServer": "true", "admin.serverPort": coordinator.admin, "admin.serverAddress": "127.0.0.1"})
            getattr(coordinator, kind)()
            eventually(lambda: fetch(coordinator, "/commands/ruok"), f"{kind}: the admin server answers")
            session = Session(coordinator.port)
            assert session.call(jute.CREATE, string("/mine") + buffer(b"x") + acl(OPEN) + integer(1))[0] == 0
            assert session.call(jute.GET, string("/mine") + boolean(True))[0] == 0
            session.call(jute.EXISTS, string("/later") + boolean(True))
            coordinator.session = session
            servers.append(coordinator)
        yield servers


def fetch(coordinator, path, **headers):
    """Status, kind and text of an answer over HTTP."""
    request = urllib.request.Request(f"http://127.0.0.1:{coordinator.admin}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get_content_type(), error.read().decode()
    except urllib.error.URLError:
        return None


def blurred(text):
    """Without what differs between any two servers: numbers but single digits, versions, days, directories."""
    text = re.sub(r"Zookeeper version: .*", "Zookeeper version", text)
    text = re.sub(r"/\S*/data/version-2", "DATA", text)
    text = re.sub(r"lop=\w+", "lop", text)
    text = re.sub(r"\w{3} \w{3} +\d+ [\d:]+ UTC \d{4}", "DAY", text)
    return re.sub(r"-?(0x)?[0-9a-f]*\d[0-9a-f]*(\.\d+)?", "N", text)


def keys(text, separator):
    return {line.split(separator)[0] for line in text.splitlines() if separator in line}


def shape(value):
    """The names and kinds in an answer; where a name is a number, it is an id or a time."""
    if isinstance(value, dict):
        return {re.sub(r"^\d+$", "N", name): shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


@needs_apache
def test_words_and_commands_answer_as_apaches_do():
    with administered() as servers:
        answers = [{word: server.word(word) for word in WORDS} for server in servers]
        for word in WORDS:
            ours, apache = (answer[word] for answer in answers)
            if word == "mntr":
                ours, apache = keys(ours, "\t"), keys(apache, "\t")
                # Counted since 3.9, and of 3.8 the pipelines of an ensemble, of TLS and of Java's machine, which are not here.
                assert ours - apache <= {"zk_snapshot_error_count", "zk_fsync_threshold_exceed_count"}, ours - apache
                assert {
                    "zk_version", "zk_server_state", "zk_avg_latency", "zk_max_latency", "zk_packets_received", "zk_znode_count",
                    "zk_num_alive_connections", "zk_outstanding_requests", "zk_watch_count", "zk_ephemerals_count",
                    "zk_approximate_data_size", "zk_open_file_descriptor_count", "zk_max_file_descriptor_count", "zk_uptime",
                    "zk_p99_updatelatency", "zk_p99_readlatency", "zk_avg_fsynctime", "zk_connection_rejected"} <= ours
            elif word == "envi":
                assert keys(ours, "=") == keys(apache, "=")
            elif word == "dump":
                # How many connections of words asked before are still being closed is up to the moment, on either server.
                assert set(blurred(ours).split("\n")) == set(blurred(apache).split("\n"))
            else:
                # Watched paths are listed in no order.
                assert sorted(blurred(ours).split("\n")) == sorted(blurred(apache).split("\n")), word
        assert "/mine" in answers[0]["dump"] and "/later" in answers[0]["wchp"]

        for command in COMMANDS:
            ours, apache = (fetch(server, f"/commands/{command}") for server in servers)
            assert ours[:2] == apache[:2], command
            ours, apache = (json.loads(answer[2]) for answer in (ours, apache))
            if command == "monitor":
                assert set(ours) - set(apache) <= {"snapshot_error_count", "fsync_threshold_exceed_count"}
            elif command == "connections":
                # Text since 3.9.
                assert all(item["established"].endswith("+00:00") for item in ours["connections"])
                for answer in (ours, apache):
                    for item in answer["connections"]:
                        del item["established"]
                assert shape(ours) == shape(apache)
            else:
                assert shape(ours) == shape(apache), command
        assert [name for name in COMMANDS if f"/commands/{name}" not in fetch(servers[0], "/commands")[2]] == []


def test_prometheus_reads_the_metrics_and_a_foreign_page_changes_nothing():
    with Coordinator() as coordinator:
        coordinator.admin = free_port()
        coordinator.settings.update({"admin.enableServer": "true", "admin.serverPort": coordinator.admin})
        coordinator.ours()
        session = Session(coordinator.port)
        assert session.call(jute.CREATE, string("/a") + buffer(b"x") + acl(OPEN) + integer(0))[0] == 0
        status, kind, text = fetch(coordinator, "/metrics")
        assert status == 200 and kind == "text/plain"
        helped = set()
        for line in text.splitlines():
            if line.startswith("#"):
                _, what, name, *_ = line.split(" ", 3)
                assert what in ("HELP", "TYPE")
                helped.add(name)
            else:
                found = re.fullmatch(r'([a-zA-Z_:][\w:]*)(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? (-?[\d.eE+-]+|NaN)', line)
                assert found, line
                assert found[1] in helped or re.sub("_(sum|count|bucket|total)$", "", found[1]) in helped, line
        assert re.search(r"^znode_count 6(\.0)?$", text, re.M), text
        # Browsers tell where a page is from; a command that changes something is not for others' pages.
        before = coordinator.word("srvr")
        assert fetch(coordinator, "/commands/stat_reset", Origin="http://elsewhere.example")[0] == 403
        assert int(re.search(r"Received: (\d+)", coordinator.word("srvr"))[1]) > int(re.search(r"Received: (\d+)", before)[1])
        assert fetch(coordinator, "/commands/stat_reset")[0] == 200
        assert int(re.search(r"Received: (\d+)", coordinator.word("srvr"))[1]) <= 2


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit is not installed")
def test_a_process_without_descriptors_left_serves_those_it_has():
    with Coordinator() as coordinator:
        coordinator.ours(before=["prlimit", "--nofile=40:40"])
        session = Session(coordinator.port)
        others = [socket.create_connection(("127.0.0.1", coordinator.port), 10) for _ in range(60)]
        eventually(lambda: "Too many open files" in coordinator.process.output(), "it says what it is short of")
        assert session.call(jute.CREATE, string("/a") + buffer(b"x") + acl(OPEN) + integer(0))[0] == 0
        for other in others:
            other.close()
        eventually(lambda: "connections can be accepted again" in coordinator.process.output(), "it says that it can go on")
        assert Session(coordinator.port).call(jute.GET, string("/a") + boolean(False))[0] == 0
        said = [line for line in coordinator.process.output().splitlines() if "Too many open files" in line]
        assert len(said) < 10, "once in a while, not for each connection"
        assert coordinator.process.stop() == 0
