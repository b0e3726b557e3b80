"""The predictor against cases that can be worked out by hand."""

import math
from dataclasses import replace

import pytest

from raybench.trial.calibrate import Calibration, Cost
from raybench.trial.predict import least_task_s, predict, seconds
from trial.conftest import COSTS
from trial.made_looks import made

FREE = Cost(backend="joblib", workers=2, start_s=0.0, task_s=0.0, byte_s=0.0)
PROCESSES = replace(FREE, task_s=0.001)
THREADS = replace(FREE, backend="joblib_threads")


def test_equal_tasks_without_costs_are_cut_in_rounds() -> None:
    assert seconds(made(seconds=1.0), FREE, [1.0] * 7, 2) == 4.0
    assert seconds(made(seconds=1.0), FREE, [1.0] * 7, 25) == 1.0


def test_a_worker_pays_for_each_task_and_the_driver_for_all() -> None:
    look = made(seconds=0.01)

    assert seconds(look, PROCESSES, [0.01] * 100, 2) == pytest.approx(50 * (0.01 + 2 * 0.001))
    assert seconds(look, PROCESSES, [0.01] * 100, 1000) == pytest.approx(100 * 0.001)


def test_bytes_cost_time() -> None:
    cost = replace(FREE, byte_s=1e-9)
    look = made(seconds=0.01, sizes=(0, 10**8))

    assert seconds(look, cost, [0.01] * 10, 2) == pytest.approx(10 * 0.1, rel=0.2)


def test_threads_are_no_faster_than_the_lock_allows() -> None:
    tasks = [0.1] * 10

    assert seconds(made(seconds=0.1, lock=1.0), THREADS, tasks, 2) == pytest.approx(1.0)
    assert seconds(made(seconds=0.1, lock=0.0), THREADS, tasks, 2) == pytest.approx(0.5)
    assert seconds(made(seconds=0.1, lock=1.0), FREE, tasks, 2) == pytest.approx(0.5)


def test_what_two_calls_at_once_lose_is_lost_on_two_cores_only() -> None:
    look = replace(made(seconds=0.1), slowdown=1.5)

    assert seconds(look, FREE, [0.1] * 10, 2) == pytest.approx(0.75)
    assert seconds(look, FREE, [0.1] * 10, 1) == pytest.approx(1.0)


def test_a_straggler_bounds_the_makespan() -> None:
    assert seconds(made(seconds=0.1), FREE, [0.1] * 20 + [5.0], 25) == pytest.approx(5.0, abs=0.2)


def test_there_is_a_row_for_each_backend_and_number_of_cores() -> None:
    found = predict(made(seconds=0.1), COSTS, ("joblib_threads", "joblib", "ray_tasks"), (1, 2))

    assert [(one.backend, one.cpus) for one in found] == [
        (name, cpus) for name in ("joblib_threads", "joblib", "ray_tasks") for cpus in (1, 2)
    ]
    assert all(one.low < one.seconds < one.high for one in found)


def test_library_threads_are_predicted_where_they_were_seen_to_help() -> None:
    (found,) = predict(made(seconds=0.1, threads_gain=1.9), COSTS, ("sequential_threads",), (2,))

    assert found.speedup == pytest.approx(1.9)
    assert not predict(made(seconds=0.1, threads_gain=1.0), COSTS, ("sequential_threads",), (2,))


def test_more_cores_than_were_seen_widen_the_interval_and_are_marked() -> None:
    here, there = predict(made(seconds=0.5, count=1000), COSTS, ("joblib",), (2, 25))

    assert there.elsewhere
    assert not here.elsewhere
    assert math.log(there.high / there.low) > math.log(here.high / here.low)


def test_results_that_cannot_be_sent_leave_threads_only() -> None:
    look = made(seconds=0.1)
    stuck = replace(look, calls=tuple(replace(one, sent_back="TypeError") for one in look.calls))

    found = predict(stuck, COSTS, ("joblib_threads", "joblib", "ray_tasks"), (2,))

    assert [one.backend for one in found] == ["joblib_threads"]


def test_a_backend_that_was_not_calibrated_has_no_row() -> None:
    assert predict(made(seconds=0.1), Calibration(machine="", costs=(), failed={}), ("joblib",), (2,)) == []


@pytest.mark.parametrize("cpus", [2, 25])
def test_the_least_task_keeps_the_efficiency_it_promises(cpus: int) -> None:
    least = least_task_s(PROCESSES, cpus)
    tasks = [least] * (cpus * 40)

    took = seconds(made(seconds=least), PROCESSES, tasks, cpus)

    assert sum(tasks) / cpus / took == pytest.approx(0.75)
