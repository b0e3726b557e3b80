"""The runner: group after group, failures as data, nothing lost, nothing left running."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pytest

from checkout import TOYS
from raybench.config import settings
from raybench.execution.budget import Budget
from raybench.execution.run_folder import Run, identity, open_run, plan_study
from raybench.execution.runner import Event, Runner, jobs_in_order
from raybench.model.errors import StoreInUse
from raybench.model.measurement import Environment, Measurement, Sample
from raybench.model.plan import Plan, Status, Stop
from raybench.store import store
from raybench.system import process_tree

PATHS = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

RUN = [sys.executable, "-m", "raybench.cli", "run", "--no-report", "--conf", str(TOYS), "study=smoke"]


def opened(tmp_path: Path, *overrides: str) -> Run:
    asked = settings.load(
        ["study=smoke", f"reports={tmp_path}", "cpus=[1]", "backends=[sequential]", *overrides], conf=[TOYS]
    )
    made = plan_study(asked)

    def collect(plan_digest: str, command: str) -> Environment:
        """Stand in for the fingerprint, which takes seconds and is no part of running."""
        began = f"run{len(list(tmp_path.rglob('plan.json')))}"
        return Environment(machine="toy", identity=identity(made), began=began, facts={}, command=command)

    return open_run(asked, made, command="test", collect=collect)


def measured(run: Run, **options: bool) -> list[Measurement]:
    events: list[Event] = []
    with Runner(run.folder, observe=events.append, **options) as runner:
        runner.run(jobs_in_order(run.plan), Budget(seconds=600))
    return [event.measurement for event in events if event.measurement is not None]


def lines(run: Run) -> tuple[Measurement, ...]:
    return store.Store(run.folder / "measurements.jsonl").load().measurements


def only(found: Sequence[Measurement]) -> Measurement:
    (one,) = found
    return one


@pytest.mark.rule("HB10", 6)
def test_a_good_cell_gives_one_line_with_phases_stamps_and_the_workers_own_facts(tmp_path: Path):
    run = opened(tmp_path, "workloads=[toy_none]")

    found = only(measured(run))

    assert found.status is Status.OK, found.reason
    assert found.phases.interpreter > 0
    assert found.phases.makespan > 0
    assert [stamp.index for stamp in found.tasks] == [0, 1, 2, 3]
    assert all(0 <= s.started <= s.ended <= found.phases.makespan for s in found.tasks)
    assert [(w.affinity, w.omp) for w in found.workers_seen] == [(1, "1")]
    assert found.cpu_s is not None
    assert found.cpu_s > 0
    assert found.peak_rss_bytes is not None
    assert found.peak_rss_bytes > 2**20
    assert lines(run) == (found,)


def test_a_doubled_task_index_is_refused_before_a_ray_head_is_started_for_it(tmp_path: Path):
    run = opened(tmp_path, "workloads=[toy_equal_indices]", "backends=[ray_tasks,ray_actors]")
    events: list[Event] = []
    with Runner(run.folder, observe=events.append) as runner:
        runner.run(jobs_in_order(run.plan), Budget(seconds=600))

    found = [event.measurement for event in events if event.measurement is not None]
    assert {one.status for one in found} == {Status.FAILED}
    assert all("task number 1 has the index 0; indices are 0, 1, 2 ..." in one.reason for one in found)
    assert all(one.phases.start_up == 0 for one in found)


@pytest.mark.parametrize(
    ("mischief", "status", "said"),
    [
        ("wrong", Status.FAILED, "WrongAnswer: task 1: 2, expected 1"),
        ("raises", Status.FAILED, "planted"),
        ("dies", Status.FAILED, "signal 9"),
        ("hangs", Status.TIMED_OUT, "no result within 2 s; raise limits.cell_timeout_s"),
        ("eats", Status.FAILED, "out of memory"),
    ],
)
def test_mischief_becomes_a_line_with_its_reason(tmp_path: Path, mischief: str, status: Status, said: str):
    limit = ["limits.memory_gib=0.5"] if mischief == "eats" else ["limits.cell_timeout_s=2"]
    run = opened(tmp_path, f"workloads=[toy_{mischief}]", *(limit if mischief in ("eats", "hangs") else []))

    found = only(measured(run))

    assert (found.status, said in found.reason) == (status, True), found.reason
    assert process_tree.list_tagged(process_tree.runner_tag()) == []


def test_the_study_goes_on_after_a_failure(tmp_path: Path):
    run = opened(tmp_path, "workloads=[toy_none,toy_raises]", "blocks=2")

    assert Counter(m.status for m in measured(run)) == {Status.OK: 2, Status.FAILED: 2}


def test_a_finished_run_measures_nothing_more_and_failures_are_final_unless_asked(tmp_path: Path):
    run = opened(tmp_path, "workloads=[toy_none,toy_raises]")
    measured(run)

    assert measured(run) == []
    again = only(measured(run, retry_failed=True))
    assert (again.status, again.attempt) == (Status.FAILED, 2)


def test_the_same_state_resumes_and_another_plan_begins_a_new_run(tmp_path: Path):
    first = opened(tmp_path, "workloads=[toy_none]")
    same = opened(tmp_path, "workloads=[toy_none]")
    other = opened(tmp_path, "workloads=[toy_none]", "workload.toy_none.n=5")

    assert same.resumed
    assert same.folder == first.folder
    assert not other.resumed
    assert other.folder != first.folder
    assert "the plan (study, overrides or sizes)" in other.note


@pytest.mark.rule("HB9")
def test_what_is_measured_is_the_plan_that_was_stored(tmp_path: Path):
    run = opened(tmp_path, "workloads=[toy_none]", "blocks=2")

    stored: Plan = store.read_plan(run.folder)

    assert stored == run.plan


def test_whole_blocks_are_measured_and_the_budget_stops_before_the_next(tmp_path: Path):
    run = opened(tmp_path, "workloads=[toy_none]", "blocks=3")
    events: list[Event] = []

    with Runner(run.folder, observe=events.append) as runner:
        done = runner.run(jobs_in_order(run.plan), Budget(seconds=0.0))

    assert (done.measured, done.stopped) == (1, Stop.BUDGET)


def test_two_runners_on_one_store_are_refused(tmp_path: Path):
    run = opened(tmp_path, "workloads=[toy_none]")

    with store.lock(run.folder), pytest.raises(StoreInUse), store.lock(run.folder):
        pass


def test_a_runner_killed_at_any_moment_loses_nothing_and_leaves_nothing(tmp_path: Path):
    """kill -9 in mid-run, then the same command again: every measurement once, no tagged process."""
    command = [
        sys.executable, "-m", "raybench.cli", "run", "--no-report", "--conf", str(TOYS), "study=smoke",
        "workloads=[toy_none]", "backends=[sequential,joblib]", "workload.toy_none.seconds=0.05", "blocks=2",
        f"reports={tmp_path / 'reports'}",
    ]  # fmt: skip
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=PATHS)
    assert first.stdout is not None
    wait_for(" ok ", first.stdout)  # killed while the second measurement starts
    os.kill(first.pid, signal.SIGKILL)
    first.wait()

    second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=PATHS)

    assert second.returncode == 0, second.stdout + second.stderr
    assert "continuing" in second.stdout
    (file,) = (tmp_path / "reports").rglob("measurements.jsonl")
    keys = Counter(m.key for m in store.Store(file).load().measurements)
    assert set(keys.values()) == {1}
    whole = Counter((block, attempt) for _, block, _, attempt in keys)  # a group that was cut off is repeated whole
    assert all(whole[block, max(a for b, a in whole if b == block)] == 2 for block in (0, 1))
    assert gone(f"raybench-{first.pid}-")


def test_ctrl_c_exits_with_130_and_keeps_what_was_measured(tmp_path: Path):
    command = [
        sys.executable, "-m", "raybench.cli", "run", "--no-report", "--conf", str(TOYS), "study=smoke",
        "workloads=[toy_none]", "backends=[sequential,joblib]", "workload.toy_none.seconds=0.2", "blocks=3",
        f"reports={tmp_path / 'reports'}",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=PATHS)
    assert process.stdout is not None
    assert process.stderr is not None
    wait_for(" ok ", process.stdout)
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()

    assert process.wait(timeout=60) == 130
    assert "interrupted; everything measured so far is kept" in said
    (file,) = (tmp_path / "reports").rglob("measurements.jsonl")
    assert len(store.Store(file).load().measurements) >= 1
    assert gone(f"raybench-{process.pid}-")


def test_a_closed_terminal_ends_a_run_as_ctrl_c_does(tmp_path: Path):
    process = subprocess.Popen(
        [*RUN, "workloads=[toy_none]", "backends=[sequential]", "blocks=9", f"reports={tmp_path}"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=PATHS,
    )  # fmt: skip
    assert process.stdout is not None
    wait_for(" ok ", process.stdout)
    process.send_signal(signal.SIGHUP)
    _, said = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "interrupted; everything measured so far is kept" in said


def test_failures_in_a_run_give_exit_code_1_until_they_are_retried_or_accepted(tmp_path: Path):
    command = [*RUN, "workloads=[toy_raises]", "backends=[sequential]", f"reports={tmp_path}"]

    def run(*more: str) -> tuple[int, str]:
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=False, timeout=60, env=PATHS)
        return done.returncode, done.stdout + done.stderr

    first, again, accepted = run(), run(), run("accept_failed=true")

    assert first[0] == 1
    assert again[0] == 1
    assert "nothing left to measure" in again[1]
    assert "1 failed in this run: retry=failed measures them again" in again[1]
    assert accepted[0] == 0, accepted[1]


def wait_for(words: str, stream: IO[str]) -> None:
    """Read until a line holds the words; a stream that ends first is a failure, not a wait."""
    said = []
    for line in stream:
        said.append(line)
        if words in line:
            return
    pytest.fail(f"{words!r} was never said: {said}")


def test_a_load_beside_a_run_sets_samples_aside_and_there_is_a_number_all_the_same(tmp_path: Path):
    """A program of somebody else's keeps every CPU busy: its samples say so, and the process's line is good."""
    run = opened(tmp_path, "workloads=[toy_none]", "workload.toy_none.seconds=0.2")
    busy = "import os\nwhile os.getppid() != 1: pass"
    load = [subprocess.Popen([sys.executable, "-c", busy]) for _ in range(os.cpu_count() or 1)]
    try:
        found = only(measured(run))
    finally:
        for process in load:
            process.kill()
            process.wait()

    samples = store.Store(run.folder / "measurements.jsonl").load().samples
    assert found.status is Status.OK
    assert len(samples) > found.rounds + 1
    assert all("background load took" in sample.disturbance.reason for sample in samples)


def test_a_group_that_was_cut_off_comes_back_whole_as_its_next_attempt(tmp_path: Path):
    run = opened(tmp_path, "workloads=[toy_none]", "backends=[sequential,joblib]")
    raw = store.Store(run.folder / "measurements.jsonl")
    job = run.plan.jobs[0]
    raw.append(Sample(cell=job.cell.key, block=0, replica=job.replica, attempt=1, round=0, place=0, seconds=1.0))

    found = measured(run)

    assert [m.attempt for m in found] == [2, 2]
    assert measured(run) == []


def gone(prefix: str) -> bool:
    """Wait for processes that were told to end; a fixed number of looks, no clock."""
    for _ in range(200):
        if not process_tree.list_tagged(prefix):
            return True
        time.sleep(0.05)
    return False
