"""kafka-dump-log.sh says of Apache Kafka's own files what Apache Kafka's tool says: every recorded dump, byte for byte."""

import subprocess

import pytest

from harness import BINARY, ENVIRONMENT, ROOT

LOGS = ROOT / "Tests/CommitLogTests/Golden"
STORED = ROOT / "Tests/ToolsTests/Golden"
DUMPS = sorted([*(LOGS / "dump").glob("*.txt"), *(STORED / "dump").glob("*.txt")])


def dump(folder, *words):
    return subprocess.run(
        [ROOT / "scripts/kafka-dump-log.sh", *words], cwd=folder, capture_output=True, timeout=60,
        env={**ENVIRONMENT, "LETTERBOX_BINARY": str(BINARY)})


@pytest.mark.parametrize("recorded", DUMPS, ids=lambda path: path.stem)
def test_recorded(recorded):
    directory, name = recorded.stem.rsplit("_", 1)
    words, folder = ["--print-data-log"], LOGS / "log-dir"
    if directory.startswith("__consumer_offsets"):
        words, folder = ["--offsets-decoder"], LOGS / "internal"
    elif directory.startswith("__transaction_state"):
        words, folder = ["--transaction-log-decoder"], STORED
    done = dump(folder, *words, "--files", f"{directory}/{name}")
    assert done.returncode == 0 and done.stderr == b""
    assert done.stdout == recorded.read_bytes()


def test_damaged_and_missing_files_are_told(tmp_path):
    whole = (LOGS / "internal/__consumer_offsets-1/00000000000000000000.log").read_bytes()
    path = tmp_path / "0.log"
    path.write_bytes(whole[:-5])
    done = dump(tmp_path, "--offsets-decoder", "--files", "0.log")
    assert done.returncode == 0 and done.stdout.endswith(b"\nFound 104 invalid bytes at the end of 0.log\n")
    # A member's name in a group's record: the batch is told to be damaged, the record is shown as it stands.
    path.write_bytes(whole.replace(b"gold-consumer-2", b"gold-consumer-3"))
    done = dump(tmp_path, "--offsets-decoder", "--files", "0.log")
    assert done.returncode == 0 and b"isvalid: false\n| offset: 2 " in done.stdout
    assert b'"leader":"gold-consumer-3' in done.stdout
    for name in ["1.log", "1.index", "1.snapshot", "leader-epoch-checkpoint"]:
        done = dump(tmp_path, "--offsets-decoder", "--files", name)
        assert done.returncode == 1 and done.stderr.endswith(b": No such file or directory\n")
