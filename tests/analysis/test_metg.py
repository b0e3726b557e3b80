"""METG on a synthetic backend, whose METG is known by formula."""

from dataclasses import replace

import numpy as np
import pytest

from made_study import POOL, cell, measured, planned
from raybench.analysis.dataset import Dataset
from raybench.analysis.metg import Curve, curves, find_crossing
from raybench.model.measurement import Measurement, SweepTiming
from raybench.model.plan import Status
from raybench.model.stats import Resampler

UNIT_S = 1e-8  # seconds per unit of work of the bare loop
BASE = cell()
DRAWS = Resampler(resamples=499)


def ladder(cpus: int, *, overhead_s: float, dispatch_s: float, step: float = 2.0, noise: float = 1.0) -> tuple:
    """Make the ladder of a backend that costs `overhead_s` in the worker and `dispatch_s` in the driver per task."""
    tasks = max(200, 50 * cpus)
    works = np.round(0.25 / UNIT_S / step ** np.arange(int(np.log(5000) / np.log(step)) + 1)).astype(int)
    return tuple(
        SweepTiming(
            work=int(work),
            tasks=tasks,
            wall_s=noise * tasks * max((work * UNIT_S + overhead_s) / cpus, dispatch_s),
            busy_s=tasks * work * UNIT_S,
            workers=cpus,
        )
        for work in works
    )


def study(cpus: int, *, blocks: int = 6, **law: float) -> Curve:
    where = cell(POOL, cpus)
    data = [measured(BASE, b, 1.0, sweep=ladder(1, overhead_s=0, dispatch_s=0)) for b in range(blocks)]
    data += [measured(where, b, 1.0, sweep=ladder(cpus, **law)) for b in range(blocks)]
    (found,) = curves(Dataset(planned([BASE, where], blocks=blocks), data), DRAWS)
    return found


@pytest.mark.rule(33)
@pytest.mark.parametrize(
    ("cpus", "overhead_s", "dispatch_s", "step"),
    [
        (2, 1e-3, 1e-5, 2.0),
        (2, 1e-2, 1e-4, 2.0),
        (16, 1e-4, 1e-6, 2.0),
        (2, 1e-4, 4e-3, 2**0.25),
        (16, 1e-3, 1e-3, 2**0.25),
    ],
)
@pytest.mark.parametrize("level", [0.5, 0.7, 0.8])
def test_metg_of_a_backend_with_known_costs_is_found_within_5_percent(
    cpus: int, overhead_s: float, dispatch_s: float, step: float, level: float
) -> None:
    """Work per task at METG(x) is max(x / (1 - x) o_w, x P t_d); granularity is that over x."""
    known = max(level / (1 - level) * overhead_s, level * cpus * dispatch_s)
    curve = study(cpus, overhead_s=overhead_s, dispatch_s=dispatch_s, step=step)
    (found,) = [m for m in curve.metg if m.level == level]
    assert found.mark == ""
    assert found.work.point == pytest.approx(known, rel=0.05)
    assert found.granularity.point == pytest.approx(known / level, rel=0.05)


def test_wide_steps_never_make_metg_too_small() -> None:
    for overhead_s in np.geomspace(5e-4, 5e-3, 7):
        for metg in study(2, overhead_s=float(overhead_s), dispatch_s=2e-3).metg:
            known = max(overhead_s / (1 - metg.level), 2 * 2e-3)
            assert metg.granularity.point >= known * (1 - 1e-4)  # works are rounded to whole units


@pytest.mark.rule(33)
def test_a_level_never_reached_is_marked_and_its_bound_is_open() -> None:
    curve = study(2, overhead_s=0.2, dispatch_s=0)
    (half, _, most) = curve.metg
    assert curve.peak == pytest.approx(0.25 / 0.45)
    assert half.mark == ""
    assert (most.mark, most.granularity.high) == (">", np.inf)
    assert most.granularity.point == pytest.approx(0.45)


def test_a_ladder_too_short_to_show_metg_is_marked() -> None:
    (half, *_) = study(2, overhead_s=0, dispatch_s=0).metg
    assert (half.mark, half.granularity.low) == ("<", 0.0)
    assert half.granularity.point == pytest.approx(0.25 / 2**12, rel=1e-3)


