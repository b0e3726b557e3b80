"""Curves over time and time to target, on searches small enough to follow by eye."""

import math
from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from made_study import POOL, WORKLOAD, cell, measured, planned
from raybench.analysis.anytime import Axis, curves, times_to_target, trajectory
from raybench.analysis.dataset import Dataset
from raybench.model.measurement import HeadUse, HeadUsed, Measurement, TaskStamp
from raybench.model.stats import Resampler

SEARCH = replace(WORKLOAD, name="search", tags=("hpo",))
BASE, VARIANT = cell(workload=SEARCH), cell(POOL, 2, workload=SEARCH)
DRAWS = Resampler(resamples=499)
# two tasks side by side: losses 9, 7 at 1 and 2 s; 8, 6 at 1.5 and 3 s
TASKS = (
    TaskStamp(index=0, started=0.0, ended=2.0, worker=1, steps=20, loss=7.0, points=((10, 9.0, 1.0), (20, 7.0, 2.0))),
    TaskStamp(index=1, started=0.0, ended=3.0, worker=2, steps=20, loss=6.0, points=((10, 8.0, 1.5), (20, 6.0, 3.0))),
)
PHASES = {"interpreter": 5.0, "data": 7.0, "start_up": 0.5, "warm_up": 0.25}


def variant(block: int = 0, **changes: object) -> Measurement:
    return measured(VARIANT, block, 3.2, tasks=TASKS, phases=PHASES, steps_asked=40, steps_done=40, **changes)


def loop(block: int = 0, loss: float = 6.0) -> Measurement:
    tasks = tuple(
        TaskStamp(index=i, started=2.0 * i, ended=2.0 * i + 2, worker=1, steps=20, loss=x)
        for i, x in enumerate([7.0, loss])
    )
    return measured(BASE, block, 4.0, tasks=tasks, steps_asked=40, steps_done=40)


@pytest.mark.rule(41)
def test_clock_of_a_search_starts_before_the_backend() -> None:
    """0.5 s start-up and 0.25 s warm-up before the first task; the interpreter and the data are the user's anyway."""
    path = trajectory(variant(), Axis.WALL)
    assert path.spent == pytest.approx([1.75, 2.25, 2.75, 3.75])
    assert list(path.loss) == [9, 8, 7, 6]
    assert path.end == pytest.approx(3.95)


def test_start_of_a_shared_head_counts_for_those_who_joined_it() -> None:
    path = trajectory(variant(head=HeadUsed(use=HeadUse.SHARED, start_s=3.0)), Axis.WALL)
    assert path.spent[0] == pytest.approx(4.75)


def test_best_loss_never_rises() -> None:
    worse = structs.replace(TASKS[1], points=((10, 9.5, 1.5), (20, 6.0, 3.0)))
    assert list(trajectory(replace(variant(), tasks=(TASKS[0], worse)), Axis.WALL).loss) == [9, 9, 7, 6]


def test_busy_seconds_count_all_workers() -> None:
    """At 1 s two workers have spent 2 s; at 3 s 2 + 3."""
    path = trajectory(variant(), Axis.BUSY)
    assert path.spent == pytest.approx([2, 3, 4, 5])
    assert path.end == pytest.approx(5)


def test_steps_count_all_tasks() -> None:
    assert list(trajectory(variant(), Axis.STEPS).spent) == [10, 20, 30, 40]


def test_a_task_without_reports_reports_at_its_end() -> None:
    path = trajectory(loop(), Axis.WALL)
    assert (list(path.spent), list(path.loss)) == ([2.0, 4.0], [7.0, 6.0])


@pytest.mark.rule(41)
def test_curve_is_filled_forward_onto_the_union_grid() -> None:
    later = tuple(structs.replace(t, points=tuple((s, x, at + 0.1) for s, x, at in t.points)) for t in TASKS)
    data = [variant(b) for b in range(3)] + [replace(variant(b), tasks=later) for b in range(3, 7)]
    (curve,) = curves(Dataset(planned([VARIANT], blocks=7), data))
    at = dict(zip(np.round(curve.spent, 6), curve.loss, strict=True))
    assert at[1.75].point == math.inf  # four of seven have nothing yet
    assert at[1.85].point == 9.0
    assert (at[2.25].point, at[2.25].low) == (9.0, 8.0)
    assert at[3.95].high == 6.0
    assert curve.n == 7


