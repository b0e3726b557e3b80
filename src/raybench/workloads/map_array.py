"""Solve Kepler's equation for each of n random numbers: a calculation that is not trivial, one element at a time."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import jv

from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.answers import demand_close
from raybench.workloads.base import Workload, spawn_seeds
from raybench.workloads.ranges import range_tasks

ECCENTRICITY = 0.2
NEWTON_STEPS = 5  # from E = M; the error is below 1e-15 from the fourth on
TERMS = 16  # of Kapteyn's series; they fall like 0.27^n at this eccentricity, the first one left out is below 1e-10


@dataclass(frozen=True, kw_only=True)
class MapArray(Workload):
    """Map E(M), where E - e sin E = M, over n random M; a task answers with the sum over its chunk."""

    n: int
    chunk: int

    def tasks(self, seed: int) -> list[Task]:
        return range_tasks(self.n, self.chunk)

    def data(self, seed: int) -> npt.NDArray[np.float64]:
        """Draw the mean anomalies. (n,) float64 in [0, 2 pi)."""
        return np.random.default_rng(spawn_seeds(seed, 1, stream=2)[0]).uniform(0.0, 2.0 * math.pi, self.n)

    def run(self, task: Task, context: npt.NDArray[np.float64]) -> Iterator[Progress]:
        anomalies = context[task.params["start"] : task.params["stop"]].tolist()
        yield Progress(answer=math.fsum(_solve(m) for m in anomalies))

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Compare with Kapteyn's series in Bessel functions, which shares nothing with Newton's method."""
        solved = _series(self.data(seed))
        expected = [float(solved[t.params["start"] : t.params["stop"]].sum()) for t in tasks]
        demand_close("map_array", results, expected, relative=1e-8, absolute=1e-8)

    def warm_up(self, seed: int) -> list[Task]:
        return range_tasks(1, 1)


def _solve(m: float) -> float:
    e = m
    for _ in range(NEWTON_STEPS):
        e -= (e - ECCENTRICITY * math.sin(e) - m) / (1.0 - ECCENTRICITY * math.cos(e))
    return e


def _series(m: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sum E = M + sum of (2/n) J_n(n e) sin(n M); the sines by their recurrence, two products a term."""
    twice_cos, before, sine = 2.0 * np.cos(m), np.zeros_like(m), np.sin(m)
    solved = m.copy()
    for n in range(1, TERMS + 1):
        solved += 2.0 / n * jv(n, n * ECCENTRICITY) * sine
        before, sine = sine, twice_cos * sine - before
    return solved
