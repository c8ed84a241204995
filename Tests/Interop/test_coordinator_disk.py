"""The coordinator's disk: exchanged with Apache ZooKeeper's in both directions, and in every trouble a disk can make."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

from coordinator_load import JAR, Coordinator, Load, client, dump
from harness import BINARY, ENVIRONMENT, eventually

needs_apache = pytest.mark.skipif(
    shutil.which("java") is None or not JAR.exists(), reason="Debian's zookeeper package is not installed")


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

        def open_in(program):
            coordinator.move()
            getattr(coordinator, program)()
            for each in [keeper, *(load.client for load in everybody)]:
                each.set_hosts(coordinator.hosts)
            eventually(lambda: keeper.connected and all(load.client.connected for load in everybody), "sessions are resumed")

        for leg, (one, other) in enumerate(zip(order, order[1:])):
            # The server it spoke to was killed: the first try may go to nobody.
            name = keeper.retry(keeper.create, "/counted/n-", b"", sequence=True)
            assert former is None or int(name[-10:]) == int(former[-10:]) + 1, f"{former}, then {name}"
            former = name
            before = coordinator.zxid
            loads = run_load(coordinator, f"leg{leg}-{one}", 150)
            everybody += loads
            open_in(other)
            finish(loads)
            assert keeper.client_id == session, "by its id and password"
            data, stat = keeper.retry(keeper.get, "/kept")
            assert data == b"by its session" and stat.owner_session_id == session[0]
            found = dump(coordinator.hosts)
            for load in everybody:
                load.check(found)
                assert load.client.client_id == load.session
            assert coordinator.zxid > before
            if leg == 1:
                # What one has opened the other opens the same: every node's data, stat and list.
                coordinator.kill()
                open_in(one)
                assert strip(dump(coordinator.hosts)) == strip(found)
        for load in everybody:
            load.client.stop()
            load.client.close()
        keeper.stop()
        found = dump(coordinator.hosts)
        assert "/kept" not in found and not [path for path in found if "/mine-" in path], "sessions end with their nodes"


def strip(found):
    """Without the servers' own counting, which both repeat when they replay a log over what a snapshot has already."""
    return {path: entry for path, entry in found.items() if not path.endswith("/zookeeper_stats")}


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


# Troubles of a disk.


@contextlib.contextmanager
def killed_directory(**settings):
    """A directory of ours after kill -9: some acknowledged changes, and the place of the last transaction in its log."""
    with Coordinator(**settings) as coordinator:
        coordinator.ours(snapCount=100000)
        writer = client(coordinator.hosts)
        for number in range(30):
            writer.create(f"/n{number:02d}", b"%d" % number * 100)
        coordinator.kill()
        writer.stop()
        writer.close()
        yield coordinator


def nodes(coordinator):
    reader = client(coordinator.hosts)
    found = {name for name in reader.get_children("/") if name != "zookeeper"}
    reader.stop()
    reader.close()
    return found


def used(log):
    """How much of a log is not zeros written ahead."""
    return len(log.read_bytes().rstrip(b"\0"))


def check(coordinator, *words):
    done = subprocess.run(
        [BINARY, "coordinator", "check", coordinator.directory / "data", *words], capture_output=True, text=True, timeout=60,
        env=ENVIRONMENT)
    return done.returncode, done.stdout


def test_a_torn_tail_is_cut_and_said():
    with killed_directory() as coordinator:
        log = coordinator.logs()[-1]
        whole = log.read_bytes()[:used(log)]
        log.write_bytes(whole[:-30])
        status, said = check(coordinator)
        assert status == 0 and "a write that never ended" in said and "it would cut" in said, said
        assert log.read_bytes() == whole[:-30], "explaining changes nothing"
        coordinator.ours()
        line = next(line for line in coordinator.process.output().splitlines() if ": cut " in line)
        assert log.name in line and "everything up to" in line
        assert nodes(coordinator) == {f"n{number:02d}" for number in range(29)}
        assert list((coordinator.files / "set-aside").iterdir())