def test_scores_on_untouched_rows_stand_at_the_end_of_the_curve() -> None:
    (curve,) = curves(Dataset(planned([VARIANT], blocks=6), [variant(b, scores={"rmse": 5.5}) for b in range(6)]))
    assert curve.test["rmse"].point == 5.5


def test_only_searches_have_curves() -> None:
    plain = cell(POOL, 2)
    assert curves(Dataset(planned([plain]), [measured(plain, 0, 1.0, tasks=TASKS)])) == []


def test_long_curves_are_thinned_but_keep_their_ends() -> None:
    points = tuple((i, 1000.0 - i, 0.001 * (i + 1)) for i in range(900))
    m = measured(VARIANT, 0, 1.0, tasks=(TaskStamp(index=0, started=0, ended=1, worker=1, steps=900, points=points),))
    (curve,) = curves(Dataset(planned([VARIANT], blocks=1), [m]))
    assert len(curve.spent) == 200
    assert (curve.spent[0], curve.spent[-1]) == (pytest.approx(0.001), pytest.approx(1.0))


def test_time_to_the_loss_of_the_full_search() -> None:
    """The loop ends at 6.0, reached by the variant at 3.75 s; 1 % more, 6.06, no earlier."""
    data = [m for b in range(6) for m in (loop(b), variant(b))]
    found = {
        (t.cell.backend.name, t.factor): t
        for t in times_to_target(Dataset(planned([BASE, VARIANT], blocks=6), data), DRAWS)
    }
    assert found["pool", 1.0].median.point == pytest.approx(3.75)
    assert found["pool", 1.01].median.point == pytest.approx(3.75)
    assert found["pool", 1.0].successes == 6
    assert found["pool", 1.0].ert.point == pytest.approx(3.75)
    assert found["sequential", 1.0].median.point == pytest.approx(4.0)


def test_a_looser_target_is_reached_sooner() -> None:
    data = [m for b in range(6) for m in (loop(b, loss=6.95), variant(b))]
    plan = planned([BASE, VARIANT], blocks=6)
    tight, loose = (t for t in times_to_target(Dataset(plan, data), DRAWS) if t.cell == VARIANT)
    assert (tight.median.point, loose.median.point) == (pytest.approx(3.75), pytest.approx(2.75))


@pytest.mark.rule(42)
def test_searches_that_never_arrive_are_censored_and_cost_their_whole_time() -> None:
    """Two of six arrive after 3.75 s, four give up after 3.95 s: (2 x 3.75 + 4 x 3.95) / 2 = 11.65."""
    data = [loop(b, loss=6.0 if b < 2 else 5.0) for b in range(6)] + [variant(b) for b in range(6)]
    found = next(
        t for t in times_to_target(Dataset(planned([BASE, VARIANT], blocks=6), data), DRAWS) if t.cell == VARIANT
    )
    assert (found.successes, found.n) == (2, 6)
    assert found.ert.point == pytest.approx(11.65)
    assert found.median.point == math.inf
    assert found.ert.high == math.inf  # a resample without any success


def test_a_target_that_nobody_reaches_takes_for_ever() -> None:
    data = [m for b in range(6) for m in (loop(b, loss=1.0), variant(b))]
    found = next(
        t for t in times_to_target(Dataset(planned([BASE, VARIANT], blocks=6), data), DRAWS) if t.cell == VARIANT
    )
    assert (found.successes, found.ert.point) == (0, math.inf)


def test_regret_is_the_loss_above_the_best_of_all_curves() -> None:
    """Losses 9, 8, 7, 6 against a best of 5 that another curve reached: 80, 60, 40 and 20 % above it."""
    made = Dataset(planned([VARIANT], blocks=6), [variant(block) for block in range(6)])
    (curve,) = [one for one in curves(made) if one.axis is Axis.WALL]
    assert curve.best == 6.0
    seen = [regret.point for _, regret in curve.regret(5.0)]
    assert list(dict.fromkeys(np.round(seen, 9))) == [0.8, 0.6, 0.4, 0.2]
