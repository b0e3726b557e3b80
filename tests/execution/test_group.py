"""A group of resident processes: alternating rounds, and one line for each process, whatever its code did to it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from checkout import TOYS
from raybench.config import settings
from raybench.execution import classify as classifying
from raybench.execution.child import Ending
from raybench.execution.classify import Watched, classify, memory_limit
from raybench.execution.group import Group, Repeats, Rounds
from raybench.execution.member import Member
from raybench.execution.run_folder import plan_study
from raybench.execution.sandbox import MEMORY, OWNER, Home
from raybench.execution.series import Order
from raybench.model.clock import pause
from raybench.model.measurement import Disturbance, Measurement, Sample
from raybench.model.plan import Job, Status
from raybench.system import process_tree

GIB = 2**30


@pytest.fixture
def home() -> Iterator[Home]:
    with Home() as opened:
        yield opened


def job(*overrides: str, backend: str = "sequential") -> Job:
    words = ["study=smoke", "workloads=[toy_hostile]", f"backends=[{backend}]", "cpus=[1]", "limits.cell_timeout_s=20"]
    return plan_study(settings.load([*words, *overrides], conf=[TOYS])).jobs[0]


def run(
    home: Home, *jobs: Job, rounds: int = 1, repeats: Repeats | None = None
) -> tuple[list[Measurement], list[Sample]]:
    """Run a group; return the lines of its processes, in the order of the jobs, and their samples."""
    samples: list[Sample] = []
    group = Group(jobs, home, token="0" * 64, keep=samples.append, origin=0.0)
    wanted = Rounds(count=rounds, reason="a test")
    ended = group.run(wanted, repeats or Repeats(budget_s=0.0), started=lambda job: None)
    return [end.measurement for _, end in ended], samples


def taken(home: Home, how: str, *overrides: str, backend: str = "sequential") -> Measurement:
    (line,), _ = run(home, job(f"workload.toy_hostile.how={how}", *overrides, backend=backend))
    return line


def watched(**changes: object) -> Watched:
    quiet = Watched(
        ending=Ending(lines=(), returncode=-9, most_bytes=GIB // 2),
        line=None,
        limit_bytes=2 * GIB,
        oom_kills=0,
    )
    return replace(quiet, **changes)


def test_a_damaged_answer_is_one_failed_line(home: Home) -> None:
    found = taken(home, "writes_garbage")
    assert found.status is Status.FAILED
    assert found.reason.startswith("the child's answer cannot be read: ")
    assert "garbage" in found.reason


def test_an_answer_for_another_cell_is_refused(home: Home) -> None:
    found = taken(home, "writes_another_line")
    assert (found.status, found.key) == (Status.FAILED, job("workload.toy_hostile.how=writes_another_line").key)
    assert "another measurement" in found.reason


def test_a_child_that_floods_its_pipe_is_ended(home: Home) -> None:
    found = taken(home, "floods", "limits.cell_timeout_s=3")
    assert found.status in (Status.FAILED, Status.TIMED_OUT)
    assert not process_tree.list_tagged(home.tag)


def jobs(*overrides: str, backends: str = "sequential,joblib", **changes: object) -> list[Job]:
    words = ["study=smoke", "workloads=[primes]", f"backends=[{backends}]", "cpus=[2]", *overrides]
    return [replace(j, **changes) for j in plan_study(settings.load(words)).jobs]  # type: ignore[arg-type]


def test_a_baseline_begins_and_ends_each_round_on_every_core_in_turn(home: Home) -> None:
    group = sorted(jobs(), key=lambda j: j.cell.backend.name)  # joblib, sequential
    lines, samples = run(home, *group, rounds=3)
    assert [line.status for line in lines] == [Status.OK, Status.OK]
    baseline, pool = group[1].cell.key, group[0].cell.key
    assert [s.cell for s in samples] == [baseline, pool, baseline, pool, baseline, pool, baseline]
    assert [s.round for s in samples if s.cell == baseline] == [0, 1, 2, 3]
    assert [s.place for s in samples] == list(range(7))
    cores = [s.cores for s in samples if s.cell == baseline]
    assert all(len(core) == 1 for core in cores)
    assert len(set(cores)) == len({cpu for j in group for cpu in j.affinity})


def test_the_line_of_a_process_tells_of_its_first_sample(home: Home) -> None:
    lines, samples = run(home, *jobs("size=quick", backends="sequential"), rounds=3)
    assert len(samples) == 4
    assert samples[0].loops == 1
    assert lines[0].phases.makespan == pytest.approx(samples[0].seconds, rel=1e-3)
    assert all(0 <= task.started <= task.ended <= lines[0].phases.makespan + 1e-6 for task in lines[0].tasks)
    assert (lines[0].rounds, lines[0].rounds_reason) == (3, "a test")


def test_short_task_sets_are_repeated_within_a_sample(home: Home) -> None:
    _, samples = run(home, *jobs(backends="sequential"))
    assert all(s.loops > 1 and s.loops * s.seconds > 0.1 for s in samples)
    assert all(len(s.task_s) == 5 and s.task_s[0] <= s.task_s[-1] for s in samples)


def test_a_process_that_fails_costs_its_cell_the_group_and_never_the_others(home: Home) -> None:
    bad = job("workload.toy_hostile.how=exits")
    lines, samples = run(home, bad, *jobs(), rounds=2)
    by_cell = {line.cell: line for line in lines}
    assert by_cell[bad.cell.key].status is Status.FAILED
    assert [line.status for line in lines if line.cell != bad.cell.key] == [Status.OK, Status.OK]
    assert len(samples) == 3 + 2


def test_disturbed_rounds_are_repeated_while_that_may_help(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raybench.system.interference.judge", lambda *_, **__: Disturbance(reason="others"))
    hopeless = Repeats(budget_s=1e9)
    _, samples = run(home, *jobs(backends="sequential"), rounds=1, repeats=hopeless)
    assert len(samples) > 2
    assert not hopeless.allowed()
    _, samples = run(home, *jobs(backends="sequential"), rounds=1, repeats=Repeats(budget_s=0.0))
    assert len(samples) == 2


@pytest.mark.ray
def test_a_ray_tree_is_frozen_while_others_run_and_goes_on(home: Home) -> None:
    (tree,) = jobs(backends="ray_tasks")
    with Member(tree, home, name="f", token="0" * 64) as member:
        assert member.alive
        members = process_tree.tree(f"{home.tag}f:")
        assert len(members) > 3
        assert {p.status() for p in members} == {psutil.STATUS_STOPPED}
        pause(3.0)
        sample = member.sample(Order(round=0, place=0))
        assert sample is not None
        assert member.end().measurement.status is Status.OK


def test_a_finished_measurement_counts_although_a_forked_process_lives_on(home: Home) -> None:
    found = taken(home, "forks")
    assert found.status is Status.OK, found.reason


@pytest.mark.parametrize("groups", [True, False])
def test_a_daemon_is_ended_with_its_measurement(home: Home, groups: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not groups:  # as an ordinary user has it
        monkeypatch.setattr("raybench.system.meter.new_group", lambda *_: "control groups are not writable")
    found = taken(home, "leaves_a_daemon")
    assert found.status is Status.OK, found.reason
    assert not [p for p in psutil.process_iter(["cmdline"]) if "3601" in (p.info["cmdline"] or [])]
    assert groups or set(found.strays) == {"sleep"}


def test_a_task_that_removes_its_working_folder_removes_a_scratch_folder(home: Home, tmp_path: Path) -> None:
    found = taken(home, "removes_its_folder")
    assert found.status in (Status.OK, Status.FAILED)
    assert Path.cwd().is_dir()
    assert tmp_path.is_dir()


def test_a_process_that_ends_without_a_word_is_named_with_its_exit_code(home: Home) -> None:
    found = taken(home, "exits")
    assert found.reason.startswith("the process ended with exit code 5 and no result")


def test_a_killed_pool_leaves_no_process_no_semaphore_and_no_folder(home: Home) -> None:
    found = taken(home, "kills_its_parent", backend="joblib")
    assert "signal 9 (SIGKILL)" in found.reason
    (driver,) = (home.memory / OWNER).read_text().split()
    assert not list(MEMORY.glob(f"sem.loky-{driver}-*"))
    assert [path.name for path in (*home.memory.iterdir(), *home.scratch.iterdir())] == [OWNER]
    assert not process_tree.list_tagged(home.tag)


@pytest.mark.parametrize("backend", ["sequential", "joblib"])
def test_no_task_sees_the_folder_of_the_users_shell(
    home: Home, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "quirk.txt").write_text("x")
    chosen = job("workload.toy_hostile.how=reads_a_file", backend=backend)
    monkeypatch.chdir(tmp_path)
    (found,), _ = run(home, chosen)
    assert found.status is Status.FAILED
    assert "quirk.txt" in found.reason


def test_a_kill_by_the_kernel_for_memory_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raybench.system.kernel.memory_allowed", lambda: GIB)
    found = classify(job(), watched(oom_kills=1))
    assert found.reason == ("out of memory: the kernel ended a process; the tree held 0.50 GiB of 1.00 GiB allowed")


def test_a_kill_by_somebody_else_is_not_called_out_of_memory() -> None:
    assert classify(job(), watched()).reason.startswith("the process ended with signal 9 (SIGKILL)")


def test_a_line_that_is_deeply_nested_is_refused_and_not_a_crash() -> None:
    assert classify(job(), watched(line="[" * 100_000)).status is Status.FAILED


def test_a_good_line_is_kept_as_it_is() -> None:
    line = json.dumps({"cell": job().cell.key, "block": 0, "replica": 1, "attempt": 1, "status": "ok"})
    found = classify(job(), watched(line=line))
    assert (found.status, found.reason) == (Status.OK, "")


def test_the_memory_limit_is_the_containers_where_that_is_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifying.kernel, "memory_allowed", lambda: GIB)
    assert memory_limit(None) == int(0.9 * GIB)
    assert memory_limit(5) == 5
    monkeypatch.setattr(classifying.kernel, "memory_allowed", lambda: None)
    assert memory_limit(None) == int(0.9 * psutil.virtual_memory().total)
