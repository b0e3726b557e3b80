"""What every measurement must satisfy, whatever its backend: stamps within the makespan, workers as granted.

No statistics: what only shows in comparison (too much work saved, too high an efficiency) is the analysis' affair.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from raybench.model.errors import BackendFailed
from raybench.model.measurement import TaskResult, WorkerId, WorkerSeen
from raybench.model.plan import Job


def seen_workers(results: Iterable[TaskResult]) -> dict[WorkerId, list[WorkerSeen]]:
    """Return what each worker said of itself, in the order of its results: one entry, and more where it changed."""
    seen: dict[WorkerId, list[WorkerSeen]] = {}
    for result in results:
        if result.seen is not None:
            seen.setdefault(result.worker, []).append(result.seen)
    return seen


def check_stamps(results: Sequence[TaskResult], *, began: float, ended: float) -> None:
    """Raise BackendFailed unless every task ran, and reported, between the makespan's two readings of the clock."""
    for result in results:
        stamps = (began, result.started, *(point.at for point in result.points), result.ended, ended)
        if any(not earlier <= later for earlier, later in pairwise(stamps)):
            raise BackendFailed(
                f"task {result.index} is stamped {result.started - began:.6f} s to {result.ended - began:.6f} s with "
                f"{len(result.points)} reports; expected them in order, within a makespan of {ended - began:.6f} s"
            )


def check_lengths(results: Sequence[TaskResult], *, most_s: float) -> None:
    """Raise BackendFailed unless each task's stamps, of whatever clock, are in order and within the makespan."""
    for result in results:
        stamps = (result.started, *(point.at for point in result.points), result.ended)
        if (
            any(not earlier <= later for earlier, later in pairwise(stamps))
            or not result.ended - result.started <= most_s
        ):
            raise BackendFailed(
                f"task {result.index} is stamped {result.ended - result.started:.6f} s long with {len(result.points)} "
                f"reports; expected them in order, within a makespan of {most_s:.6f} s"
            )


def check_workers(
    job: Job, results: Sequence[TaskResult], seen: dict[WorkerId, list[WorkerSeen]], *, timed: bool = True
) -> None:
    """Raise BackendFailed where the workers are not those granted: unknown, too many at once, too wide.

    Failed tasks are left out: their workers may have died without a word.
    timed : whether the stamps are of one clock, so that it can be told who worked at the same time.
    """
    done = [result for result in results if not result.error]
    unknown = sorted({result.worker for result in done} - set(seen))
    if unknown:
        raise BackendFailed(f"worker {unknown[0][1]} returned results and never told what it is: threads, CPUs")
    at_once = most_workers_at_once(done) if timed else 0
    if at_once > job.cell.workers:
        raise BackendFailed(f"{at_once} workers ran tasks at the same time, the cell was granted {job.cell.workers}")
    for facts in (facts for of in seen.values() for facts in of):
        if facts.threads > job.cell.cpus_per_task:
            raise BackendFailed(
                f"worker {facts.pid} has a native pool of {facts.threads} threads, asked for {job.cell.cpus_per_task}"
            )
        if job.affinity and facts.affinity != len(job.affinity):
            raise BackendFailed(
                f"worker {facts.pid} may run on {facts.affinity} CPUs, the cell was granted {len(job.affinity)}"
            )


def most_workers_at_once(results: Iterable[TaskResult]) -> int:
    """Count the most workers that ran tasks at the same time; one that ends as another starts is not at the same time.

    A worker that replaces a lost one is not counted beside it.
    """
    events = sorted(event for r in results for event in ((r.started, 1, r.worker), (r.ended, -1, r.worker)))
    running: dict[WorkerId, int] = {}
    most = 0
    for _, change, worker in events:
        running[worker] = running.get(worker, 0) + change
        if not running[worker]:
            del running[worker]
        most = max(most, len(running))
    return most
