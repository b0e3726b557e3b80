"""The predictor of makespans: `raybench try`, the claims and the held-out errors in RESULTS.md all use this one.

A mechanistic model: a simulated driver hands tasks out in order to simulated workers. Its parameters are measured apart
from what is predicted: task times alone, the backend's cost of a task and of a byte, what tasks lose side by side.
It knows no network and no second machine: it is no predictor of clusters.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from statistics import fmean

from raybench.model.measurement import Measurement
from raybench.model.schedule import list_schedule_s
from raybench.model.serialize import decode

LEVEL = 1.645  # standard deviations on each side of a 90 % interval
EFFICIENT = 0.75  # the middle of the documented 0.7-0.8
NARROW = 0.25  # half-width up to which a prediction is worth showing
FITTED = "predictor.json"  # written by benchmarks/try/fit.py from recorded predictions
MOST_MEAN, MOST_WORST, LEAST_COVERAGE = 0.10, 0.25, 0.80  # of errors with which predictions are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a backend costs with so many workers. start_s : seconds more than a plain process until it is ready.

    task_s : seconds between two empty tasks. byte_s : seconds per byte that travels to or from a worker.
    """

    backend: str
    workers: int
    start_s: float = 0.0
    task_s: float
    byte_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """Tasks as one process runs them, one after the other on one library thread.

    seconds : of each, in order. moved_bytes : mean pickled bytes of a task's item and result.
    slowdown : seconds of a task while one other runs / seconds alone; others add as much each, up to `cores`, the cores
    on which it was seen.
    lock : share of a task during which no other of its process may run, 0 to 1; counts where workers are threads.
    sampled : relative standard error of the mean task, where not all of them were timed.
    """

    seconds: Sequence[float]
    moved_bytes: float = 0.0
    slowdown: float = 1.0
    cores: int = 1
    lock: float = 0.0
    sampled: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """How much a prediction has of each cause of error.

    overhead : share of the time that workers without any cost would not need.
    lock : 0 where the interpreter's lock is never or always held, 1 where it is held half of the time.
    doubling : how often the cores were doubled beyond those that were seen.
    sampled : relative standard error of the mean task.
    """

    overhead: float = 0.0
    lock: float = 0.0
    doubling: float = 0.0
    sampled: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Standard deviations of the log of a prediction: with no cause of error, and for one whole of each cause."""

    model: float
    overhead: float
    lock: float
    doubling: float

    def sd(self, parts: Parts) -> float:
        """Return the standard deviation of a prediction's log; the causes are independent."""
        causes = (self.overhead * parts.overhead, self.lock * parts.lock, self.doubling * parts.doubling)
        return math.hypot(self.model, parts.sampled, *causes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Relative errors (predicted / measured - 1) of n predictions: mean and largest size, mean with its sign.

    coverage : share of the 90 % intervals that hold what was measured; None of a formula without intervals.
    """

    n: int
    mean: float
    worst: float
    bias: float
    coverage: float | None

    @property
    def passes(self) -> bool:
        """Return whether such predictions may be shown: mean at most 10 %, worst 25 %, coverage at least 80 %."""
        return self.mean <= MOST_MEAN and self.worst <= MOST_WORST and (self.coverage or 0.0) >= LEAST_COVERAGE


def errors(found: Sequence[float], covered: Sequence[bool] = ()) -> Errors | None:
    """Sum up relative errors, and whether each interval covers; None of no error."""
    if not found:
        return None
    sizes = [abs(one) for one in found]
    coverage = fmean(covered) if covered else None
    return Errors(n=len(found), mean=fmean(sizes), worst=max(sizes), bias=fmean(found), coverage=coverage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What benchmarks/try/fit.py found: the spread, and the errors of held-out predictions by what was left out."""

    spread: Spread
    errors: Mapping[str, Errors]

    @property
    def passes(self) -> bool:
        """Return whether `raybench try` may show its predictions."""
        return bool(self.errors) and all(one.passes for one in self.errors.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A predicted time in seconds with its 90 % interval."""

    seconds: float
    low: float
    high: float
    parts: Parts = field(default_factory=Parts)

    @property
    def half_width(self) -> float:
        """Return half of the interval's width on the log scale: 0.25 is about 25 %."""
        return math.log(self.high / self.low) / 2

    @property
    def narrow(self) -> bool:
        """Return whether the prediction says enough to be shown: its half-width is at most 25 %."""
        return self.half_width <= NARROW


def predict(tasks: Tasks, cost: Cost, workers: int) -> Span:
    """Predict the warm makespan of tasks on so many workers, each with a core; the backend's start is not in it."""
    took = seconds(tasks, cost, workers)
    ideal = list_schedule_s(tasks.seconds, workers)
    parts = Parts(
        overhead=1 - min(1.0, ideal / took) if took else 0.0,
        lock=4 * tasks.lock * (1 - tasks.lock),
        doubling=max(0.0, math.log2(workers / tasks.cores)),
        sampled=tasks.sampled,
    )
    return span(took, parts)


def span(took: float, parts: Parts) -> Span:
    """Return a time with the 90 % interval that these causes of error leave it."""
    factor = math.exp(LEVEL * fitted().spread.sd(parts))
    return Span(seconds=took, low=took / factor, high=took * factor, parts=parts)


def seconds(tasks: Tasks, cost: Cost, workers: int) -> float:
    """Return the predicted warm makespan alone.

    A driver that shares the workers' cores takes from them what it spends, so that an empty task costs a worker
    `cost.workers` times the interval between two.
    """
    moved = cost.task_s + cost.byte_s * tasks.moved_bytes
    slow = 1 + (tasks.slowdown - 1) * (min(workers, tasks.cores) - 1)
    slowed = [slow * one for one in tasks.seconds]
    busy = list_schedule_s(slowed, workers, per_task_s=cost.workers * moved, driver_s=moved)
    return max(busy, tasks.lock * math.fsum(tasks.seconds))


def least_task_s(cost: Cost, workers: int, *, moved_bytes: float = 0.0) -> float:
    """Return the task length down to which an efficiency of 0.75 is kept."""
    moved = cost.task_s + cost.byte_s * moved_bytes
    return max(EFFICIENT / (1 - EFFICIENT) * cost.workers * moved, EFFICIENT * workers * moved)


def limit_speedup(m: Measurement, workers: int) -> float:
    """Return the speedup of a baseline's tasks on so many workers with nothing lost but their uneven ends."""
    alone = task_seconds(m)
    return sum(alone) / list_schedule_s(alone, workers)


def task_seconds(m: Measurement) -> list[float]:
    """Return the seconds of each task in the order of their numbers."""
    return [t.ended - t.started for t in sorted(m.tasks, key=lambda t: t.index)]


@cache
def fitted() -> Fit:
    """Return what was fitted to recorded predictions."""
    return decode(Fit, resources.files("raybench.analysis").joinpath(FITTED).read_bytes())