def test_the_overhead_fit_bounds_metg_where_resamples_are_censored() -> None:
    """Efficiency of 0.8 is reached in half of the blocks only, by the longest tasks: 0.25 / 0.8 s is the truth."""
    where, rng = cell(POOL, 2), np.random.default_rng(2)
    data = [measured(BASE, b, 1.0, sweep=ladder(1, overhead_s=0, dispatch_s=0)) for b in range(10)]
    data += [
        measured(where, b, 1.0, sweep=ladder(2, overhead_s=0.25 / 4, dispatch_s=0, noise=float(k)))
        for b, k in enumerate(np.exp(0.02 * rng.normal(size=10)))
    ]
    (curve,) = curves(Dataset(planned([BASE, where]), data), DRAWS)
    found = curve.metg[2].granularity
    assert found.low < 0.25 / 0.8 < found.high < np.inf


def test_a_curve_that_turns_back_gives_the_rung_itself() -> None:
    """The shorter tasks have the larger granularity: nothing to interpolate."""
    works, gran, eff = np.array([4.0, 2.0, 1.0]), np.array([[4.0, 2.2, 2.5]]), np.array([[1.0, 0.9, 0.4]])
    assert find_crossing(works, gran, eff, np.array([1.0]), 0.8)[0] == pytest.approx(2.2)


def test_granularity_includes_overhead_and_idle() -> None:
    """0.25 s of work and 0.05 s of overhead on each of 2 cores: 0.3 core-seconds per task, efficiency 5/6."""
    rung = study(2, overhead_s=0.05, dispatch_s=0).steps[0]
    assert rung.granularity.point == pytest.approx(0.3)
    assert rung.efficiency.point == pytest.approx(5 / 6)
    assert rung.work_s == pytest.approx(0.25)


def test_fewer_than_six_blocks_leave_metg_without_an_interval() -> None:
    found = study(2, blocks=5, overhead_s=1e-3, dispatch_s=0).metg[0].granularity
    assert (found.flag, found.high) == ("insufficient", np.inf)
    assert found.point == pytest.approx(2e-3, rel=0.01)


def test_only_task_lengths_that_every_block_has_are_used() -> None:
    where = cell(POOL, 2)
    whole = ladder(2, overhead_s=1e-3, dispatch_s=0)
    data = [measured(BASE, b, 1.0, sweep=ladder(1, overhead_s=0, dispatch_s=0)) for b in range(6)]
    data += [measured(where, b, 1.0, sweep=whole if b else whole[:-3]) for b in range(6)]
    (curve,) = curves(Dataset(planned([BASE, where], blocks=6), data), DRAWS)
    assert len(curve.steps) == len(whole) - 3


def test_an_unequal_number_of_tasks_is_flagged() -> None:
    where = cell(POOL, 2)
    rungs = ladder(2, overhead_s=1e-3, dispatch_s=0)
    data = [measured(BASE, b, 1.0, sweep=ladder(1, overhead_s=0, dispatch_s=0)) for b in range(6)]
    data += [measured(where, b, 1.0, sweep=(*rungs[:-1], replace(rungs[-1], tasks=50))) for b in range(6)]
    (curve,) = curves(Dataset(planned([BASE, where], blocks=6), data), DRAWS)
    assert curve.flags == ("unequal numbers of tasks",)


def test_an_impossible_efficiency_is_flagged() -> None:
    assert "timed wrongly" in study(2, overhead_s=0, dispatch_s=0, noise=0.5).flags


def test_a_backend_without_a_ladder_says_why() -> None:
    where = cell(POOL, 2)
    failed: list[Measurement] = [
        replace(measured(where, b, 0.0), status=Status.FAILED, reason="worker died") for b in range(6)
    ]
    data = [measured(BASE, b, 1.0, sweep=ladder(1, overhead_s=0, dispatch_s=0)) for b in range(6)]
    (curve,) = curves(Dataset(planned([BASE, where], blocks=6), data + failed), DRAWS)
    assert (curve.reason, curve.metg) == ("6 x worker died", ())
