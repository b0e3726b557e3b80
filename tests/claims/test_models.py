"""Quantities that come from a model or from errors, by hand: start-up, ladders, qualities, predictions."""

import math
from dataclasses import replace

import pytest

from made_claims import COLD, RAY, TUNED, found, loop_and, named, only, points, run
from made_study import ASHA, SHARED_HEAD, cell, planned, series, stamps
from raybench.claims.claim import Select
from raybench.model.measurement import Quality, SweepTiming

PAIR = cell(RAY, 2)  # two cores, 5 s where the loop takes 8 s
STUDY = loop_and((PAIR, 5.0))


COLD_STUDY = run(
    planned([cell(), cell(COLD, 2), PAIR]),
    series(cell(), [8.0] * 10, phases={"interpreter": 0.5, "imports": 1.0})
    + series(cell(COLD, 2), [5.0] * 10, phases={"interpreter": 0.5, "imports": 1.0, "start_up": 2.5, "shutdown": 0.5})
    + series(PAIR, [5.0] * 10, phases={"start_up": 0.1}, head=SHARED_HEAD),
)


def test_start_up_is_what_a_cold_cell_pays_beyond_the_loop():
    assert points(found(COLD_STUDY, "start_up_s")) == [3.0]


def test_break_even_and_the_sequential_time_for_an_efficiency_follow_from_start_up():
    assert points(found(COLD_STUDY, "break_even_s")) == [6.0]  # 3 / (1 - 1/2)
    assert points(found(COLD_STUDY, "sequential_s_for", level=0.7)) == [pytest.approx(14.0)]  # 0.7/0.3 x 2 x 3
    assert points(found(COLD_STUDY, "speedup", cold=True)) == [9.5 / 9.5]


def test_the_share_of_start_up_at_half_an_hour_is_a_prediction():
    sample = only(found(COLD_STUDY, "start_up_share", sequential_s=1800))

    assert sample.predicted
    assert sample.estimate.point == pytest.approx(3 / (3 + 900))


@pytest.mark.parametrize(
    ("overhead", "low", "point", "high"),
    [
        (0.002, 0.008, 0.008, 0.008),  # w / (w + 2 ms) = 0.8 at 8 ms
        (0.0001, 0.0, 0.001, 0.001),  # kept down to the shortest task
        (0.1, 0.064, 0.064, math.inf),  # never reached with the longest
    ],
)
def test_the_task_length_that_keeps_an_efficiency_with_its_censoring(overhead, low, point, high):
    spec = named("sweep", "compute", "granularity_sweep")

    def ladder(cpus: int, extra: float) -> tuple[SweepTiming, ...]:
        return tuple(
            SweepTiming(work=w, tasks=100, wall_s=100 * (0.001 * w + extra) / cpus, busy_s=0.1 * w, workers=cpus)
            for w in (64, 16, 4, 1)
        )

    cells = [cell(workload=spec), cell(RAY, 2, workload=spec)]
    made = run(
        planned(cells),
        series(cells[0], [8.5] * 10, sweep=ladder(1, 0.0)) + series(cells[1], [5.0] * 10, sweep=ladder(2, overhead)),
    )

    estimate = only(found(made, "metg_work", level=0.8)).estimate
    assert (estimate.low, estimate.point, estimate.high) == pytest.approx((low, point, high))


def quality(pair: int, variant: str, base: float, test: float) -> Quality:
    return Quality(
        workload="search", variant=variant, pair=pair, metric="rmse", baseline="plain", baseline_test=base,
        tuned_validation=test, tuned_test=test,
    )  # fmt: skip


SEARCH = run(
    planned([cell(workload=TUNED)]),
    series(cell(workload=TUNED), [8.0] * 10),
    [quality(p, "tuned", 50 + p, 0.9 * (50 + p)) for p in range(10)]
    + [quality(p, "asha", 50 + p, 0.99 * (50 + p)) for p in range(10)]
    + [quality(p, "few", 50, 40) for p in range(5)],
)


def test_a_delta_is_the_share_by_which_the_mean_error_fell():
    sample = only(found(SEARCH, "rmse_delta", variant="tuned"))

    assert sample.estimate.point == pytest.approx(0.1)
    assert sample.about == "search, tuned against plain"
    assert found(SEARCH, "rmse_delta", variant="tuned", select=Select(workloads=("other",))) == []


def test_a_delta_over_too_few_pairs_decides_nothing():
    assert only(found(SEARCH, "rmse_delta", variant="few")).estimate.flag == "insufficient"


def test_variants_are_compared_on_the_same_pairs():
    assert points(found(SEARCH, "variant_ratio", variant="asha", against="tuned")) == [pytest.approx(1.1)]
    assert points(found(SEARCH, "variant_error", variant="tuned")) == [pytest.approx(0.9 * 54.5)]


def test_saved_steps_are_those_asked_for_and_not_done():
    made = loop_and((cell(ASHA, 2), 2.0), steps_asked=200, steps_done=60)

    assert points(found(made, "steps_saved")) == [pytest.approx(0.7)]


# --- predictions ----------------------------------------------------------------------------------


def test_the_error_of_a_prediction_is_that_of_the_cell_left_out():
    """Tasks of 4, 2, 1 and 1 s on two workers; an empty task costs the driver 0.125 s, a worker twice as much.

    Worker 1: handed out after 0.125 s, 4.25 s; worker 2: after 0.25 s, 2.25 s, then 1.25 s twice: 5.0 s.
    """
    empty = cell(RAY, 2, workload=named("noop", "none"))
    made = loop_and((PAIR, 4.0))
    plan = replace(made.plan, jobs=(*made.plan.jobs, *planned([empty]).jobs))
    lines = (*made.measurements, *series(empty, [0.5] * 10, tasks=stamps([(1, 0.0, 0.0)] * 4)))

    sample = only(found(replace(made, plan=plan, measurements=lines), "prediction_error"))
    assert sample.estimate.point == pytest.approx(5.0 / 4.0 - 1)
    assert found(made, "prediction_error") == []  # no empty task measured, no prediction


def test_on_many_cores_the_longest_task_limits_every_schedule_and_how_far_that_reaches_is_told():
    sample = only(found(STUDY, "scheduled_speedup", cpus=25))

    assert (sample.estimate.point, sample.predicted) == (2.0, True)
    assert sample.note == "4 tasks; 12.5 times the cores measured"


def test_fewer_tasks_of_the_same_length_are_the_first_of_all():
    """The loop has two of FOUR done after 6 s; two workers after 4 s."""
    spread = stamps([(1, 0.0, 4.0), (2, 0.0, 2.0), (2, 2.0, 3.0), (2, 3.0, 4.0)])
    made = loop_and((PAIR, 4.0), tasks=spread)

    assert points(found(made, "first_tasks_speedup", select=Select(cpus="2"), tasks=2)) == [1.5]
    assert points(found(made, "first_tasks_speedup", select=Select(cpus="2"), tasks=4)) == [2.0]
    assert found(made, "first_tasks_speedup", tasks=5) == []
