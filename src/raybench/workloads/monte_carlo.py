"""Estimate pi by throwing points at a square: the Monte Carlo simulation with the best-known answer."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from raybench.model.errors import BadSettings, WrongAnswer
from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.answers import demand_equal
from raybench.workloads.base import Workload, spawn_seeds

ALLOWED_STANDARD_ERRORS = 5.0  # a right estimate lies outside once in 1.7 million seeds


@dataclass(frozen=True, kw_only=True)
class MonteCarlo(Workload):
    """Count the points within the quarter circle, `points` per task, with one independent stream per task index."""

    points: int
    chunk: int

    def __post_init__(self) -> None:
        if self.chunk < 1 or self.points % self.chunk:
            raise BadSettings(f"monte_carlo: {self.points} points cannot be cut into chunks of {self.chunk}")

    def tasks(self, seed: int) -> list[Task]:
        streams = spawn_seeds(seed, self.points // self.chunk)
        return [_task(i, stream, self.chunk) for i, stream in enumerate(streams)]

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        x, y = _draw(task.params).tolist()
        yield Progress(answer=sum(a * a + b * b <= 1.0 for a, b in zip(x, y, strict=True)))

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Recount every task without a loop, and hold the whole against pi."""
        expected = []
        for task in tasks:
            x, y = _draw(task.params)
            expected.append(int(np.count_nonzero(x * x + y * y <= 1.0)))
        demand_equal("monte_carlo", results, expected)
        off = self.score(tasks, results, seed)["standard_errors_off"]
        if off > ALLOWED_STANDARD_ERRORS:
            raise WrongAnswer(f"monte_carlo: the estimate is {off:.1f} standard errors from pi, seed {seed}")

    def score(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> dict[str, float]:
        """Return the estimate, and its distance from pi in standard errors of a binomial share."""
        estimate = 4.0 * sum(r.answer for r in results) / self.points
        share = math.pi / 4.0
        error = 4.0 * math.sqrt(share * (1.0 - share) / self.points)
        return {"estimate": estimate, "standard_errors_off": abs(estimate - math.pi) / error}

    def warm_up(self, seed: int) -> list[Task]:
        return [_task(0, np.random.SeedSequence(seed), 10)]


def _task(index: int, stream: np.random.SeedSequence, points: int) -> Task:
    return Task(index=index, params={"entropy": stream.entropy, "spawn_key": list(stream.spawn_key), "points": points})


def _draw(params: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Draw the task's points. (2, points) float64 in [0, 1)."""
    stream = np.random.SeedSequence(params["entropy"], spawn_key=tuple(params["spawn_key"]))
    return np.random.default_rng(stream).random((2, params["points"]))
