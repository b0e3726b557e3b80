"""The predictor against cases that can be worked out by hand."""

import math
from dataclasses import replace

import pytest

from raybench.analysis import predictor
from raybench.analysis.predictor import Cost, Errors, Fit, Parts, Spread, Tasks, errors, least_task_s, seconds

FREE = Cost(backend="joblib", workers=2, task_s=0.0)
COSTLY = replace(FREE, task_s=0.001)
SPREAD = Spread(model=0.3, overhead=0.4, lock=1.0, doubling=1.0)


def test_equal_tasks_without_costs_are_cut_in_rounds() -> None:
    assert seconds(Tasks(seconds=[1.0] * 7), FREE, 2) == 4.0
    assert seconds(Tasks(seconds=[1.0] * 7), FREE, 25) == 1.0


def test_a_worker_pays_for_each_task_and_the_driver_for_all() -> None:
    tasks = Tasks(seconds=[0.01] * 100)

    # the second worker's first task is there after 2 ms; then 50 tasks of 10 ms and twice the interval of 1 ms
    assert seconds(tasks, COSTLY, 2) == pytest.approx(0.002 + 50 * 0.012)
    # with a worker each, the last task is there after 100 ms
    assert seconds(tasks, COSTLY, 1000) == pytest.approx(0.100 + 0.012)


def test_bytes_cost_time() -> None:
    cost = replace(FREE, byte_s=1e-9)

    # 0.1 s for the 100 MB of a task in the driver, 0.2 s in the worker
    assert seconds(Tasks(seconds=[0.01], moved_bytes=1e8), cost, 2) == pytest.approx(0.1 + 0.2 + 0.01)


def test_threads_are_no_faster_than_the_lock_allows() -> None:
    assert seconds(Tasks(seconds=[0.1] * 10, lock=1.0), FREE, 2) == pytest.approx(1.0)
    assert seconds(Tasks(seconds=[0.1] * 10, lock=0.0), FREE, 2) == pytest.approx(0.5)


def test_what_two_tasks_at_once_lose_is_lost_where_two_run_at_once() -> None:
    tasks = Tasks(seconds=[0.1] * 12, slowdown=1.5, cores=2)

    assert seconds(tasks, FREE, 1) == pytest.approx(1.2)
    assert seconds(tasks, FREE, 2) == pytest.approx(1.5 * 0.6)
    assert seconds(replace(tasks, cores=3), FREE, 3) == pytest.approx(2.0 * 0.4)
    assert seconds(tasks, FREE, 3) == pytest.approx(1.5 * 0.4)  # of three at once nothing was seen


def test_a_straggler_bounds_the_makespan() -> None:
    assert seconds(Tasks(seconds=[0.1] * 20 + [5.0]), FREE, 25) == pytest.approx(5.0)


@pytest.mark.parametrize("cpus", [2, 25])
def test_the_least_task_keeps_the_efficiency_it_promises(cpus: int) -> None:
    least = least_task_s(COSTLY, cpus)
    tasks = Tasks(seconds=[least] * (cpus * 200))

    assert math.fsum(tasks.seconds) / cpus / seconds(tasks, COSTLY, cpus) == pytest.approx(0.75, rel=0.01)


def test_each_cause_of_error_widens_the_interval() -> None:
    assert SPREAD.sd(Parts()) == 0.3
    assert SPREAD.sd(Parts(overhead=1.0)) == pytest.approx(0.5)
    assert SPREAD.sd(Parts(sampled=0.4)) == pytest.approx(0.5)
    for cause in ("overhead", "lock", "doubling", "sampled"):
        assert SPREAD.sd(Parts(**{cause: 0.5})) > SPREAD.sd(Parts())


def test_an_interval_covers_nine_of_ten_normal_errors_and_lies_evenly_on_the_log_scale() -> None:
    found = predictor.span(2.0, Parts())

    assert found.high / found.seconds == pytest.approx(found.seconds / found.low)
    assert math.log(found.high / 2.0) == pytest.approx(1.645 * predictor.fitted().spread.model)


def test_errors_are_means_of_sizes_the_largest_and_the_mean_with_its_sign() -> None:
    assert errors([0.1, -0.2, 0.03], [True, True, False]) == Errors(
        n=3, mean=pytest.approx(0.11), worst=0.2, bias=pytest.approx(-0.07 / 3), coverage=pytest.approx(2 / 3)
    )
    assert errors([]) is None


@pytest.mark.parametrize(
    ("changes", "passes"),
    [({}, True), ({"mean": 0.11}, False), ({"worst": 0.26}, False), ({"coverage": 0.79}, False)],
)
def test_the_gate_needs_all_three_limits_in_every_way_of_leaving_out(changes: dict[str, float], passes: bool) -> None:
    good = Errors(n=9, mean=0.1, worst=0.25, bias=0.0, coverage=0.8)

    assert Fit(spread=SPREAD, errors={"a": good, "b": replace(good, **changes)}).passes is passes
    assert not Fit(spread=SPREAD, errors={}).passes
