"""What newcomers stumble on, provoked one by one: each test is a thing that goes wrong, and reads what the user reads then."""

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from kazoo.client import KazooClient

from harness import BINARY, ENVIRONMENT, ROOT, Cluster, Process, eventually, free_port

SCRIPTS = sorted(path.name for path in (ROOT / "scripts").glob("*.sh") if path.name != "lib.sh")
TOOLS = [name for name in SCRIPTS if "run_tool" in (ROOT / "scripts" / name).read_text()]


def run(*command, cwd=None, timeout=60, stdin="", **environment):
    return subprocess.run(
        [str(word) for word in command], input=stdin, capture_output=True, text=True, timeout=timeout, cwd=cwd,
        env={**ENVIRONMENT, "LETTERBOX_BINARY": str(BINARY), **environment})


def answers(port, host="127.0.0.1"):
    with contextlib.suppress(OSError):
        socket.create_connection((host, port), 0.5).close()
        return True
    return False


def runs(pid):
    """Neither gone nor a zombie that nobody fetched."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Checkout:
    """scripts/ and config/ somewhere else, on ports of its own, as somebody's clone is."""

    def __init__(self, directory):
        self.root = directory / "my letters"
        self.root.mkdir()
        for name in ("scripts", "config"):
            shutil.copytree(ROOT / name, self.root / name)
        self.ports = {old: free_port() for old in (2181, 2180, 9092, 9093, 9094)}
        for file in (self.root / "config").glob("*.properties"):
            file.write_text(re.sub(r"\b(2181|2180|909[234])\b", lambda found: str(self.ports[int(found[0])]), file.read_text()))

    def script(self, name, *arguments, **options):
        return run(self.root / "scripts" / f"{name}.sh", *arguments, **options)

    def pid(self, kind, number):
        files = list((self.root / "run").glob(f"{kind}-{number}-*.pid"))
        assert len(files) == 1, files
        return int(files[0].read_text())

    def pids(self):
        return [int(file.read_text()) for file in (self.root / "run").glob("*.pid") if runs(int(file.read_text()))]

    def topics(self, *arguments):
        return self.script("kafka-topics", "--bootstrap-server", f"localhost:{self.ports[9092]}", *arguments)

    def kill_all(self):
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def checkout():
    directory = Path(tempfile.mkdtemp(prefix="letterbox-"))
    place = Checkout(directory)
    try:
        yield place
    finally:
        place.kill_all()
        shutil.rmtree(directory, ignore_errors=True)


class Terminal:
    """A tool at a terminal: stdin, stdout and stderr are one."""

    def __init__(self, *command):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=slave, stdout=slave, stderr=slave,
            env={**ENVIRONMENT, "LETTERBOX_BINARY": str(BINARY)})
        os.close(slave)
        self.seen = ""

    def read(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.master, 4096).decode()
                except OSError:
                    break
        return self.seen

    def until(self, text, seconds=15):
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            self.read(0.2)
        return self.seen

    def end(self):
        self.process.terminate()
        self.process.wait(10)
        os.close(self.master)


def broker_alone(directory, coordinator_port, number=0, port=None, **settings):
    """A broker without a cluster around it: its command, and where it keeps its things."""
    config = Path(directory) / f"alone-{number}.properties"
    values = {
        "broker.id": number, "listeners": f"PLAINTEXT://:{port or free_port()}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port or 1}", "log.dirs": f"{directory}/alone-{number}",
        "zookeeper.connect": f"127.0.0.1:{coordinator_port}", "zookeeper.session.timeout.ms": 6000, **settings}
    config.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
    return [BINARY, "broker", config]


# 1: nobody listens there

def test_pain_1_nobody_listens(tmp_path):
    port = free_port()
    done = run(ROOT / "scripts/kafka-topics.sh", "--bootstrap-server", f"localhost:{port}", "--list", timeout=30)
    assert done.returncode == 1
    # Kafka's words, which scripts look for, and ours.
    assert done.stdout == "Error while executing topic command : Timed out waiting for a node assignment. Call: listTopics\n"
    assert done.stderr.count("LB-2001") == 1, done.stderr
    assert f"LB-2001 nobody listens on localhost:{port} (" in done.stderr
    assert "scripts/kafka-server-start.sh config/server.properties" in done.stderr
    # Said once, not for ever.
    assert len(done.stderr.splitlines()) <= 3, done.stderr


# 2: what clients are told

