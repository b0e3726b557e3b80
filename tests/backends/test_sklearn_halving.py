"""Halving by scikit-learn, against survivors and sums worked out by hand."""

import os
from pathlib import Path

import pytest
import task_sets

from peers.backends.sklearn_halving import SklearnHalving, iterations, join_fits
from raybench.backends.base import Resources
from raybench.model.measurement import Point, Task, TaskResult, WorkerSeen


def fit(*reached: int, began: float, loss: float = 1.0, pid: int = 1, seen: WorkerSeen | None = None) -> TaskResult:
    """Make a fit that reports one second after another."""
    points = tuple(Point(steps=steps, loss=loss / steps, at=began + 1 + k) for k, steps in enumerate(reached))
    return TaskResult(
        index=0,
        answer=reached,
        started=began,
        ended=points[-1].at,
        pid=pid,
        steps=reached[-1],
        loss=points[-1].loss,
        points=points,
        seen=seen,
    )


def test_the_joined_fits_of_a_task_begin_with_the_first_and_end_as_the_last() -> None:
    whole = join_fits([fit(1, began=0.0), fit(1, 3, began=10.0, pid=2)])
    assert (whole.started, whole.ended, whole.pid) == (0.0, 12.0, 2)
    assert (whole.steps, whole.loss, whole.answer) == (3, 1 / 3, (1, 3))
    assert whole.tries == 2


def test_a_loss_that_is_reached_again_counts_from_its_first_time() -> None:
    whole = join_fits([fit(1, began=0.0), fit(1, 3, began=10.0), fit(1, 3, 9, began=20.0)])
    assert [(p.steps, p.at) for p in whole.points] == [(1, 1.0), (3, 12.0), (9, 23.0)]


@pytest.mark.parametrize(
    ("count", "top", "expected"),
    [
        (1, 9, 1),  # nothing to choose from
        (2, 9, 1),  # fewer than three candidates are the last ones
        (3, 9, 2),
        (12, 9, 3),  # 12, 4, 2
        (60, 500, 4),  # 60, 20, 7, 3
        (20, 500, 3),  # 20, 7, 3
        (60, 60, 2),  # at 20 and at the full budget, 60
        (60, 15, 1),  # below the first rung all there is is the full budget
    ],
)
def test_iterations_end_when_few_are_left_or_the_full_budget_is_reached(count: int, top: int, expected: int) -> None:
    tasks = [Task(index=i, params={}, steps=top) for i in range(count)]
    every = (1, 3, 9) if top == 9 else (20, 60, 180)
    rungs = tuple(rung for rung in every if rung <= top)
    assert iterations(rungs, tasks, reduction_factor=3) == expected


def test_a_third_goes_on_from_its_first_step_and_the_last_ones_run_in_full() -> None:
    workload = task_sets.Steps(n=12)  # the lower the index, the lower the loss at each rung
    with SklearnHalving(Resources(workers=2)) as backend:
        results = backend.run(workload, workload.tasks(0), workload.data(0))
    # 12 candidates run 1 step, the 4 best of them 3 steps, the 2 best of these 9, which is their budget
    assert [r.steps for r in results] == [9, 9, 3, 3, *[1] * 8]
    assert [r.tries for r in results] == [3, 3, 2, 2, *[1] * 8]
    assert [[p.steps for p in r.points] for r in results[:3]] == [[1, 3, 9], [1, 3, 9], [1, 3]]
    assert [r.answer is not None for r in results] == [True, True, *[False] * 10]
    search = backend.details.search
    assert search is not None
    assert search.fits == 12 + 4 + 2
    assert search.steps_run == 12 * 1 + 4 * 3 + 2 * 9
    assert search.steps_repeated == 2 * (1 + 3) + 2 * 1  # of the two in full, and of the two stopped at 3


def test_a_budget_between_two_rungs_is_not_overrun() -> None:
    workload = task_sets.Steps(n=3)
    tasks = [Task(index=i, params={"value": i}, steps=steps) for i, steps in enumerate((2, 9, 9))]
    with SklearnHalving(Resources(workers=1)) as backend:
        results = backend.run(workload, tasks, workload.data(0))
    workload.check(tasks, results, 0)
    assert [r.steps for r in results] == [2, 1, 1]


def test_scikit_learn_uses_the_workers_that_were_started_and_met() -> None:
    workload = task_sets.Steps(n=4)
    with SklearnHalving(Resources(workers=1)) as backend:
        started = set(backend._loky._pool.executor._processes)
        results = backend.run(workload, workload.tasks(0), workload.data(0))
        again = backend.run(workload, workload.tasks(0), workload.data(0))
    assert {r.pid for r in [*results, *again]} == started
    assert len(started) == 1
    assert os.getpid() not in started


def test_a_collected_failure_loses_to_every_loss_and_is_not_tried_again() -> None:
    workload = task_sets.Steps(n=4)
    workload.collect_errors = True  # type: ignore[attr-defined]
    tasks = [Task(index=0, params={}, steps=9), *workload.tasks(0)[1:]]
    with SklearnHalving(Resources(workers=1)) as backend:
        results = backend.run(workload, tasks, workload.data(0))
    assert [r.error for r in results] == ["task 0 raised KeyError: 'value'", "", "", ""]
    assert [r.tries for r in results] == [1, 2, 2, 1]  # of four the two best go on


def test_a_failure_without_steps_is_a_result_too(tmp_path: Path) -> None:
    collects = task_sets.Raises(n=4, folder=str(tmp_path), collect=True)
    with SklearnHalving(Resources(workers=1)) as backend:
        results = backend.run(collects, collects.tasks(0), collects.data(0))
    assert [r.error for r in results] == [*[""] * 3, "task 3 raised ValueError: planted failure"]
