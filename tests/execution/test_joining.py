"""A cluster that was there before: joined or refused with one sentence, its workers, clocks and CPUs its own."""

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backends.ray_heads import head
from raybench.backends import ray_preflight, ray_probe, worker_side
from raybench.backends.clocks import on_driver_clock
from raybench.backends.ray_preflight import preflight
from raybench.backends.worker_side import RollCall, roll_call
from raybench.config import settings
from raybench.execution.joining import join, named
from raybench.execution.plausibility import most_workers_at_once
from raybench.execution.run_folder import place_of, plan_study
from raybench.model.errors import BackendFailed, BadSettings, ClusterRefused
from raybench.model.measurement import NodeClock, Point, TaskResult, worker_number
from raybench.model.plan import Cluster
from raybench.system import machine

TOKEN = "7" * 64
WORDS = ["study=smoke", "workloads=[square]", "size=tiny", "cluster=existing", "cluster.address=10.0.0.1:6379"]


def result(node: str, pid: int, started: float, ended: float) -> TaskResult:
    points = (Point(steps=1, loss=0.5, at=ended),)
    return TaskResult(index=0, answer=1, started=started, ended=ended, pid=pid, node=node, points=points)


def clock(offset_s: float, error_s: float) -> dict[str, NodeClock]:
    return {"far": NodeClock(node="far", offset_s=offset_s, error_s=error_s)}


# --- clocks and identities ------------------------------------------------------------------------


def test_a_node_with_a_clock_an_hour_off_has_its_stamps_moved_onto_ours() -> None:
    (moved,) = on_driver_clock([result("far", 1, 3602.0, 3603.0)], clock(3600.0, 0.0005), began=1.0, ended=4.0) or []
    assert (moved.started, moved.ended, moved.points[0].at) == (2.0, 3.0, 3.0)


def test_stamps_of_a_node_whose_clock_is_not_known_are_not_used() -> None:
    done = [result("far", 1, 3602.0, 3603.0)]
    assert on_driver_clock(done, clock(3600.0, 0.0011), began=1.0, ended=4.0) is None
    assert on_driver_clock(done, {}, began=1.0, ended=4.0) is None  # a node that joined meanwhile
    assert on_driver_clock(done, None, began=1.0, ended=4.0) == done  # one clock for all


def test_a_stamp_beyond_the_makespan_by_less_than_the_clocks_error_lies_on_its_end() -> None:
    (moved,) = on_driver_clock([result("far", 1, 0.9996, 4.0004)], clock(0.0, 0.0005), began=1.0, ended=4.0) or []
    assert (moved.started, moved.ended) == (1.0, 4.0)
    (moved,) = on_driver_clock([result("far", 1, 0.9, 4.1)], clock(0.0, 0.0005), began=1.0, ended=4.0) or []
    assert (moved.started, moved.ended) == (0.9, 4.1)  # the check of stamps refuses it


def test_two_nodes_with_one_process_number_are_two_workers() -> None:
    assert most_workers_at_once([result("a", 7, 0.0, 1.0), result("b", 7, 0.5, 1.5)]) == 2
    assert worker_number(0, 7) == 7
    assert worker_number(1, 7) != worker_number(0, 7)
    seen = RollCall(2)
    assert not seen.is_over([("a", 7)])
    assert seen.is_over([("b", 7)])


def test_a_roll_call_ends_after_a_time_without_a_new_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    at = iter(range(0, 10_000, 10))
    monkeypatch.setattr(worker_side, "now", lambda: float(next(at)))
    late = iter([[("n", 1)], [("n", 2)], [("n", 2)], [("n", 3)]])
    roll_call(lambda _: next(late), 3)
    with pytest.raises(BackendFailed, match="asked for 3 workers, 1 answered, and no other one for 30 s"):
        roll_call(lambda _: [("n", 1)], 3)


# --- what is planned ------------------------------------------------------------------------------


