"""The predictor: how long a function's tasks take on a backend with P cores, from what was measured apart.

A mechanistic model: a greedy list scheduler over the sampled task times, with the calibrated cost of a task and of a
byte in each worker and in the one driver. Nothing of the predicted cell enters.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from raybench.model.schedule import list_schedule_s, makespan_s
from raybench.trial.backends import LIBRARY, THREADS
from raybench.trial.calibrate import Calibration, Cost
from raybench.trial.look import Look

MOST_TASKS = 50_000  # scheduled one by one; of more, a sample stands for all
LEVEL = 1.645  # a two-sided interval of 90 %
MODEL_SD = 0.05  # of log seconds, with nothing to lose
OVERHEAD_SD = 0.5  # more, for each part of the time that is the backend's own
LOCK_SD = 0.25  # more, where the interpreter's lock is held about half of the time
DOUBLING_SD = 0.04  # more, for each doubling beyond the cores that were seen
EFFICIENT = 0.75  # the middle of the documented 0.7-0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Seconds of all items with their 90 % interval. start_s : more where the backend is not up yet. speedup : warm.

    elsewhere : more cores than this machine has.
    """

    backend: str
    cpus: int
    seconds: float
    low: float
    high: float
    start_s: float
    base_s: float  # the loop's
    elsewhere: bool = False

    @property
    def speedup(self) -> float:
        """Return the warm speedup over the loop."""
        return self.base_s / self.seconds

    @property
    def speedup_interval(self) -> tuple[float, float]:
        """Return the 90 % interval of the warm speedup."""
        return self.base_s / self.high, self.base_s / self.low


def predict(look: Look, known: Calibration, backends: Sequence[str], cpus: Sequence[int]) -> list[Prediction]:
    """Return a prediction for each backend and each number of cores, as far as they make sense."""
    tasks = look.task_s(MOST_TASKS)
    found = []
    for name in backends:
        cost = known.of(name)
        for count in cpus:
            if name == LIBRARY:
                found += [_threaded(look)] if count == look.cpus and _uses_library(look) else []
            elif cost is not None and (name == THREADS or look.processes) and look.count > 1:
                found.append(_one(look, cost, tasks, count))
    return found


def seconds(look: Look, cost: Cost, tasks: Sequence[float], cpus: int) -> float:
    """Return the warm makespan of tasks (seconds each) on P cores, without the backend's start."""
    moved = cost.task_s + cost.byte_s * (look.bytes_in + look.bytes_out)
    slow = 1 + (look.slowdown - 1) * (min(cpus, look.cpus) - 1)
    alone = _lock(look) / slow if cost.backend == THREADS else 0.0
    slowed = [slow * one for one in tasks]
    return makespan_s(slowed, cpus, worker_s=cost.workers * moved, driver_s=moved, alone=alone)


def least_task_s(cost: Cost, cpus: int, *, moved_bytes: float = 0.0) -> float:
    """Return the task length down to which an efficiency of 0.75 is kept on P cores."""
    moved = cost.task_s + cost.byte_s * moved_bytes
    return max(EFFICIENT / (1 - EFFICIENT) * cost.workers * moved, EFFICIENT * cpus * moved)


def _one(look: Look, cost: Cost, tasks: Sequence[float], cpus: int) -> Prediction:
    took = seconds(look, cost, tasks, cpus) * look.count / len(tasks)
    ideal = list_schedule_s(tasks, cpus) * look.count / len(tasks)
    half = LEVEL * _spread(look, cost, cpus, overhead=1 - min(1.0, ideal / took))
    return Prediction(
        backend=cost.backend,
        cpus=cpus,
        seconds=took,
        low=took * math.exp(-half),
        high=took * math.exp(half),
        start_s=cost.start_s,
        base_s=look.total_s,
        elsewhere=cpus > look.cpus,
    )


def _spread(look: Look, cost: Cost, cpus: int, *, overhead: float) -> float:
    """Return the standard deviation of the log of a prediction: model, sampled items, overhead, lock, extrapolation."""
    sampled = look.spread / math.sqrt(len(look.calls)) if len(look.calls) < look.count else 0.0
    held = _lock(look) if cost.backend == THREADS else 0.0
    beyond = max(0.0, math.log2(cpus / look.cpus))
    parts = (MODEL_SD, sampled, OVERHEAD_SD * overhead, 4 * LOCK_SD * held * (1 - held), DOUBLING_SD * beyond)
    return math.hypot(*parts)


def _lock(look: Look) -> float:
    return 1.0 if look.facts is None or look.facts.lock is None else look.facts.lock


def _uses_library(look: Look) -> bool:
    gain = look.facts.threads_gain if look.facts else None
    return gain is not None and gain > 1.1


def _threaded(look: Look) -> Prediction:
    """Predict the loop with library threads on all cores from the calls that were looked at."""
    assert look.facts is not None
    assert look.facts.threads_gain is not None
    took = look.total_s / look.facts.threads_gain
    half = LEVEL * 2 * MODEL_SD
    return Prediction(
        backend=LIBRARY,
        cpus=look.cpus,
        seconds=took,
        low=took * math.exp(-half),
        high=took * math.exp(half),
        start_s=0.0,
        base_s=look.total_s,
    )
