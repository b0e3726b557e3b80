"""The quantities by which a tuned backend is judged, by hand."""

import math

import pytest
from msgspec import structs

from made_claims import RAY, found, named, run
from made_study import CEILING, SEQUENTIAL, cell, measured, planned, series, stamps
from raybench.claims.claim import Select
from raybench.model.measurement import Details
from raybench.model.plan import Spec

HALF, HUNDRED = named("half"), named("hundred")
BARE = cell(CEILING, 2, workload=HALF)
MINE = cell(RAY, 2, workload=HUNDRED)
FOUR = stamps([(1, 0.5, 1.5), (1, 1.5, 2.5), (2, 1.0, 2.0), (2, 2.1, 3.1)])
COPIES = Details(copies_s=(2.0, 2.0))  # two tasks each: a second a task

SEARCH = named("search", "compute", "hpo")
LOOP = cell(SEQUENTIAL, workload=SEARCH)
OTHER = Spec(name="halving", target="x:H", tags=("parallel",))


def beside_bare(tasks=FOUR, seconds: float = 4.0):
    lines = series(BARE, [2.1] * 6, details=COPIES, tasks=FOUR[:2]) + series(MINE, [seconds] * 6, tasks=tasks)
    return run(planned([BARE, MINE], blocks=6), lines)


def only(samples):
    assert len(samples) == 1
    return samples[0].estimate


def test_the_ceiling_share_is_what_bare_processes_need_for_as_many_tasks():
    assert only(found(beside_bare(), "ceiling_share", of="half")).point == 2.0 / 4.0
    assert found(beside_bare(), "ceiling_share", of="{name}") == []


def test_an_odd_task_needs_a_round_of_its_own():
    assert only(found(beside_bare(FOUR[:3]), "ceiling_share", of="half")).point == 2.0 / 4.0


def test_the_steady_share_leaves_start_and_tail_out():
    assert only(found(beside_bare(), "steady_share", of="half")).point == pytest.approx(4.0 / (2.0 + 2.1))


def test_the_busy_share_is_of_the_same_measurement():
    assert only(found(beside_bare(), "busy_share", select=Select(workloads=("hundred",)))).point == 4.0 / (2 * 4.0)


def test_workers_used_is_the_smallest_share_of_any_measurement():
    assert only(found(beside_bare(), "workers_used")).point == 1.0
    assert only(found(beside_bare(FOUR[:2]), "workers_used")).point == 0.5


def test_a_backend_is_compared_with_another_whatever_work_it_did():
    mine, other = cell(RAY, 2), cell(OTHER, 2)
    lines = series(mine, [2.0] * 6, steps_asked=10, steps_done=5) + series(other, [9.0] * 6)
    made = run(planned([mine, other], blocks=6), lines)

    assert only(found(made, "backend_ratio", select=Select(backends=("ray_tasks",)), against="halving")).point == 4.5


def searched(mine: tuple[float, float], other: tuple[float, float]):
    """Make a search of loss 1 by the loop; each other search ends with (loss, at)."""
    tasks = stamps([(1, 0.0, 8.0)], steps=10)
    lines = series(LOOP, [8.0] * 6, tasks=tuple(structs.replace(t, loss=1.0) for t in tasks))
    cells = [LOOP]
    for backend, (loss, at) in ((RAY, mine), (OTHER, other)):
        where = cell(backend, 2, workload=SEARCH)
        cells.append(where)
        ended = tuple(structs.replace(t, loss=loss, ended=at) for t in stamps([(1, 0.0, at)], steps=10))
        lines += [measured(where, b, at + 1, tasks=ended) for b in range(6)]
    return run(planned(cells, blocks=6), lines)


@pytest.mark.parametrize(
    ("mine", "other", "ratio"),
    [
        ((1.0, 2.0), (1.0, 5.0), 2.5),
        ((1.005, 2.0), (1.0, 4.0), 2.0),
        ((1.0, 2.0), (1.02, 4.0), math.inf),  # the other never got there
        ((1.02, 2.0), (1.0, 4.0), 0.0),
    ],
)
def test_the_time_to_the_target_counts_only_searches_that_reach_it(mine, other, ratio):
    select = Select(backends=("ray_tasks",))

    assert (
        only(found(searched(mine, other), "target_ratio", select=select, against="halving", factor=1.01)).point == ratio
    )


def test_where_no_search_reaches_the_target_there_is_nothing_to_compare():
    made = searched((1.5, 2.0), (1.5, 2.0))

    assert found(made, "target_ratio", select=Select(backends=("ray_tasks",)), against="halving", factor=1.01) == []


def test_a_cold_start_counts_beyond_the_head_s_own():
    cold = cell(RAY, 2)
    phases = {"imports": 5.0, "start_up": 3.0, "start_parts": {"head": 2.5}, "warm_up": 0.75}
    made = run(planned([cold], blocks=6), series(cold, [1.0] * 6, phases=phases))

    assert only(found(made, "start_beyond_head_s")).point == 1.25
