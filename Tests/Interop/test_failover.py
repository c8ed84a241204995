"""Whatever is killed, paused or restarted under load: what was acknowledged is there, once, in order, on every replica.

LETTERBOX_FAILOVER_ROUNDS=30 plays every kind so many times on each coordinator; by default each kind is played once on ours, and
on Apache ZooKeeper the death of the coordinator."""

import os
import shutil
from pathlib import Path

import pytest

from failover import KINDS, Scene

ROUNDS = os.environ.get("LETTERBOX_FAILOVER_ROUNDS")
needs_apache = pytest.mark.skipif(
    shutil.which("java") is None or not Path("/usr/share/java/zookeeper.jar").exists(),
    reason="Debian's zookeeper package is not installed")


@pytest.fixture(scope="module", params=[
    "letterbox", pytest.param("zookeeper", marks=needs_apache), pytest.param("ensemble", marks=needs_apache)])
def scene(request):
    with Scene(request.param) as scene:
        failed = request.session.testsfailed
        yield scene
        if request.session.testsfailed > failed:
            print(f"logs and data kept in {scene.cluster.directory}")
            scene.cluster.keep = True


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_acknowledged_is_lost(scene, kind):
    if not ROUNDS and scene.kind != "letterbox" and kind != "coordinator":
        pytest.skip("played with LETTERBOX_FAILOVER_ROUNDS")
    if scene.broken:
        pytest.skip("this cluster failed in another kind of round")
    scene.play(kind, int(ROUNDS or 1))
    print(f"{kind} on {scene.kind}: {sum(scene.checked)} records so far, all found, once, in order, three times")
