"""A predictor of makespans from what was measured elsewhere: the baseline's task times, the backend's cost of a task.

Nothing of the predicted cell enters. It knows no network and no second machine: it is no predictor of clusters.
"""

from collections.abc import Sequence

import numpy as np

from raybench.analysis.dataset import CellData, Dataset, is_same_backend, makespan
from raybench.model.measurement import Measurement
from raybench.model.schedule import list_schedule_s

EMPTY = "noop"  # workload whose tasks do nothing: its time is the backend's own


def predict_and_measure(data: Dataset, of: CellData, *, slowdown: float) -> tuple[Sequence[float], Sequence[float]]:
    """Return a cell's predicted and its measured makespans in seconds by block; both empty where none can be told.

    Predicted: the baseline's task times of the same block, `slowdown` times as long, in a greedy schedule on the
    cell's workers, with the cost of an empty task on the same backend and cores.
    """
    empty_s = find_empty_task_s(data, of)
    if of.baseline is None or of.is_baseline or of.cell.workload.name == EMPTY or empty_s is None:
        return (), ()
    loop, mine = of.baseline.good, of.good
    blocks = [b for b in sorted(loop.keys() & mine.keys()) if loop[b].tasks and makespan(mine[b])]
    told = [[slowdown * s for s in task_seconds(loop[b])] for b in blocks]
    return (
        [list_schedule_s(seconds, of.cell.workers, per_task_s=empty_s) for seconds in told],
        [mine[b].phases.makespan for b in blocks],
    )


def find_empty_task_s(data: Dataset, of: CellData) -> float | None:
    """Return a worker's seconds per task that does nothing, on the same backend and cores; None where not measured."""
    for other in data.cells:
        good = [m for m in other.good.values() if m.tasks and makespan(m)]
        if other.cell.workload.name == EMPTY and is_same_backend(other.cell, of.cell) and good:
            return float(np.median([of.cell.workers * m.phases.makespan / len(m.tasks) for m in good]))
    return None


def limit_speedup(m: Measurement, workers: int) -> float:
    """Return the speedup of a baseline's tasks on so many workers with nothing lost but their uneven ends."""
    seconds = task_seconds(m)
    return sum(seconds) / list_schedule_s(seconds, workers)


def task_seconds(m: Measurement) -> list[float]:
    """Return the seconds of each task in the order of their numbers."""
    return [t.ended - t.started for t in sorted(m.tasks, key=lambda t: t.index)]
