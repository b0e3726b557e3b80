"""One measurement: what became of it is said in its line, whatever its code did to the process that ran it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from checkout import TOYS
from raybench.config import settings
from raybench.execution import take as taking
from raybench.execution.child import Ending
from raybench.execution.run_folder import plan_study
from raybench.execution.sandbox import MEMORY, OWNER, Home
from raybench.execution.take import Watched, classify, memory_limit, take
from raybench.model.measurement import Disturbance, Measurement
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


def taken(home: Home, how: str, *overrides: str, backend: str = "sequential") -> Measurement:
    return take(job(f"workload.toy_hostile.how={how}", *overrides, backend=backend), home, name="1")[0]


def watched(**changes: object) -> Watched:
    quiet = Watched(
        spawned=0.0,
        ending=Ending(lines=(), returncode=-9, most_bytes=GIB // 2),
        disturbance=Disturbance(),
        cpu_s=1.0,
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


def test_a_child_that_floods_its_pipe_ends_at_its_time_out(home: Home) -> None:
    found = taken(home, "floods", "limits.cell_timeout_s=3")
    assert (found.status, found.reason) == (
        Status.TIMED_OUT,
        "no result within 3 s; raise limits.cell_timeout_s if it needs longer",
    )


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
    found = take(chosen, home, name="1")[0]
    assert found.status is Status.FAILED
    assert "quirk.txt" in found.reason


def test_a_kill_by_the_kernel_for_memory_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raybench.system.kernel.memory_allowed", lambda: GIB)
    found = classify(job(), watched(oom_kills=1))
    assert found.reason == ("out of memory: the kernel ended a process; the tree held 0.50 GiB of 1.00 GiB allowed")


def test_a_kill_by_somebody_else_is_not_called_out_of_memory() -> None:
    assert classify(job(), watched()).reason.startswith("the process ended with signal 9 (SIGKILL)")


def test_a_line_that_is_deeply_nested_is_refused_and_not_a_crash() -> None:
    ending = Ending(lines=("[" * 100_000,), returncode=0)
    assert classify(job(), watched(ending=ending)).status is Status.FAILED


def test_a_good_line_is_kept_as_it_is() -> None:
    line = json.dumps({"cell": job().cell.key, "block": 0, "replica": 1, "attempt": 1, "status": "ok"})
    found = classify(job(), watched(ending=Ending(lines=("noise", line), returncode=0)))
    assert (found.status, found.reason) == (Status.OK, "")


def test_the_memory_limit_is_the_containers_where_that_is_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking.kernel, "memory_allowed", lambda: GIB)
    assert memory_limit(None) == int(0.9 * GIB)
    assert memory_limit(5) == 5
    monkeypatch.setattr(taking.kernel, "memory_allowed", lambda: None)
    assert memory_limit(None) == int(0.9 * psutil.virtual_memory().total)