def test_pain_2_the_broker_shows_what_it_tells_clients(cluster):
    rows = [line.split()[3:] for line in cluster.brokers[0].output().splitlines()[:3] if "broker 0" in line]
    port = cluster.ports[0]
    assert ["listener", "binds", "tells", "clients"] in rows
    assert ["PLAINTEXT", "every", f"address:{port}", f"127.0.0.1:{port}"] in [row[:4] for row in rows]


def test_pain_2_a_wrong_advertised_address_is_named():
    told = free_port()
    with Cluster(**{"advertised.listeners": f"PLAINTEXT://127.0.0.1:{told}"}) as misled:
        terminal = Terminal(
            ROOT / "scripts/kafka-console-producer.sh", "--bootstrap-server", misled.bootstrap, "--topic", "letters")
        terminal.until(">")
        os.write(terminal.master, b"x\n")
        terminal.until(
            f"LB-2002 bootstrap {misled.bootstrap} answered, but told me to use 127.0.0.1:{told} (advertised.listeners of broker 0)")
        # Trying goes on in silence.
        assert terminal.read(3).count("LB-2002") == 1
        terminal.process.kill()
        terminal.end()


# 3, 4: a topic made a moment ago

def test_pain_3_first_use_of_a_topic_is_no_error(cluster):
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap, retries=0)
    assert producer.send("used-first", b"x").get(10).offset == 0
    producer.close()
    done = run("kcat", "-P", "-b", cluster.bootstrap, "-t", "used-first-again", stdin="x\n", timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    eventually(lambda: "topic created by first use" in cluster.brokers[0].output(), "the broker says why there is a topic")


def test_pain_4_a_created_topic_is_known_to_every_broker(three_brokers):
    admin = KafkaAdminClient(bootstrap_servers=three_brokers.bootstrap)
    for number in range(10):
        admin.create_topics([NewTopic(f"fresh-{number}", 3, 1)])
        for port in three_brokers.ports:
            done = run(
                "kcat", "-L", "-J", "-b", f"127.0.0.1:{port}", "-X", "allow.auto.create.topics=false", "-t", f"fresh-{number}")
            assert '"error"' not in done.stdout and done.stdout.count('"leader":-1') == 0, done.stdout
            assert len(re.findall(r'"partition":', done.stdout)) == 3, done.stdout
    admin.close()


# 5: nothing is shown

def test_pain_5_waiting_at_the_end_says_so_on_a_terminal(cluster):
    cluster.create_topic("shown")
    produce = lambda text: cluster.tool(
        "kafka-console-producer", "--bootstrap-server", cluster.bootstrap, "--topic", "shown", stdin=text, check=0)
    produce("a\nb\nc\n")
    consumer = [ROOT / "scripts/kafka-console-consumer.sh", "--bootstrap-server", cluster.bootstrap, "--topic", "shown"]
    terminal = Terminal(*consumer)
    terminal.until("waiting at the end of shown (1 partition, 3 messages before you). Add --from-beginning to read them.")
    terminal.end()
    run(*consumer, "--group", "seen", "--from-beginning", "--max-messages", 3)
    terminal = Terminal(*consumer, "--group", "seen", "--from-beginning")
    terminal.until("group seen already stands at offset 3, so --from-beginning has no effect; to rewind:")
    terminal.until("--reset-offsets --to-earliest --execute")
    terminal.end()
    # In a pipe nothing is said: the lines may be data for somebody.
    done = run(*consumer, "--group", "seen", "--timeout-ms", 3000)
    assert "waiting" not in done.stderr and done.stdout == ""


# 7: old tutorials

def test_pain_7_zookeeper_as_in_old_tutorials(cluster):
    cluster.create_topic("old-words")
    note = f"note: --zookeeper is gone since Kafka 3.0; used broker 127.0.0.1:{cluster.ports[0]} from the coordinator"
    done = cluster.tool("kafka-topics", "--zookeeper", cluster.zookeeper, "--list", check=0)
    assert "old-words" in done.stdout.splitlines() and note in done.stderr
    cluster.tool(
        "kafka-console-producer", "--broker-list", cluster.bootstrap, "--topic", "old-words", stdin="hello\n", check=0)
    done = cluster.tool(
        "kafka-console-consumer", "--zookeeper", cluster.zookeeper, "--topic", "old-words", "--from-beginning",
        "--max-messages", 1, check=0)
    assert done.stdout == "hello\n" and note in done.stderr
    done = cluster.tool("kafka-consumer-groups", "--zookeeper", cluster.zookeeper, "--list", check=1)
    assert done.stderr.startswith("zookeeper is not a recognized option; write --bootstrap-server localhost:9092")
    done = cluster.tool("kafka-topics", "--zookeeper", f"localhost:{free_port()}", "--list", timeout=30, check=1)
    assert "LB-2009 no coordinator answers" in done.stderr


# 8: the port is taken

def test_pain_8_the_holder_of_a_taken_port_is_named(cluster, tmp_path):
    command = broker_alone(tmp_path, cluster.client_port, 8, cluster.ports[0])
    done = run(*command, timeout=20)
    holder = cluster.brokers[0].process.pid
    assert done.returncode == 1
    assert f"LB-1003 port {cluster.ports[0]}" in done.stdout and f"PID {holder} (" in done.stdout, done.stdout
    other = cluster.ports[0] + 100
    assert f"--override listeners=PLAINTEXT://:{other} --override advertised.listeners=PLAINTEXT://127.0.0.1:{other}" in done.stdout
    assert not (tmp_path / "alone-8").exists(), "nothing is changed"
    config = tmp_path / "zookeeper.properties"
    config.write_text(f"dataDir={tmp_path}/tree\nclientPort={cluster.client_port}\nadmin.enableServer=false\n")
    done = run(BINARY, "coordinator", config, timeout=20)
    assert done.returncode == 1
    assert f"LB-1003 port {cluster.client_port}" in done.stdout, done.stdout
    assert f"PID {cluster.coordinator.process.pid} (" in done.stdout
    assert not (tmp_path / "tree").exists()


def test_pain_8_cluster_up_starts_nothing_when_a_port_is_taken(checkout):
    with socket.socket() as holder:
        holder.bind(("", checkout.ports[9093]))
        holder.listen()
        done = checkout.script("cluster", "up")
    assert done.returncode == 1
    assert f"port {checkout.ports[9093]} is held by PID {os.getpid()} (" in done.stderr, done.stderr
    assert "config/server-1.properties" in done.stderr
    assert checkout.pids() == []
    done = checkout.script("cluster", "up", "--brokers", 4)
    assert done.returncode == 1 and "config/server-3.properties" in done.stderr and checkout.pids() == []


# 9: the broker comes first

def test_pain_9_a_broker_before_its_coordinator_waits_aloud_and_gives_up(tmp_path):
    port = free_port()
    done = run(*broker_alone(tmp_path, port, **{"zookeeper.connection.timeout.ms": 8000}), timeout=30)
    assert done.returncode == 1
    waiting = [line for line in done.stdout.splitlines() if "waiting for the coordinator" in line]
    assert len(waiting) == 2, done.stdout
    for line in waiting:
        assert re.search(
            rf"waiting for the coordinator at \S*:{port} \(Connection refused\), \d s left; "
            "start it: scripts/zookeeper-server-start.sh config/zookeeper.properties$", line), line
    lines = done.stdout.splitlines()
    assert "LB-1009 no coordinator answered at" in lines[-1]
    assert len([line for line in lines if "refused" in line]) == 3, "one line per decision:\n" + done.stdout


def test_pain_9_a_start_behind_passes_the_waiting_on(checkout):
    done = checkout.script(
        "kafka-server-start", "-daemon", "config/server.properties", "--override", "zookeeper.connection.timeout.ms=3000")
    assert done.returncode == 1
    assert re.search(r"waiting for the coordinator at localhost:\d+ \(Connection refused\), [12] s left", done.stderr), done.stderr
    assert "LB-1009" in done.stderr.splitlines()[-1] and len(done.stderr.splitlines()) == 2, done.stderr


def test_pain_9_it_goes_on_when_the_coordinator_comes(tmp_path):
    with Cluster() as cluster:
        broker, coordinator = cluster.brokers[0], cluster.coordinator
        broker.stop()
        coordinator.stop()
        broker.start(wait=False)
        eventually(lambda: "waiting for the coordinator" in broker.output(), "the broker waits")
        coordinator.start()
        broker.wait_ready(15)


# 11: the JVM's settings

def test_pain_11_heap_settings_are_noted_and_ignored(checkout):
    done = checkout.script("zookeeper-server-start", "-daemon", "config/zookeeper.properties", KAFKA_HEAP_OPTS="-Xmx8G")
    assert done.returncode == 0
    assert done.stderr.splitlines() == ["note: KAFKA_HEAP_OPTS is ignored: there is no JVM here"]


# 14: a browser at the wrong door

def test_pain_14_a_browser_at_9092_and_2181_is_told(cluster):
    for port, words in ((cluster.ports[0], "This port speaks Kafka, not HTTP"), (cluster.client_port, "not HTTP")):
        with socket.create_connection(("127.0.0.1", port), 5) as browser:
            browser.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            page = b""
            while chunk := browser.recv(4096):
                page += chunk
        assert page.startswith(b"HTTP/1.1 400 ") and words in page.decode(), page
    assert "1195725856" not in cluster.brokers[0].output() + cluster.coordinator.output()


# 15: the coordinator's data is gone

def test_pain_15_the_disk_of_another_cluster(checkout):
    assert checkout.script("cluster", "up", "--brokers", 1).returncode == 0
    assert checkout.topics("--create", "--topic", "kept").returncode == 0
    assert checkout.script("cluster", "down").returncode == 0
    shutil.rmtree(checkout.root / "data/zookeeper")
    assert checkout.script("zookeeper-server-start", "-daemon", "config/zookeeper.properties").returncode == 0
    before = (checkout.root / "data/broker-0/meta.properties").read_text()
    done = checkout.script("kafka-server-start", "-daemon", "config/server.properties")
    assert done.returncode == 1
    assert re.search(
        r"LB-1010 broker 0's disk \(data/broker-0\) belongs to cluster \S{22} \(1 topic\b.*coordinator at localhost:\d+ is a different",
        done.stderr), done.stderr
    # Both ways out.
    assert "dataDir" in done.stderr and "scripts/reset.sh --broker 0" in done.stderr, done.stderr
    assert (checkout.root / "data/broker-0/meta.properties").read_text() == before
    done = checkout.script("reset", "--broker", 0)
    assert done.returncode == 0 and "moved" in done.stdout, done.stdout + done.stderr
    assert list((checkout.root / "run/old").glob("*/kept-0")), "nothing is deleted"
    done = checkout.script("kafka-server-start", "-daemon", "config/server.properties")
    assert done.returncode == 0, done.stderr


# 16: a quick restart, and a number that somebody else has

def test_pain_16_a_killed_broker_is_back_at_once(cluster):
    with Cluster(brokers=2) as pair:
        pair.topics("--create", "--topic", "letters", "--replica-assignment", "0:1", check=0)
        broker = pair.brokers[1]
        broker.kill()
        broker.start()
        assert "closed the session of the last start" in broker.output()
        assert "warning: the session has expired" not in broker.output()


def test_pain_16_a_number_in_use_is_refused(cluster, tmp_path):
    done = run(*broker_alone(tmp_path, cluster.client_port, 0, free_port()), timeout=30)
    assert done.returncode == 1
    assert "waits for the former registration of this broker.id to expire" in done.stdout
    assert "LB-1012 broker.id 0 is in use by host 127.0.0.1:" in done.stdout.splitlines()[-1], done.stdout


# 17: /tmp

def test_pain_17_tmp_is_warned_of(cluster, checkout):
    assert "log.dirs is under /tmp: it may vanish at the next boot" in cluster.brokers[0].output()
    assert "dataDir is under /tmp: it may vanish at the next boot" in cluster.coordinator.output()
    for file in (ROOT / "config").glob("*.properties"):
        assert "/tmp" not in file.read_text()


# 18: stopping

def test_pain_18_stop_scripts_with_nothing_running(checkout):
    for script, words in (("kafka-server-stop", "No kafka server to stop\n"), ("zookeeper-server-stop", "No zookeeper server to stop\n")):
        done = checkout.script(script)
        assert (done.returncode, done.stdout) == (1, words)


def test_pain_18_one_broker_of_three_and_then_the_others(checkout):
    assert checkout.script("cluster", "up").returncode == 0
    pids = {number: checkout.pid("broker", number) for number in range(3)}
    done = checkout.script("kafka-server-stop", "--broker-id", 1)
    assert done.returncode == 0 and re.fullmatch(r"broker 1 stopped in \d+\.\d s.*\n", done.stdout), done.stdout
    assert [runs(pids[number]) for number in range(3)] == [True, False, True]
    done = checkout.script("kafka-server-stop", "--broker-id=1")
    assert (done.returncode, done.stdout) == (1, "No kafka server to stop\n")
    # A pid file that names somebody else's process stops nobody.
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        (checkout.root / f"run/broker-1-{bystander.pid}.pid").write_text(f"{bystander.pid}\n")
        assert checkout.script("kafka-server-stop", "--broker-id=1").returncode == 1
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
    done = checkout.script("cluster", "down")
    assert done.returncode == 0, done.stdout


def coordinator_file(checkout, name, data, line="{}={}\n", **settings):
    """A coordinator's file beside the shipped one, on a port of its own; `line` is how it writes a setting."""
    file = checkout.root / "config" / name
    values = {"dataDir": data, "clientPort": free_port(), "admin.enableServer": "false", **settings}
    file.write_bytes("".join(line.format(key, value) for key, value in values.items()).encode())
    return file


def test_zkserver_means_the_coordinator_of_its_file(checkout):
    def server(word, file):
        done = checkout.script("zkServer", word, file)
        return done.returncode, done.stdout

    one = coordinator_file(checkout, "one.cfg", "data/one")
    two = coordinator_file(checkout, "two.cfg", "data/two")
    # ZooKeeper's pid file lies in dataDir: another file that names the same directory means the same coordinator.
    also_one = coordinator_file(checkout, "also-one.cfg", f"{checkout.root}/config/../data/one/")
    assert server("start", one) == (0, "STARTED\n")
    pid = checkout.pid("coordinator", 0)
    for file in (one, also_one):
        assert server("start", file) == (1, f"already running as process {pid}.\n")
    nothing = f"no zookeeper to stop (nothing of this checkout runs on dataDir {checkout.root}/data/two)\n"
    assert server("stop", two) == (0, nothing) and runs(pid)
    assert server("start", two) == (0, "STARTED\n") and runs(pid)
    assert server("stop", also_one) == (0, "STOPPED\n") and not runs(pid)
    assert server("status", one)[0] == 1 and server("status", two) == (0, "Mode: standalone\n")
    pid = checkout.pid("coordinator", 0)
    assert server("restart", two) == (0, "STOPPED\nSTARTED\n") and not runs(pid)
    pid = checkout.pid("coordinator", 0)
    # Without a file the shipped one is meant, and nobody else's coordinator.
    done = checkout.script("zkServer", "stop")
    assert done.returncode == 0 and f"dataDir {checkout.root}/data/zookeeper)" in done.stdout and runs(pid)
    done = checkout.script("zkServer", "start")
    assert (done.returncode, done.stdout) == (0, "STARTED\n") and answers(checkout.ports[2181])
    # The classic script knows of no files: it stops whatever runs from here.
    done = checkout.script("zookeeper-server-stop")
    assert done.returncode == 0 and len(re.findall(r"^coordinator stopped in \d+\.\d s$", done.stdout, re.M)) == 2, done.stdout
    assert not runs(pid) and not list((checkout.root / "run").glob("*.pid"))


@pytest.mark.parametrize("line", ["{}={}\r\n", "{} = {} \t\n", " {}: {}  \r\n", "{} {}\n"])
def test_zkserver_reads_the_file_as_the_server_does(checkout, line):
    port = free_port()
    file = coordinator_file(checkout, "odd.cfg", "data/odd", line, clientPort=port, clientPortAddress="127.0.0.1")
    for word, said in (("start", "STARTED\n"), ("status", "Mode: standalone\n"), ("stop", "STOPPED\n")):
        done = checkout.script("zkServer", word, file)
        assert (done.returncode, done.stdout) == (0, said), done.stderr
        if word == "status":
            assert f"Client port found: {port}. Client address: 127.0.0.1.\n" in done.stderr


def test_zkserver_stop_does_not_wait_for_ever(checkout):
    def server(word):
        done = checkout.script("zkServer", word, file, LETTERBOX_STOP_SECONDS="0")
        return done.returncode, done.stdout

    file = coordinator_file(checkout, "stuck.cfg", "data/stuck")
    assert server("start") == (0, "STARTED\n")
    pid = checkout.pid("coordinator", 0)
    os.kill(pid, signal.SIGSTOP)
    stuck = f"still stopping after 0 s, as process {pid}. Wait, or end it: kill -9 {pid}\n"
    assert server("stop") == (1, stuck)
    # It is not forgotten, and nothing is started beside it.
    assert server("start") == (1, f"already running as process {pid}.\n")
    assert server("restart") == (1, stuck)
    os.kill(pid, signal.SIGCONT)
    eventually(lambda: not runs(pid), "it stops once it may")
    assert server("start") == (0, "STARTED\n") and checkout.pid("coordinator", 0) != pid
    assert server("stop") == (0, "STOPPED\n")


def test_a_stop_without_the_coordinator_does_not_wait_for_it():
    with Cluster(brokers=2) as pair:
        pair.topics("--create", "--topic", "letters", "--partitions", 6, "--replication-factor", 2, check=0)
        pair.coordinator.kill()
        for broker in pair.brokers:
            eventually(lambda: "lost the coordinator" in broker.output(), "the loss is noticed")
        for broker in pair.brokers:
            broker.process.send_signal(signal.SIGTERM)
        assert [broker.process.wait(10) for broker in pair.brokers] == [0, 0]


def test_all_brokers_may_stop_at_once():
    with Cluster(brokers=3) as three:
        three.topics("--create", "--topic", "letters", "--partitions", 6, "--replication-factor", 3, check=0)
        for broker in three.brokers:
            broker.process.send_signal(signal.SIGTERM)
        assert [broker.process.wait(15) for broker in three.brokers] == [0, 0, 0]


# 19: groups on one broker

def test_pain_19_groups_work_on_one_broker_whatever_the_file_says(tmp_path):
    with Cluster(**{"offsets.topic.replication.factor": 3}) as cluster:
        cluster.create_topic("letters")
        cluster.tool("kafka-console-producer", "--bootstrap-server", cluster.bootstrap, "--topic", "letters", stdin="a\n", check=0)
        done = cluster.tool(
            "kafka-console-consumer", "--bootstrap-server", cluster.bootstrap, "--topic", "letters", "--group", "home",
            "--from-beginning", "--max-messages", 1, check=0)
        assert done.stdout == "a\n"
        assert "settings of internal topics change nothing here: there are none" in cluster.brokers[0].output()
        assert "not understood" not in cluster.brokers[0].output()


# 24: four-letter words

def test_pain_24_the_refusal_of_a_word_names_the_setting(tmp_path):
    config, port = tmp_path / "zookeeper.properties", free_port()
    config.write_text(f"dataDir={tmp_path}/tree\nclientPort={port}\nadmin.enableServer=false\n")
    coordinator = Process(
        "coordinator", [BINARY, "coordinator", config], tmp_path / "out", lambda server: "binding to port" in server.output()).start()
    try:
        def ask(word):
            with socket.create_connection(("127.0.0.1", port), 5) as asker:
                asker.sendall(word.encode())
                text = b""
                while chunk := asker.recv(4096):
                    text += chunk
                return text.decode()

        assert ask("srvr").startswith("Zookeeper version: ")
        refusal = ask("mntr")
        assert refusal.startswith("mntr is not executed because it is not in the whitelist.\n")
        assert "4lw.commands.whitelist" in refusal
    finally:
        coordinator.stop()
    shipped = (ROOT / "config/zookeeper.properties").read_text()
    words = re.search(r"4lw\.commands\.whitelist=(.*)", shipped)[1].replace(",", " ").split()
    assert words == ["srvr", "ruok", "stat", "mntr", "conf", "cons", "isro", "envi", "wchs", "dump"]


# 25: settings

def test_pain_25_misspelt_settings_are_named(cluster, tmp_path):
    command = broker_alone(
        tmp_path, free_port(), 5, **{"log.retention.hour": 1, "nonsense.at.all": 2, "zookeeper.connection.timeout.ms": 100})
    done = run(*command, timeout=20)
    line = next(line for line in done.stdout.splitlines() if "not understood" in line)
    assert "2 settings not understood: " in line
    assert "log.retention.hour (did you mean log.retention.hours?)" in line and "nonsense.at.all" in line
    done = run(*command, "--strict-config", timeout=20)
    assert done.returncode == 1 and "2 settings not understood" in done.stdout.splitlines()[-1]
    config = tmp_path / "zookeeper.properties"
    config.write_text(f"dataDir={tmp_path}/tree\nclientPort={free_port()}\ntickTimes=2000\nadmin.enableServer=false\n")
    done = run(BINARY, "coordinator", config, "--strict-config", timeout=20)
    assert done.returncode == 1
    assert "1 setting not understood: tickTimes (did you mean tickTime?)" in done.stdout
    assert not (tmp_path / "tree").exists()


# When something is off

def test_no_swift_and_an_old_swift(checkout, tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "env", "dirname", "readlink", "sed", "head", "awk", "find", "grep", "id", "cat"):
        (tools / name).symlink_to(shutil.which(name))
    done = checkout.script("cluster", "up", PATH=str(tools), LETTERBOX_BINARY="")
    assert done.returncode == 1
    assert done.stderr == "Swift 6 not found. Install it (swift.org/install, Debian 12), or put swift on PATH; then run this again.\n"
    fake = tools / "swift"
    fake.write_text("#!/bin/sh\necho 'Swift version 5.9.2 (swift-5.9.2-RELEASE)'\n")
    fake.chmod(0o755)
    for script in (("cluster", "up"), ("kafka-topics", "--list")):
        done = checkout.script(*script, PATH=str(tools), LETTERBOX_BINARY="")
        assert done.returncode == 1
        assert done.stderr == f"Swift 5.9 found at {fake}, 6.0 or newer is needed.\n"


def test_from_elsewhere_through_a_link_with_blanks(checkout, tmp_path):
    links = tmp_path / "a link"
    links.symlink_to(checkout.root / "scripts")
    single = tmp_path / "start"
    single.symlink_to(checkout.root / "scripts/zookeeper-server-start.sh")
    done = run(single, "-daemon", "config/zookeeper.properties", cwd="/")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done.stdout + done.stderr
    done = run(links / "kafka-server-start.sh", "-daemon", checkout.root / "config/server.properties", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done.stdout + done.stderr
    # Relative paths of the files count from the checkout.
    assert (checkout.root / "data/broker-0/meta.properties").exists()
    assert (checkout.root / "data/zookeeper/version-2").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a link", "start"]
    for host in ("127.0.0.1", "::1"):
        assert answers(checkout.ports[9092], host) and answers(checkout.ports[2181], host), host
        bracketed = f"[{host}]" if ":" in host else host
        done = run(links / "kafka-topics.sh", "--bootstrap-server", f"{bracketed}:{checkout.ports[9092]}", "--list", cwd="/")
        assert done.returncode == 0, done.stderr
    assert {path.name for path in checkout.root.iterdir()} == {"scripts", "config", "data", "logs", "run"}
    assert run(links / "cluster.sh", "down", cwd="/").returncode == 0


def test_a_second_start_on_the_same_data(checkout):
    assert checkout.script("cluster", "up", "--brokers", 1).returncode == 0
    done = checkout.script(
        "kafka-server-start", "config/server.properties", "--override", f"listeners=PLAINTEXT://:{free_port()}",
        "--override", "broker.id=0")
    assert done.returncode == 1
    assert re.search(r"LB-1011 data/broker-0 .*in use", done.stdout), done.stdout
    config = checkout.root / "config/second.properties"
    config.write_text(f"dataDir=data/zookeeper\nclientPort={free_port()}\nadmin.enableServer=false\n")
    done = checkout.script("zookeeper-server-start", config)
    assert done.returncode == 1 and "data/zookeeper is in use by another coordinator" in done.stdout, done.stdout
    # Neither has disturbed those that run, or their pid files.
    assert checkout.script("cluster", "status").returncode == 0
    assert checkout.topics("--list").returncode == 0
    done = checkout.script("cluster", "down")
    assert done.returncode == 0 and done.stdout.count("stopped") == 2, done.stdout


def test_daemon_reports_errors_and_returns_when_ready(checkout):
    done = checkout.script("zookeeper-server-start", "-daemon", "config/zookeeper.properties")
    assert done.returncode == 0 and answers(checkout.ports[2181])
    done = checkout.script(
        "kafka-server-start", "-daemon", "config/server.properties", "--override", "log.segment.bytes=many")
    assert done.returncode == 1 and "log.segment.bytes" in done.stderr, done.stderr
    done = checkout.script("kafka-server-start", "-daemon", "config/nowhere.properties")
    assert done.returncode == 1 and "config/nowhere.properties: cannot be read" in done.stderr
    done = checkout.script("kafka-server-start", "-daemon", "config/server.properties")
    assert done.returncode == 0 and checkout.topics("--list").returncode == 0
    assert (checkout.root / "logs/zookeeper.out").exists() and (checkout.root / "logs/kafkaServer.out").exists()


def test_the_pid_of_a_start_in_front_is_the_servers(checkout):
    starter = subprocess.Popen(
        [checkout.root / "scripts/zookeeper-server-start.sh", "config/zookeeper.properties"], stdout=subprocess.DEVNULL,
        env={**ENVIRONMENT, "LETTERBOX_BINARY": str(BINARY)})
    eventually(lambda: answers(checkout.ports[2181]), "the coordinator answers")
    assert os.readlink(f"/proc/{starter.pid}/exe").endswith("/letterbox")
    assert checkout.pid("coordinator", 0) == starter.pid
    starter.send_signal(signal.SIGTERM)
    assert starter.wait(10) == 0


def test_cluster_up_twice_kill_restart_and_the_morning_after(checkout):
    done = checkout.script("cluster", "up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r" OK +cluster \S{22} is up: controller is broker \d, 4 processes", done.stdout), done.stdout
    identity = re.search(r"cluster (\S{22})", done.stdout)[1]
    if os.getuid() == 0:
        assert done.stdout.count("running as root") == 1
    pids = sorted(checkout.pids())
    again = checkout.script("cluster", "up")
    assert again.returncode == 0 and again.stdout.count(" keep ") == 4 and sorted(checkout.pids()) == pids
    assert checkout.topics(
        "--create", "--topic", "letters", "--partitions", 3, "--replication-factor", 1).returncode == 0
    done = checkout.script("cluster", "kill", 1)
    assert done.returncode == 0 and "kill -9" in done.stdout
    done = checkout.script("cluster", "kill", 1)
    assert done.returncode == 1 and "broker 1 does not run" in done.stderr
    status = checkout.script("cluster", "status")
    assert status.returncode == 0 and not re.search("^broker 1 ", status.stdout, re.M), status.stdout
    assert re.search("^broker 2 ", status.stdout, re.M), status.stdout
    done = checkout.script("cluster", "restart", 1)
    assert done.returncode == 0 and "broker 1" in done.stdout, done.stdout + done.stderr
    status = checkout.script("cluster", "status")
    assert re.search(r"brokers +0 \S+ +1 \S+ +2 \S+", status.stdout) and "controller" in status.stdout, status.stdout
    # The power goes, and comes back.
    checkout.kill_all()
    done = checkout.script("cluster", "up")
    assert done.returncode == 0 and f"cluster {identity} is up" in done.stdout, done.stdout + done.stderr
    described = checkout.topics("--describe", "--topic", "letters").stdout
    assert described.count("Partition: ") == 3 and "none" not in described
    done = checkout.script("cluster", "down")
    assert done.returncode == 0 and done.stdout.count("stopped in") == 4, done.stdout
    done = checkout.script("cluster", "status")
    assert done.returncode == 1 and "nothing runs" in done.stdout
    assert checkout.script("cluster", "down").returncode == 1


# Every script

@pytest.mark.parametrize("name", SCRIPTS)
def test_help_goes_to_stdout_and_ends_well(name):
    done = run(ROOT / "scripts" / name, "--help", timeout=10)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert name in done.stdout, f"{name} shows no line to paste:\n{done.stdout}"


@pytest.mark.parametrize("name", [name for name in TOOLS if name not in ("status.sh", "zookeeper-shell.sh") and not name.startswith("zk")])
def test_no_words_are_answered_with_the_usage(name):
    done = run(ROOT / "scripts" / name, timeout=10)
    assert done.returncode == 1 and done.stdout == ""
    assert ("--files" if name == "kafka-dump-log.sh" else "--bootstrap-server") in done.stderr


def test_server_scripts_without_words_show_their_usage():
    for name in ("kafka-server-start.sh", "zookeeper-server-start.sh", "cluster.sh"):
        done = run(ROOT / "scripts" / name, timeout=10)
        assert done.returncode == 1 and name in done.stderr, done.stdout + done.stderr


# No line of a server's ordinary life is noise

def test_an_ordinary_day_says_nothing_twice(checkout):
    assert checkout.script("cluster", "up").returncode == 0
    assert checkout.topics("--create", "--topic", "day", "--partitions", 3, "--replication-factor", 1).returncode == 0
    bootstrap = f"localhost:{checkout.ports[9092]}"
    checkout.script("kafka-console-producer", "--bootstrap-server", bootstrap, "--topic", "day", stdin="a\nb\n")
    checkout.script(
        "kafka-console-consumer", "--bootstrap-server", bootstrap, "--topic", "day", "--from-beginning", "--group", "home",
        "--max-messages", 2)
    assert checkout.script("cluster", "down").returncode == 0
    for file in (checkout.root / "logs").glob("*.out"):
        text = file.read_text()
        lines = [line[9:] for line in text.splitlines()]
        # When all brokers stop, the last of them is told so of partitions whose only copy has gone before.
        ordinary = [line for line in lines if "found no live in-sync replica" not in line]
        assert not [line for line in ordinary if re.search("warning:|error:|Fatal|bucket", line)], text
        assert len(lines) == len(set(lines)), f"{file.name} repeats itself:\n{text}"
        assert len(lines) < 40, text
