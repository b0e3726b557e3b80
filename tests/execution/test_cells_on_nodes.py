"""Real cells on several Ray nodes: every backend, each result once and checked, nodes lost, drivers without CPUs."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest

from raybench.config import settings
from raybench.execution.group import Group, Repeats, Rounds
from raybench.execution.member import Member
from raybench.execution.nodes import Nodes
from raybench.execution.run_folder import plan_study
from raybench.execution.sandbox import Home
from raybench.execution.series import Order
from raybench.model.measurement import HeadUse, Measurement
from raybench.model.plan import Job, Status, needs_ray
from raybench.system import namespaces, process_tree

REFUSED = namespaces.unavailable()
pytestmark = [pytest.mark.cluster, pytest.mark.ray, pytest.mark.skipif(bool(REFUSED), reason=REFUSED)]
TOKEN = "7" * 64
CATALOGUE = settings.load(["study=everything"]).study
RAY = sorted(name for name, spec in CATALOGUE.backends.items() if "ray" in spec.requires.packages)
SEARCH = {name for name in RAY if CATALOGUE.backends[name].requires.tags}  # they need trials
CASES = [
    *[("german_credit", name) for name in RAY if name not in SEARCH],
    *[("xgb_hpo", name) for name in RAY],
]


def planned(*overrides: str) -> list[Job]:
    words = ["study=smoke", "cpus=[all]", "limits.cell_timeout_s=150", *overrides]
    return [job for job in plan_study(settings.load(words)).jobs if needs_ray(job.cell)]


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with Home() as opened:
        yield opened


@pytest.fixture(scope="module")
def two_nodes(home: Home) -> Iterator[Nodes]:
    with Nodes(settings.load(["study=smoke", "cluster=two_nodes"]).study.cluster, home, token=TOKEN) as nodes:
        yield nodes


def measured(job: Job, home: Home, nodes: Nodes) -> Measurement:
    group = Group([job], home, token=TOKEN, keep=lambda sample: None, origin=0.0, nodes=nodes)
    rounds = Rounds(count=1, reason="a test")
    ((_, ended),) = group.run(rounds, Repeats(budget_s=0.0), started=lambda job: None)
    return ended.measurement


@pytest.mark.slow
@pytest.mark.parametrize(("workload", "backend"), CASES)
def test_each_backend_gives_every_result_once_on_two_nodes(
    workload: str, backend: str, home: Home, two_nodes: Nodes
) -> None:
    (job,) = planned("cluster=two_nodes", f"workloads=[{workload}]", f"backends=[{backend}]")

    found = measured(job, home, two_nodes)

    assert found.status is Status.OK, found.reason
    assert [stamp.index for stamp in found.tasks] == list(range(len(found.tasks)))
    assert len(found.tasks) == {"german_credit": 8, "xgb_hpo": 4}[workload]
    assert found.head is not None
    assert found.head.use is HeadUse.JOINED
    if "ray_tune" not in backend:  # four short trials may all fall to the actor that is up first
        assert len(found.nodes_seen) == 2
    assert len({stamp.worker for stamp in found.tasks}) <= 2 or CATALOGUE.backends[backend].role == "documented"


@pytest.mark.slow
def test_a_driver_on_a_node_without_cpus_gets_every_result(home: Home) -> None:
    (job,) = planned("cluster=driver_node", "workloads=[german_credit]", "backends=[ray_tasks]")
    with Nodes(job.cluster, home, token=TOKEN, name="d") as nodes:
        found = measured(job, home, nodes)
    assert found.status is Status.OK, found.reason
    assert len(found.tasks) == 8
    assert len(found.nodes_seen) == 2


@pytest.mark.slow
def test_a_node_that_dies_in_mid_run_costs_no_result(home: Home) -> None:
    """180 tasks on 2 + 2 CPUs; the second node dies while they run."""
    (job,) = planned(
        "cluster=two_nodes_of_two", "workloads=[sleep]", "backends=[ray_tasks]", "oversubscribe=true", "cpus=[4]",
        "workload.sleep.n=180", "workload.sleep.seconds=0.1",
    )  # fmt: skip
    with (
        Nodes(job.cluster, home, token=TOKEN, name="k") as nodes,
        Member(job, home, name="1", token=TOKEN, nodes=nodes) as member,
    ):
        dies = Timer(2.0, nodes.kill, [2])
        dies.start()
        sample = member.sample(Order(round=0, place=0))
        dies.join()
        assert nodes.lost() == [2]
        found = member.end().measurement
    assert found.status is Status.OK, found.reason
    assert sample is not None
    assert [stamp.index for stamp in found.tasks] == list(range(180))
    assert max(stamp.ended for stamp in found.tasks) > 2.0
    assert not process_tree.list_tagged(f"{home.tag}k:")
    assert not process_tree.list_tagged(f"{home.tag}1:")


def command(folder: Path, *words: str) -> list[str]:
    run = [sys.executable, "-m", "raybench", "run", "--no-report", "study=smoke", f"reports={folder}"]
    backends = "backends=[sequential,joblib,ray_tasks,ray_actors]"
    return [*run, "cluster=two_nodes", "workloads=[square]", backends, *words]


@pytest.mark.slow
def test_run_starts_the_nodes_measures_on_them_and_ends_them(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command(tmp_path), env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ray_tasks" in done.stdout
    assert "ray_actors" in done.stdout


@pytest.mark.slow
def test_ctrl_c_ends_the_nodes_too(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    words = command(tmp_path, "blocks=100", "budget_min=20")
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if "ray_" in line:
                break
        tags = f"{process_tree.TAGS}{child.pid}-"
        assert any(process.name() == "raylet" for process in process_tree.list_tagged(tags))
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=120)
    assert child.returncode == 130
    assert not process_tree.list_tagged(tags)
