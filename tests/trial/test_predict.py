"""What `raybench try` makes of a look and a calibration for the predictor."""

import math
from dataclasses import replace

import pytest

from raybench.analysis.predictor import Cost
from raybench.trial.calibrate import Calibration
from raybench.trial.predict import predict, tasks
from trial.conftest import COSTS
from trial.made_looks import made

PROCESSES = Cost(backend="joblib", workers=2, task_s=0.001)


def test_only_threads_share_a_lock() -> None:
    look = made(seconds=0.1, lock=0.4)

    assert tasks(look, [0.1], PROCESSES).lock == 0.0
    assert tasks(look, [0.1], replace(PROCESSES, backend="joblib_threads")).lock == pytest.approx(0.4)


def test_what_two_processes_lose_too_is_no_lock() -> None:
    threads = replace(PROCESSES, backend="joblib_threads")

    assert tasks(replace(made(seconds=0.1, lock=0.5), slowdown=1.5), [0.1], threads).lock == 0.0
    assert tasks(replace(made(seconds=0.1, lock=1.0), slowdown=1.25), [0.1], threads).lock == 1.0
    assert tasks(replace(made(seconds=0.1, lock=0.75), slowdown=1.25), [0.1], threads).lock == pytest.approx(2 / 3)


def test_items_and_results_both_travel() -> None:
    assert tasks(made(seconds=0.1, sizes=(100, 20)), [0.1], PROCESSES).moved_bytes == 120


def test_a_sample_of_unequal_tasks_leaves_an_error_all_of_them_leave_none() -> None:
    calls = made(seconds=0.1).calls
    unequal = tuple(replace(one, wall_s=0.1 + 0.1 * (one.index % 2)) for one in calls)

    assert tasks(replace(made(seconds=0.1, count=200), calls=unequal), [], PROCESSES).sampled == pytest.approx(
        (0.05 / 0.15) / math.sqrt(100)
    )
    assert tasks(replace(made(seconds=0.1, count=100), calls=unequal), [], PROCESSES).sampled == 0.0


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
    assert there.half_width > here.half_width


def test_results_that_cannot_be_sent_leave_threads_only() -> None:
    look = made(seconds=0.1)
    stuck = replace(look, calls=tuple(replace(one, sent_back="TypeError") for one in look.calls))

    found = predict(stuck, COSTS, ("joblib_threads", "joblib", "ray_tasks"), (2,))

    assert [one.backend for one in found] == ["joblib_threads"]


def test_a_backend_that_was_not_calibrated_has_no_row() -> None:
    assert predict(made(seconds=0.1), Calibration(machine="", costs=(), failed={}), ("joblib",), (2,)) == []
