"""kazoo's own test suite, as it lies in its sdist, passes against our coordinator as against Apache ZooKeeper 3.8.

scripts/test.sh fetches the sdist. Run are the modules that need a server; the tests below need more than one server or TLS, and
fail on a single Apache ZooKeeper for the same reason. LETTERBOX_KAZOO_SIDE_BY_SIDE=1 runs everything, those too, on both servers
and compares, which takes some minutes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import ENVIRONMENT, ROOT

SUITE = Path(os.environ.get("LETTERBOX_KAZOO_SUITE", ROOT / ".build/kazoo-suite"))
SIDE_BY_SIDE = os.environ.get("LETTERBOX_KAZOO_SIDE_BY_SIDE") == "1"

# In groups of about the same time: each has a server of its own, and all run at once.
GROUPS = [
    ["client", "interrupt"],
    ["watchers", "counter", "election", "party"],
    ["partitioner", "cache", "barrier"],
    ["lock", "queue", "lease", "connection"],
]
NEEDS_MORE = {
    "test_client.TestClient::test_update_host_list": "goes from one server to three",
    "test_client.TestSSLClient::test_create": "TLS",
    "test_client.TestReconfig::test_add_remove_observer": "an ensemble to reconfigure",
    "test_client.TestReconfig::test_bad_input": "an ensemble to reconfigure",
    "test_client.TestReconfig::test_no_super_auth": "an ensemble to reconfigure",
    "test_connection.TestReadOnlyMode::test_read_only": "an ensemble that loses its majority",
}


def suite_directory():
    found = sorted(SUITE.glob("kazoo-*/kazoo/tests"))
    assert found, f"kazoo's sdist is not in {SUITE}: scripts/test.sh clients fetches it, or name another LETTERBOX_KAZOO_SUITE"
    return found[-1].parents[1]


def outcomes(server, modules):
    """`module.Class::test` of every test run, with what became of it: passed, skipped, or why it failed."""
    directory = suite_directory()
    report = Path(tempfile.mkdtemp(prefix="kazoo-report-")) / "report.xml"
    left_away = [] if SIDE_BY_SIDE else [
        f"--deselect=kazoo/tests/{name.split('.')[0]}.py::{name.split('.', 1)[1]}" for name in NEEDS_MORE]
    version = "3.8.0" if server == "zookeeper" else "3.9.4"
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-p", "kazoo_servers", "-q", "-o", "log_cli=false",
         f"--junitxml={report}", *left_away, *[f"kazoo/tests/test_{module}.py" for module in modules]],
        cwd=directory, capture_output=True, text=True, timeout=900, env={
            **ENVIRONMENT, "CI": "1", "ZOOKEEPER_VERSION": version, "KAZOO_SUITE_SERVER": server,
            "PYTHONPATH": str(Path(__file__).parent)})
    assert report.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    results = {}
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname').rpartition('tests.')[2]}::{case.get('name')}"
        problem = next((child for child in case if child.tag in ("failure", "error")), None)
        if problem is not None:
            results[name] = (problem.get("message") or "") + "\n" + (problem.text or "")
        else:
            results[name] = "skipped" if case.find("skipped") is not None else "passed"
    shutil.rmtree(report.parent)
    return results


def run(server):
    with ThreadPoolExecutor(len(GROUPS)) as pool:
        results = {}
        for part in pool.map(lambda modules: outcomes(server, modules), GROUPS):
            results.update(part)
        return results


def failed(results):
    return {name: why for name, why in results.items() if why not in ("passed", "skipped")}


@pytest.mark.skipif(SIDE_BY_SIDE, reason="contained in the comparison")
def test_kazoos_own_suite_passes():
    results = run("letterbox")
    assert not failed(results), "\n\n".join(f"{name}\n{why[-3000:]}" for name, why in failed(results).items())
    assert sum(result == "passed" for result in results.values()) > 200


@pytest.mark.skipif(not SIDE_BY_SIDE, reason="LETTERBOX_KAZOO_SIDE_BY_SIDE=1 runs it")
def test_no_test_fails_here_that_passes_on_apache_zookeeper():
    ours, apache = run("letterbox"), run("zookeeper")
    assert ours.keys() == apache.keys()
    assert set(failed(apache)) >= set(NEEDS_MORE)
    only_here = {name: why for name, why in failed(ours).items() if apache[name] == "passed"}
    assert not only_here, "\n\n".join(f"{name}\n{why[-3000:]}" for name, why in only_here.items())