def looked_at(*overrides: str, cpus: int = 25) -> settings.Settings:
    """Return settings with a cluster as the preflight leaves it."""
    asked = settings.load([*WORDS, *overrides])
    found = ({"cpu": "c", "ray_cpus": float(cpus), "node": "node-1"},)
    cluster = named(replace(asked.study.cluster, cpus=cpus, found=found))
    return replace(asked, study=replace(asked.study, cluster=cluster))


def test_cpus_are_the_clusters_where_one_is_joined() -> None:
    made = plan_study(looked_at("backends=[sequential,joblib,ray_tasks]", "cpus=[25]"))
    assert {(job.cell.backend.name, job.cell.cpus) for job in made.jobs} == {("sequential", 1), ("ray_tasks", 25)}
    assert {job.affinity for job in made.jobs if job.cell.backend.name == "ray_tasks"} == {()}
    assert ["only Ray joins the cluster" in skip.reason for skip in made.skips] == [True]
    powers = plan_study(looked_at("backends=[ray_tasks]", "cpus=[powers]"))
    assert {job.cell.cpus for job in powers.jobs} == {1, 2, 4, 8, 16, 25}


def test_more_cpus_than_the_cluster_has_are_refused_in_one_sentence() -> None:
    with pytest.raises(BadSettings, match=r"cpus: 26 asked, the cluster existing has 25"):
        plan_study(looked_at("backends=[ray_tasks]", "cpus=[1,26]"))


def test_a_group_holds_one_process_that_joins_the_cluster() -> None:
    made = plan_study(looked_at("backends=[sequential,ray_tasks,ray_actors,ray_batched]", "cpus=[2]"))
    joined = [(job.block, job.group) for job in made.jobs if job.on_cluster]
    assert len(joined) == len(set(joined)) >= 3


def test_a_cluster_has_a_key_of_its_own() -> None:
    asked = looked_at()
    assert place_of(asked).startswith("existing-1n-25c-")
    assert place_of(asked) != place_of(looked_at(cpus=24))
    assert place_of(settings.load(["study=smoke"])) == machine.machine_key()
    assert settings.load(["study=smoke", "cluster.address=10.0.0.1:6379"]).study.cluster.is_joined


def test_a_study_on_this_machine_is_planned_without_a_look() -> None:
    asked = settings.load(["study=smoke"])
    assert join(asked) is asked
    assert plan_study(asked).usable_cpus == machine.usable_cpus()


# --- what cannot be joined ------------------------------------------------------------------------


def refusal(address: str) -> str:
    with pytest.raises(ClusterRefused) as caught:
        preflight(Cluster(name="existing", address=address))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_rays_client_is_refused_with_what_to_do_instead() -> None:
    assert "submit a job instead" in refusal("ray://10.0.0.1:10001")


@pytest.mark.ray
@pytest.mark.timeout(240)
def test_wrong_addresses_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is no address; expected HOST:PORT" in refusal("nowhere")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert "unreachable, Connection refused" in refusal(f"127.0.0.1:{free.getsockname()[1]}")
    monkeypatch.setattr(ray_probe, "JOIN_LIMIT_S", 12.0)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        assert "from what listens there" in refusal(f"127.0.0.1:{deaf.getsockname()[1]}")


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """Start a head of 25 logical CPUs that asks for a token."""
    with head({**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}, cpus=25) as address:
        yield address


@pytest.mark.ray
@pytest.mark.timeout(400)
def test_a_token_is_found_where_the_user_has_it_and_asked_for_where_not(
    guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (ray_preflight.MODE, ray_preflight.TOKEN, ray_preflight.TOKEN_PATH):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "asks for a token and none was sent" in refusal(guarded)
    monkeypatch.setenv(ray_preflight.MODE, "token")
    assert "asks for a token and none was sent" in refusal(guarded)
    monkeypatch.setenv(ray_preflight.TOKEN, "wrong")
    assert "refuses the token that was sent" in refusal(guarded)
    monkeypatch.delenv(ray_preflight.MODE)
    monkeypatch.delenv(ray_preflight.TOKEN)
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text(TOKEN)
    found = preflight(Cluster(name="existing", address=guarded))
    assert (found.cpus, found.token, len(found.found)) == (25, True, 1)
    assert socket.gethostname() not in str(found.found)
