"""Several Ray nodes on this machine: apart, joined by a driver beside the head, and gone without a trace."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raybench.execution.leftovers import remove_leftovers
from raybench.execution.nodes import Nodes
from raybench.execution.sandbox import Home
from raybench.model.clock import now, pause
from raybench.model.errors import RaybenchError
from raybench.model.plan import Cluster
from raybench.system import namespaces, process_tree

REFUSED = namespaces.unavailable()
pytestmark = [pytest.mark.cluster, pytest.mark.ray, pytest.mark.skipif(bool(REFUSED), reason=REFUSED)]
TOKEN = "7" * 64
LOOK = """
import json, os, sys, ray
ray.init(address=sys.argv[1], log_to_driver=False)
@ray.remote(num_cpus=1)
def where(_):
    import os, socket, time
    time.sleep(0.2)
    return socket.gethostname()
nodes = [{"cpus": n["Resources"].get("CPU", 0), "ip": n["NodeManagerAddress"]} for n in ray.nodes() if n["Alive"]]
there = sorted(set(ray.get([where.remote(i) for i in range(24)])))
print("\\n" + json.dumps({"nodes": nodes, "tasks_on": there, "driver_on": os.uname().nodename}))
"""


@pytest.fixture
def home() -> Iterator[Home]:
    with Home() as opened:
        yield opened


def look(nodes: Nodes, home: Home) -> dict[str, Any]:
    """Join the nodes by a driver and say what it sees, and where its tasks ran."""
    done = subprocess.run(
        nodes.command([sys.executable, "-c", LOOK, nodes.address], cwd=home.scratch),
        env={**os.environ, **nodes.variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def left_of(home_tag: str) -> list[str]:
    return [process.name() for process in process_tree.list_tagged(home_tag)]


def test_a_driver_without_cpus_of_its_own_uses_both_other_nodes(home: Home) -> None:
    with Nodes(Cluster(name="driver_node", nodes=(0, 1, 1)), home, token=TOKEN) as nodes:
        found = look(nodes, home)
        assert nodes.lost() == []
        assert nodes.cpu_s() > 0
        nodes.kill(3)
        assert nodes.lost() == [3]
    assert sorted(node["cpus"] for node in found["nodes"]) == [0, 1, 1]
    assert {node["ip"] for node in found["nodes"]} == {room.address for room in nodes.rooms}
    assert found["driver_on"] == "node1"
    assert found["tasks_on"] == ["node2", "node3"]
    assert left_of(home.tag) == []
    assert list(home.scratch.iterdir()) == []


def test_nothing_of_a_cluster_outlives_its_runner(tmp_path: Path) -> None:
    """Killed at once, the runner leaves two folders, which the next one removes; its processes end by themselves."""
    runner = (
        "import sys, time\n"
        "from raybench.execution.nodes import Nodes\n"
        "from raybench.execution.sandbox import Home\n"
        "from raybench.model.plan import Cluster\n"
        "with Home() as home, Nodes(Cluster(name='two', nodes=(1, 1)), home, token='7' * 64) as nodes:\n"
        "    print(home.tag, home.scratch, flush=True)\n"
        "    time.sleep(600)\n"
    )
    mounts = Path("/proc/self/mounts").read_text()
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, "-c", runner], stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        tag, scratch = process.stdout.readline().split()
        assert "raylet" in left_of(tag)
        os.kill(process.pid, signal.SIGKILL)
    deadline = now() + 10
    while left_of(tag) and now() < deadline:
        pause(0.1)
    assert left_of(tag) == []
    assert Path(scratch) in remove_leftovers().folders
    assert not Path(scratch).exists()
    assert Path("/proc/self/mounts").read_text() == mounts
    assert subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout == links


def test_a_start_that_fails_says_why_and_leaves_nothing(home: Home) -> None:
    too_small = Cluster(name="broken", nodes=(1,), object_store_mib=1)
    with (
        pytest.raises(RaybenchError, match=r"cluster 'broken': node 1 of 1: ray start failed: .*object store"),
        Nodes(too_small, home, token=TOKEN),
    ):
        pass
    assert left_of(home.tag) == []
    assert list(home.scratch.iterdir()) == []


def test_a_machine_that_permits_no_namespaces_is_told_so(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with (
        pytest.raises(RaybenchError, match="cluster 'two': network namespaces need root"),
        Nodes(Cluster(name="two", nodes=(1, 1)), home, token=TOKEN),
    ):
        pass
