"""A predictor of makespans from what was measured elsewhere: the loop's task times, the backend's cost of a task.

Nothing of the predicted cell enters. It knows no network and no second machine: it is no predictor of clusters.
"""

import heapq
from collections.abc import Iterator, Sequence

import numpy as np

from raybench.analysis.dataset import Ledger, makespan
from raybench.analysis.speedup import FULL_WORK
from raybench.claims.selection import Asked, Sample
from raybench.model import units
from raybench.model.measurement import Measurement, TaskStamp
from raybench.model.plan import Cell
from raybench.model.stats import median_rank_ci, ratio

EMPTY = "noop"  # workload whose tasks do nothing: its time is the backend's own


def schedule(seconds: Sequence[float], workers: int, *, per_task_s: float = 0.0) -> float:
    """Return the makespan of tasks that are taken in order by whichever worker is free first, each a bit longer."""
    free = [0.0] * workers
    for length in seconds:
        heapq.heapreplace(free, free[0] + length + per_task_s)
    return max(free)


def prediction_error(asked: Asked) -> Iterator[Sample]:
    """Return predicted time / measured time - 1; above 0 it promises too long a time.

    Predicted: the loop's task times of the same block, made longer by the hardware ceiling where it was measured,
    in a greedy schedule on the cell's workers, with the cost of an empty task on the same backend and cores.
    """
    for key in asked.keys:
        base, cell, row = asked.data.base(key), asked.data.cells[key], asked.row(key)
        empty = _empty_task_s(asked.data, cell)
        if base in (None, key) or cell.workload.name == EMPTY or empty is None or row.work_ratio < FULL_WORK:
            continue
        slower = 1 / row.ceiling.point if row.ceiling else 1.0
        loop, mine = asked.data.ok(base or ""), asked.data.ok(key)
        blocks = [block for block in sorted(loop.keys() & mine.keys()) if loop[block].tasks and makespan(mine[block])]
        if blocks:
            told = [
                schedule([slower * s for s in _task_seconds(loop[b])], cell.workers, per_task_s=empty) for b in blocks
            ]
            took = [mine[b].phases.makespan for b in blocks]
            found = ratio(told, took, asked.material.draws).estimate(lambda r: r - 1, edges=asked.edges)
            yield asked.sample(key, found, other=base or "")


def scheduled_speedup(asked: Asked, *, cpus: float) -> Iterator[Sample]:
    """Predict the speedup of the loop's tasks on so many cores with nothing lost but their uneven ends."""
    for key in dict.fromkeys(asked.data.base(k) for k in asked.keys):
        good = [m for _, m in sorted(asked.data.ok(key).items()) if m.tasks] if key else []
        if key and good and not asked.data.is_ladder(key):
            limits = [sum(_task_seconds(m)) / schedule(_task_seconds(m), int(cpus)) for m in good]
            yield _name_prediction(asked, key, limits, cpus, f"{len(good[0].tasks)} tasks")


def first_tasks_speedup(asked: Asked, *, tasks: float) -> Iterator[Sample]:
    """Return the loop's time until the first so many tasks are done / the cell's: fewer tasks of the same length."""
    count = int(tasks)
    for key in asked.keys:
        base = asked.data.base(key)
        if base in (None, key) or asked.row(key).work_ratio < FULL_WORK or asked.row(key).tasks < count:
            continue
        loop, mine = asked.data.ok(base or ""), asked.data.ok(key)
        blocks = [b for b in sorted(loop.keys() & mine.keys()) if len(loop[b].tasks) >= count <= len(mine[b].tasks)]
        if blocks:
            top, bottom = ([_done(lines[b].tasks, count) for b in blocks] for lines in (loop, mine))
            found = ratio(top, bottom, asked.material.draws).estimate(edges=asked.edges)
            yield asked.sample(key, found, other=base or "", note=f"first {count} of {asked.row(key).tasks} tasks")


def _done(stamps: Sequence[TaskStamp], count: int) -> float:
    """Return the seconds until the tasks with the lowest numbers are done: both hand them out in that order."""
    return max(stamp.ended for stamp in stamps if stamp.index < count)


def _name_prediction(asked: Asked, key: str, values: Sequence[float], cpus: float, note: str) -> Sample:
    """Name a prediction with how far it reaches beyond what was measured."""
    most = max((cell.cpus for cell in asked.data.cells.values()), default=1)
    cell = asked.data.cells[key]
    return Sample(
        about=f"{cell.workload.name} on {units.plain(cpus)} cores",
        estimate=median_rank_ci(values),
        keys=(key,),
        workload=cell.workload.name,
        note=f"{note}; {units.plain(cpus / most)} times the cores measured",
        predicted=True,
    )


def _empty_task_s(data: Ledger, cell: Cell) -> float | None:
    """Return a worker's seconds per task that does nothing, on the same backend and cores; None where not measured."""
    for key, other in data.cells.items():
        same = other.backend == cell.backend and (other.workers, other.cpus) == (cell.workers, cell.cpus)
        good = [m for m in data.ok(key).values() if m.tasks and makespan(m)]
        if other.workload.name == EMPTY and same and good:
            return float(np.median([cell.workers * m.phases.makespan / len(m.tasks) for m in good]))
    return None


def _task_seconds(m: Measurement) -> list[float]:
    return [t.ended - t.started for t in sorted(m.tasks, key=lambda t: t.index)]
