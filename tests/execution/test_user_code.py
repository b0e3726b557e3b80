"""Whatever a user's workload raises, returns or yields: the measurement has a line that names it."""

import json
import os
import sys

import pytest

from raybench.backends.bare_processes import BareProcesses
from raybench.backends.base import Resources
from raybench.execution.measure import measure
from raybench.execution.verify_backend import verify_backend
from raybench.execution.worker import prints_to_stderr
from raybench.model.measurement import Measurement
from raybench.model.plan import Cell, Job, Spec, Status
from raybench.model.serialize import to_json
from raybench.workloads.base import drawn
from toys.quirks import Quirk

LOOP = Spec(name="sequential", target="raybench.backends.sequential.Sequential", tags=("serial",))
NO_START = Spec(name="no start", target="toys.backends.NeverStarted", tags=("serial",))


def measured(mode: str, backend: Spec = LOOP, *, count: int = 4) -> Measurement:
    """Measure the quirk in this process; what comes back can be stored."""
    affinity = tuple(sorted(os.sched_getaffinity(0)))  # this process loaded its libraries with all their threads
    spec = Spec(name="quirk", target="toys.quirks.Quirk", params={"mode": mode, "count": count})
    cell = Cell(workload=spec, backend=backend, workers=1, cpus_per_task=len(affinity))
    found = measure(Job(cell=cell, block=0, order=0, seed=7, affinity=affinity))
    json.dumps(to_json(found))
    return found


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("exit in __init__", "quirk: Quirk() raised SystemExit: 3"),
        ("exit in tasks", "`tasks` raised SystemExit: 3"),
        ("interrupt in data", "`data` raised KeyboardInterrupt"),
        ("exit in prepare", "`prepare` raised SystemExit: 3"),
        ("own error in prepare", "`prepare` raised OwnError: 7: in prepare"),
        ("exit", "task 3 raised SystemExit: 3"),
        ("interrupt", "task 3 raised KeyboardInterrupt"),
        ("own error", "task 3 raised OwnError: 7: in run"),
        ("wordless error", "task 3 raised Wordless: its text cannot be read (RuntimeError)"),
        ("control characters", r"task 3 raised ValueError: red \x1b[31m and \u202e turned, \udcff lost"),
        ("exit in check", "`check` raised SystemExit: 3"),
        ("text for tasks", "Quirk.tasks returned 'abc' (str); expected a list of Task"),
        ("equal indices", "Quirk.tasks: task number 1 has the index 0; indices are 0, 1, 2 ..., each once"),
        ("returns", "task 0: `run` returned 0 (int); it must yield Progress, e.g. `yield Progress(answer=...)`"),
        ("yields nothing", "task 0: `run` yielded nothing; it must yield Progress"),
        ("yields a text", "task 3: `run` yielded 'not progress' (str); it must yield Progress"),
        ("loss is a text", "task 0: Progress.loss is '1.0' (str); expected a number or None"),
        ("answers with a lambda", "(function), cannot be sent back: pickling it raised"),
        ("score is a list", "Quirk.score returned a list; expected a mapping of names to numbers"),
        ("score is a text", "Quirk.score: rmse is 'abc', a str; expected a number"),
        ("score is NaN", "Quirk.score: rmse is nan; expected a finite number"),
        ("object in facts", "facts['x']['y'] is of the type object, no JSON value"),
        ("facts are None", "Quirk.facts returned a NoneType; expected a mapping of names to values"),
        ("unpicklable", "Quirk cannot be sent to a worker: pickling the workload raised"),
        ("in place", "task 0 raised ValueError: output array is read-only"),
        ("in place, few", "task 0 raised ValueError: output array is read-only"),
    ],
)
def test_what_user_code_does_wrong_is_a_failed_line_that_names_it(mode: str, said: str):
    found = measured(mode)

    assert found.status is Status.FAILED
    assert said in found.reason


@pytest.mark.parametrize("mode", ["object in facts", "score is a text", "exit in check"])
def test_a_fault_found_after_the_tasks_keeps_phases_and_stamps(mode: str):
    found = measured(mode)

    assert found.phases.makespan > 0
    assert [stamp.index for stamp in found.tasks] == [0, 1, 2, 3]


@pytest.mark.parametrize("mode", ["loss of numpy, 32", "loss of numpy, 64", "numpy in tasks"])
def test_numpy_s_numbers_in_tasks_and_losses_are_stored_as_python_s(mode: str):
    found = measured(mode)

    assert found.status is Status.OK, found.reason
    assert {type(stamp.index) for stamp in found.tasks} == {int}
    assert {type(stamp.loss) for stamp in found.tasks} <= {float, type(None)}


def test_numpy_s_numbers_in_facts_and_scores_are_stored_as_python_s():
    assert measured("numpy in facts").facts == {"rows": 3, "part": [0.5]}
    assert measured("numpy in score").scores == {"rmse": 2.0}


def test_tasks_of_numpy_s_numbers_are_the_tasks_of_python_s():
    assert measured("numpy in tasks").tasks_hash == measured("ok").tasks_hash


@pytest.mark.parametrize(
    ("mode", "count", "said"),
    [("equal indices", 4, "has the index 0"), ("ok", 0, "Quirk.tasks returned no task; expected at least one")],
)
def test_a_wrong_task_set_is_refused_before_the_backend_is_started(mode: str, count: int, said: str):
    found = measured(mode, NO_START, count=count)

    assert found.status is Status.FAILED
    assert said in found.reason


def test_verifying_goes_on_after_a_workload_that_exits():
    modes = ("exit", "exit in tasks", "equal indices", "ok")
    specs = [Spec(name=mode, target="toys.quirks.Quirk", params={"mode": mode}) for mode in modes]
    found = list(verify_backend(LOOP, specs, Resources(workers=1), seed=1))

    assert [one.status for one in found] == [Status.FAILED] * 3 + [Status.OK]
    assert "task 3 raised SystemExit: 3" in found[0].reason


@pytest.mark.parametrize(
    ("mode", "said"), [("own error in prepare", "OwnError: 7: in prepare"), ("exit", "task 3 raised SystemExit: 3")]
)
def test_the_hardware_ceiling_names_what_its_copies_raise_and_serves_on(mode: str, said: str):
    with BareProcesses(Resources(workers=2)) as backend:
        wrong, right = Quirk(mode=mode), Quirk(mode="pool")
        with pytest.raises(Exception, match=said):
            backend.run(wrong, wrong.tasks(0), wrong.data(0))
        results = backend.run(right, right.tasks(0), right.data(0))
    right.check(right.tasks(0), results, 0)  # a task may have a pool of its own: the copies are no daemons


def test_what_a_workload_prints_goes_to_standard_error(capfd: pytest.CaptureFixture[str]):
    with prints_to_stderr():
        assert measured("prints").status is Status.OK
    sys.stdout.write("{}\n")
    said = capfd.readouterr()

    assert said.out == "{}\n"
    assert "noise below Python" in said.err
    assert "noise\n" in said.err


def test_a_check_draws_another_task_from_block_to_block(monkeypatch: pytest.MonkeyPatch):
    places = []
    for block in range(20):
        monkeypatch.setenv("RAYBENCH_BLOCK", str(block))
        places.append(drawn(7, 4))
        assert drawn(7, 4) == places[-1]
    assert set(places) == {0, 1, 2, 3}
