"""Backends beside the ideal, variants beside each other, parts of fixed costs: made runs with round numbers."""

from dataclasses import replace
from typing import Any

import pytest

from made_study import CEILING, POOL, SHARED_HEAD, cell, measured, planned, series, stamps
from peers.ablation import fits, gains, sides, starts
from raybench.analysis.dataset import Dataset
from raybench.model.measurement import Details, FitStages, HeadUse, HeadUsed
from raybench.model.plan import Role, Spec

TUNED = cell(POOL, 2)
LESS = replace(POOL, name="pool_slow", variant_of=POOL.name, disables="actor reuse")
SLOW = cell(LESS, 2)
DOCUMENTED = cell(replace(POOL, name="pool_shown", variant_of=POOL.name, role=Role.DOCUMENTED), 2)
BARE = cell(CEILING, 2)
FOUR = stamps([(1, 0.0, 1.0), (1, 1.5, 2.5), (2, 0.5, 1.5), (2, 1.5, 2.5)])


def test_a_backend_stands_beside_bare_processes_that_ran_the_same_tasks():
    plan = planned([TUNED, BARE], blocks=6)
    lines = series(BARE, [4.4] * 6, details=Details(copies_s=(4.0, 4.2)), tasks=FOUR)
    lines += series(
        TUNED, [2.5] * 6, tasks=FOUR, steps_asked=100, steps_done=50, phases={"imports": 1.0, "start_up": 2.0}
    )

    found = sides(Dataset(plan, lines))

    assert [side.cell for side in found] == [TUNED]
    assert found[0].ideal.point == pytest.approx(2.05 / 2.5)
    assert found[0].lost.point == pytest.approx(2 * (2.5 - 2.05) / 4)
    assert found[0].busy.point == pytest.approx(4.0 / (2 * 2.5))
    assert (found[0].before.point, found[0].work) == (3.0, 0.5)


def test_a_cell_that_joined_a_head_has_no_cold_time():
    plan = planned([TUNED, BARE], blocks=6)
    lines = series(BARE, [4.0] * 6, details=Details(copies_s=(4.0, 4.0)), tasks=FOUR)
    lines += series(TUNED, [2.5] * 6, tasks=FOUR, head=SHARED_HEAD)

    assert sides(Dataset(plan, lines))[0].before is None


def test_each_variant_is_compared_with_the_tuned_one_on_as_many_cores():
    other = cell(LESS, 4)
    plan = planned([TUNED, SLOW, DOCUMENTED, other], blocks=6)
    lines = [
        line
        for where, seconds in ((TUNED, 2.0), (SLOW, 5.0), (DOCUMENTED, 20.0), (other, 1.0))
        for line in series(where, [seconds] * 6)
    ]

    found = gains(Dataset(plan, lines))

    assert {gain.setting: gain.ratio.point for gain in found} == {"actor reuse": 2.5, "": 10.0}
    assert all(gain.cell == TUNED for gain in found)


def test_a_variant_of_another_backend_is_none_of_this_one():
    alien = cell(Spec(name="pooled", target="x:P", tags=("parallel",), variant_of="another", disables="x"), 2)

    assert gains(Dataset(planned([TUNED, alien], blocks=6), series(TUNED, [1.0] * 6) + series(alien, [2.0] * 6))) == []


def stages(*first_start_s: float, **changes: Any) -> FitStages:
    """Make the stages of a fit of 4 s from the first starts of its workers."""
    return replace(
        FitStages(
            to_first_trial_s=min(first_start_s),
            workers_first_start_s=first_start_s,
            trials_per_worker=(1,) * len(first_start_s),
            gaps_s=(),
            tail_s=0.0,
            whole_s=4.0,
        ),
        **changes,
    )


def test_the_parts_of_a_fit_add_up_to_the_whole():
    fit = stages(1.0, 1.5, gaps_s=(0.5, 0.0))
    lines = series(TUNED, [4.0] * 6, tasks=FOUR, details=Details(fit=fit))

    found = fits(Dataset(planned([TUNED], blocks=6), lines))[0]

    assert found.whole.point == 4.0
    assert {name: of.point for name, of in found.parts.items()} == {
        "rest of the start": 1.25,
        "trials": 2.0,
        "between trials": 0.25,
        "after a worker's last trial": 0.5,
    }


def test_named_parts_of_a_fit_s_start_leave_a_rest():
    fit = stages(1.0, start_parts={"imports": 0.6})

    found = fits(
        Dataset(planned([TUNED], blocks=1), [measured(TUNED, 0, 4.0, tasks=FOUR[:2], details=Details(fit=fit))])
    )[0]

    assert found.parts["imports"].point == 0.6
    assert found.parts["rest of the start"].point == pytest.approx(0.4)


def test_an_actor_for_each_trial_has_no_parts_that_a_worker_s_time_could_go_into():
    each = stamps([(worker, 0.0, 1.0) for worker in range(4)])
    fit = stages(1.0, 1.0, 1.0, 1.0)

    assert (
        fits(Dataset(planned([TUNED], blocks=6), series(TUNED, [4.0] * 6, tasks=each, details=Details(fit=fit)))) == []
    )


def test_only_a_head_of_its_own_has_a_cold_start():
    phases = {"interpreter": 0.1, "imports": 1.0, "start_up": 3.0, "start_parts": {"head": 2.5}, "warm_up": 0.9}
    own = series(TUNED, [1.0] * 6, phases=phases, head=HeadUsed(use=HeadUse.OWN))
    shared = series(SLOW, [1.0] * 6, phases=phases, head=SHARED_HEAD)

    found = starts(Dataset(planned([TUNED, SLOW], blocks=6), own + shared))

    assert [of.cell for of in found] == [TUNED]
    assert {name: of.point for name, of in found[0].parts.items()} == {
        "interpreter": 0.1,
        "imports": 1.0,
        "head": 2.5,
        "rest of start-up": 0.5,
        "first tasks": 0.9,
    }
    assert found[0].whole.point == pytest.approx(5.0)