@pytest.mark.parametrize("kind", ["flipped", "zeros"])
def test_damage_in_the_middle_is_refused_explained_and_repaired_on_request(kind):
    with killed_directory() as coordinator:
        log = coordinator.logs()[-1]
        whole = bytearray(log.read_bytes())
        middle = used(log) // 2
        if kind == "flipped":
            whole[middle] ^= 0x10
        else:
            whole[middle:middle + 600] = bytes(600)
        log.write_bytes(whole)
        line = coordinator.refused()
        assert "is damaged in the middle" in line and str(log) in line and "--execute" in line
        assert log.read_bytes() == bytes(whole)
        status, said = check(coordinator)
        assert status == 1 and "DAMAGE" in said and "A start is refused" in said, said
        status, said = check(coordinator, "--execute")
        assert status == 0 and "A start succeeds" in said, said
        coordinator.ours()
        found = nodes(coordinator)
        assert 0 < len(found) < 30 and found == {f"n{number:02d}" for number in range(len(found))}


def test_an_empty_newest_log_and_an_empty_newest_snapshot_are_no_obstacle():
    with killed_directory() as coordinator:
        last = coordinator.logs()[-1]
        (coordinator.files / "log.ff").write_bytes(b"")
        assert "transactions" in coordinator.refused(), "its name says that there was more before it"
        (coordinator.files / "log.ff").unlink()
        (coordinator.files / "log.20").write_bytes(b"")
        (coordinator.files / "snapshot.20").write_bytes(b"")
        assert "transactions 0x20 to 0x20 are missing" in coordinator.refused(), "its name says that there was more"
        (coordinator.files / "snapshot.20").rename(coordinator.files / "snapshot.1f")
        coordinator.ours()
        assert "snapshot.1f is not whole and was passed over" in coordinator.process.output()
        assert len(nodes(coordinator)) == 30
        assert last.exists()


def test_a_missing_snapshot_and_a_missing_log_are_explained():
    with Coordinator() as coordinator:
        coordinator.ours(snapCount=40)
        writer = client(coordinator.hosts)
        for number in range(200):
            writer.create(f"/n{number}", b"")
        eventually(lambda: len(coordinator.snapshots()) > 2, "snapshots are taken")
        coordinator.kill()
        writer.stop()
        middle = coordinator.logs()[1]
        snapshots = coordinator.snapshots()
        aside = coordinator.directory / "aside"
        aside.mkdir()
        for file in snapshots[1:]:
            file.rename(aside / file.name)
        middle.rename(aside / middle.name)
        line = coordinator.refused()
        assert "are missing" in line and "Put the missing log file back" in line
        for file in [snapshots[0], coordinator.logs()[0]]:
            file.rename(aside / file.name)
        line = coordinator.refused()
        assert "No snapshot found, but there are log entries" in line and "snapshot.trust.empty" in line
        for file in aside.iterdir():
            file.rename(coordinator.files / file.name)
        coordinator.ours()
        assert len(nodes(coordinator)) == 200


def test_directories_that_cannot_be_used_are_named(tmp_path):
    with killed_directory() as coordinator:
        # Logs in the other's directory are not passed over.
        assert "Move the log.* files there" in coordinator.refused(dataLogDir=tmp_path)
        coordinator.ours()
        second = Coordinator(coordinator.directory)
        second.settings["dataDir"] = coordinator.settings["dataDir"]
        assert "is in use by another coordinator" in second.refused()
        coordinator.kill()
        (tmp_path / "file").write_text("")
        assert "cannot be made" in coordinator.refused(dataDir=tmp_path / "file/data")
        if os.geteuid() == 0 and shutil.which("setpriv"):
            # As nobody, who may not even look.
            tmp_path.chmod(0o700)
            before = ["setpriv", "--reuid", "65534", "--clear-groups"]
        else:
            before = []
            coordinator.directory.joinpath("data").chmod(0o500)
        process = coordinator.ours(wait=False, before=before)
        eventually(lambda: not process.alive, "the start is refused")
        assert process.process.returncode != 0 and "permission" in process.output().lower(), process.output()
        coordinator.directory.joinpath("data").chmod(0o700)


@pytest.fixture
def small_disk():
    """A file system of 3 MB."""
    place = tempfile.mkdtemp(prefix="letterbox-small-")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], capture_output=True)
    if done.returncode != 0:
        os.rmdir(place)
        pytest.skip("a small file system cannot be mounted here")
    yield Path(place)
    subprocess.run(["umount", place], check=True)
    os.rmdir(place)


