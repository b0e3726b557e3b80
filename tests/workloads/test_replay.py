"""Replayed tasks wait as long as they are told or as others were recorded, and a check sees when one did not."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from made_study import POOL, SEQUENTIAL, cell, measured, planned, stamps
from raybench.model.errors import BackendFailed, WrongAnswer
from raybench.model.measurement import Task, TaskResult
from raybench.store.store import MEASUREMENTS, Store, write_plan
from raybench.workloads.base import BLOCK
from raybench.workloads.recorded import RUN
from raybench.workloads.replay import Replay, ReplaySearch

SEED = 3
ALONE = {"workload": "work", "backend": "sequential", "cpus": 1}
LENGTHS = (0.5, 0.25, 1.0)


def results(tasks: list[Task], *, late_s: float = 0.0, steps: int = 0) -> list[TaskResult]:
    return [
        TaskResult(
            index=t.index, answer=t.params["number"], started=5.0, ended=5.0 + t.params["seconds"] + late_s, pid=1
        )
        for t in tasks
    ]


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A run of two blocks in which the sequential baseline ran three tasks; in the second one twice as long."""
    base, pool = cell(SEQUENTIAL), cell(POOL, 2)
    write_plan(tmp_path, planned([base, pool], blocks=2))
    store = Store(tmp_path / MEASUREMENTS)
    for block in (0, 1):
        ends = np.cumsum([0.0, *LENGTHS]) * (block + 1)
        spans = [(1, float(a), float(b)) for a, b in pairwise(ends)]
        store.append(measured(base, block, 2.0, tasks=stamps(spans)))
    return tmp_path


def test_given_lengths_are_taken_in_turn_and_inflated():
    replay = Replay(seconds=[0.1, 0.2], count=5, inflation=1.5)

    assert replay.lengths(SEED) == pytest.approx([0.15, 0.3, 0.15, 0.3, 0.15])


def test_jitter_spreads_lengths_within_its_bounds_and_is_drawn_from_the_seed():
    replay = Replay(seconds=0.5, count=200, jitter=0.1)

    lengths = replay.lengths(SEED)
    assert min(lengths) >= 0.45 and max(lengths) <= 0.55
    assert len(set(lengths)) > 190
    assert lengths == replay.lengths(SEED) != replay.lengths(SEED + 1)


def test_a_workload_per_cpu_has_that_many_tasks_on_one():
    assert len(Replay(seconds=0.5, per_cpu=10).tasks(SEED)) == 10


def test_recorded_lengths_are_those_of_the_block_that_is_measured(recorded, monkeypatch):
    monkeypatch.setenv(RUN, str(recorded))
    for block, factor in ((0, 1), (1, 2), (7, 2)):
        monkeypatch.setenv(BLOCK, str(block))
        assert Replay(recorded=ALONE).lengths(SEED) == pytest.approx([factor * s for s in LENGTHS])


def test_more_tasks_than_recorded_are_drawn_from_the_recorded_lengths(recorded):
    lengths = Replay(recorded={**ALONE, "run": str(recorded)}, count=50).lengths(SEED)

    assert len(lengths) == 50
    assert set(lengths) == set(LENGTHS)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (ALONE, "no run to read it from"),
        ({**ALONE, "cpus": 2, "backend": "pool"}, "no good measurement"),
        ({**ALONE, "run": "/nowhere"}, "plan.json"),
    ],
)
def test_a_recording_that_is_not_there_is_named(source, said, recorded, monkeypatch):
    monkeypatch.delenv(RUN, raising=False)
    if source.get("backend") == "pool":
        monkeypatch.setenv(RUN, str(recorded))

    with pytest.raises(BackendFailed, match=said):
        Replay(recorded=source).lengths(SEED)


def test_a_task_that_came_back_too_soon_or_with_another_s_answer_is_wrong():
    replay = Replay(seconds=0.5, count=4)
    tasks = replay.tasks(SEED)

    replay.check(tasks, results(tasks, late_s=0.01), SEED)
    with pytest.raises(WrongAnswer, match="asked for"):
        replay.check(tasks, results(tasks, late_s=-0.01), SEED)
    with pytest.raises(WrongAnswer):
        replay.check(tasks, [replace(r, answer=0) for r in results(tasks)], SEED)


def test_the_waits_that_were_asked_for_go_into_the_raw_line():
    replay = Replay(seconds=0.5, count=4, jitter=0.1)
    tasks = replay.tasks(SEED)

    assert replay.details(tasks, results(tasks)).waits_s == tuple(replay.lengths(SEED))


def test_a_trial_that_is_stopped_early_was_to_wait_for_the_part_that_it_did():
    search = ReplaySearch(seconds=0.9, count=2, steps=9, rungs=[3, 9])
    tasks = search.tasks(SEED)
    losses = [task.params["quality"] + 1 - 3 / 9 for task in tasks]
    stopped = [
        TaskResult(index=t.index, answer=loss, started=0.0, ended=0.4, pid=1, steps=3)
        for t, loss in zip(tasks, losses, strict=True)
    ]

    search.check(tasks, stopped, SEED)
    assert search.details(tasks, stopped).waits_s == pytest.approx([0.3, 0.3])
    with pytest.raises(WrongAnswer):
        search.check(tasks, [replace(r, ended=0.2) for r in stopped], SEED)
