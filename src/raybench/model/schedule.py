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


LEASE_S = 0.5  # a driver of Ray's gives a leased worker back after so long (RAY_worker_lease_timeout_milliseconds)
RENEWAL_S = (0.01, 0.1)  # until the next lease: on the driver's node, on another (its next resource report)


def leased_schedule_s(
    seconds: Sequence[float], nodes: Sequence[int], *, per_task_s: float = 0.0, lease_s: float = LEASE_S
) -> float:
    """Return the makespan of Ray tasks that are taken in order by whichever leased worker is free first.

    nodes : CPUs of each node, the driver's first. A lease that has lasted `lease_s` when a task ends is given back,
    and the worker stands idle until the next lease: briefly on the driver's node, until the node's next resource report
    on another. Source: measured (METHODOLOGY, emulated scale-out).
    """
    local_s, remote_s = RENEWAL_S
    workers = [(0.0, 0.0, place > 0) for place, cpus in enumerate(nodes) for _ in range(cpus)]  # free, leased since
    heapq.heapify(workers)
    last = 0.0
    for length in seconds:
        free, since, remote = workers[0]
        end = free + length + per_task_s
        last = max(last, end)
        if end - since >= lease_s:
            end += remote_s if remote else local_s
            since = end
        heapq.heapreplace(workers, (end, since, remote))
    return last