def test_a_file_system_that_is_read_only_is_refused_and_left_as_it_is(small_disk):
    with Coordinator(dataDir=small_disk / "data") as coordinator:
        coordinator.ours()
        writer = client(coordinator.hosts)
        writer.create("/n", b"")
        coordinator.kill()
        writer.stop()
        writer.close()
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        try:
            assert "ead-only file system" in coordinator.refused()
        finally:
            subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
        coordinator.ours()
        assert nodes(coordinator) == {"n"}


def test_a_full_disk_loses_nothing_acknowledged_and_goes_on_when_there_is_room(small_disk):
    with Coordinator(dataDir=small_disk / "data") as coordinator:
        coordinator.ours(snapCount=100000)
        filler = small_disk / "filler"
        filler.write_bytes(bytes(1 << 20))
        writer = KazooClient(hosts=coordinator.hosts, timeout=6)
        writer.start(20)
        done = []
        for number in range(3000):
            try:
                writer.create_async(f"/n{number:04d}", bytes(2000)).get(timeout=3)
                done.append(f"n{number:04d}")
            except (KazooException, writer.handler.timeout_exception):
                break
        assert 100 < len(done) < 2999
        eventually(lambda: "the disk is full" in coordinator.process.output(), "the coordinator says why")
        assert coordinator.process.alive
        # Killed while full, it starts without room, and waits again.
        coordinator.kill()
        writer.stop()
        coordinator.ours(snapCount=100000)
        filler.unlink()
        found = nodes(coordinator)
        assert set(done) <= found and len(found) <= len(done) + 1
        assert coordinator.process.stop() == 0


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_sync_that_fails_ends_the_process_with_one_line_and_no_promise(tmp_path):
    with Coordinator() as coordinator:
        process = coordinator.ours(
            wait=False, before=["strace", "-f", "-qq", "-o", tmp_path / "trace", "-e", "trace=fdatasync", "-e",
                                "inject=fdatasync:error=EIO:when=12+"])
        eventually(lambda: not process.alive or "binding to port" in process.output(), "it runs under strace")
        if not process.alive:
            pytest.skip("strace may not trace here")
        writer = KazooClient(hosts=coordinator.hosts, timeout=6, connection_retry={"max_tries": 0})
        writer.start(20)
        done = []
        with contextlib.suppress(KazooException, writer.handler.timeout_exception):
            for number in range(50):
                writer.create_async(f"/n{number}", b"").get(timeout=10)
                done.append(f"n{number}")
        writer.stop()
        eventually(lambda: not process.alive, "it ended")
        assert process.process.returncode == 1
        line, = [line for line in process.output().splitlines() if " error" in line]
        assert "the transaction log cannot be written" in line and "fdatasync" in line
        assert 0 < len(done) < 50
        coordinator.ours()
        assert nodes(coordinator) == set(done)


@needs_apache
def test_the_tools_print_what_apaches_print():
    with Coordinator(preAllocSize=64) as coordinator:
        coordinator.apache(snapCount=100000)
        loads = run_load(coordinator, "tools", 60)
        coordinator.ours()
        finish(loads)
        for load in loads:
            load.client.stop()
        assert coordinator.process.stop() == 0
        logs, snapshots = coordinator.logs(), coordinator.snapshots()
        assert len(logs) > 1

        def both(name, kind, *words):
            ours = subprocess.run([BINARY, name, *words], capture_output=True, env={**ENVIRONMENT, "TZ": "UTC"})
            java = subprocess.run(
                ["java", "-Duser.timezone=UTC", "-Duser.language=en", "-XX:TieredStopAtLevel=1", "-cp", JAR,
                 f"org.apache.zookeeper.server.{kind}", *words],
                capture_output=True)
            assert ours.returncode == java.returncode == 0, (ours.stderr, java.stderr)
            return [out.stdout.decode(errors="replace").splitlines() for out in (ours, java)]

        for log in logs:
            ours, theirs = both("zkTxnLogToolkit", "persistence.TxnLogToolkit", log)
            assert len(ours) == len(theirs)
            for one, other in zip(ours, theirs):
                # A multi's operations are bytes printed as text, which each language mends in its own way.
                if " multi " not in other:
                    # 3.9 spells it as the others; 3.8 does not.
                    assert one == other.replace(" createTtl ", " createTTL ")
        for snapshot in snapshots:
            ours, theirs = both("zkSnapShotToolkit", "SnapshotFormatter", "-d", snapshot)
            # The order among siblings, and of sessions, is each program's own.
            assert sorted(ours) == sorted(theirs)
