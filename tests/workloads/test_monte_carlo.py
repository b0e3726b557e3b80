"""Monte Carlo: streams keyed by task index, an estimate near pi, and a biased generator that is found out."""

from typing import Any

import numpy as np
import pytest

from raybench.backends.base import execute
from raybench.model.errors import BadSettings, WrongAnswer
from raybench.model.measurement import Task, TaskResult
from raybench.workloads import monte_carlo
from raybench.workloads.monte_carlo import MonteCarlo


def estimate_results(seed: int) -> tuple[MonteCarlo, list[Task], list[TaskResult]]:
    workload = MonteCarlo(points=4_000, chunk=1_000)
    tasks = workload.tasks(seed)
    return workload, tasks, [execute(workload, task, None) for task in tasks]


@pytest.mark.rule(25)
def test_tasks_draw_different_points_whatever_their_order() -> None:
    workload, tasks, results = estimate_results(7)
    backwards = [execute(workload, task, None).answer for task in reversed(tasks)]
    assert backwards[::-1] == [r.answer for r in results]
    assert len({r.answer for r in results}) > 1


def test_the_estimate_is_within_its_standard_error() -> None:
    workload, tasks, results = estimate_results(7)
    scores = workload.score(tasks, results, 7)
    assert scores["estimate"] == 4 * sum(r.answer for r in results) / 4_000
    # standard error of 4,000 points: 4 sqrt(0.7854 x 0.2146 / 4000) = 0.02597
    assert scores["standard_errors_off"] == pytest.approx(abs(scores["estimate"] - np.pi) / 0.02597, rel=1e-3)


def test_points_that_are_not_uniform_are_found_out_though_every_count_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn_too_far_out(params: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.sqrt(np.random.default_rng(3).random((2, params["points"])))

    monkeypatch.setattr(monte_carlo, "_draw", drawn_too_far_out)
    workload, tasks, results = estimate_results(7)
    with pytest.raises(WrongAnswer, match="standard errors from pi"):
        workload.check(tasks, results, 7)


def test_points_that_do_not_fill_the_chunks_are_refused() -> None:
    with pytest.raises(BadSettings, match="cannot be cut"):
        MonteCarlo(points=10, chunk=3)
