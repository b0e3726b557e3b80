"""The greedy list scheduler: what the makespan of known task times is on so many workers."""

import heapq
from collections.abc import Sequence


def list_schedule_s(seconds: Sequence[float], workers: int, *, per_task_s: float = 0.0) -> float:
    """Return the makespan of tasks that are taken in order by whichever worker is free first.

    per_task_s : what a worker spends on each task besides.
    """
    free = [0.0] * workers
    for length in seconds:
        heapq.heapreplace(free, free[0] + length + per_task_s)
    return max(free)


def makespan_s(
    seconds: Sequence[float], workers: int, *, worker_s: float = 0.0, driver_s: float = 0.0, alone: float = 0.0
) -> float:
    """Return the makespan of tasks that also cost their worker and the one driver something, all of it predicted.

    worker_s, driver_s : seconds of each for every task. alone : share of a task during which no other may run, 0 to 1.
    """
    busy = list_schedule_s(seconds, workers, per_task_s=worker_s)
    return max(busy, len(seconds) * driver_s, alone * sum(seconds))
