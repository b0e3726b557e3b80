"""The greedy list scheduler: what the makespan of known task times is on so many workers."""

import heapq
from collections.abc import Sequence


def list_schedule_s(seconds: Sequence[float], workers: int, *, per_task_s: float = 0.0, driver_s: float = 0.0) -> float:
    """Return the makespan of tasks that are taken in order by whichever worker is free first, by simulation.

    per_task_s : what a worker spends on each task besides. driver_s : what the one driver spends on each task before
    a worker can have it, one task after the other.
    """
    free = [0.0] * workers
    for place, length in enumerate(seconds, start=1):
        heapq.heapreplace(free, max(free[0], place * driver_s) + length + per_task_s)
    return max(free)
