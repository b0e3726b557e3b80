"""Quantities by which a tuned backend is judged: against bare processes, against another backend, by its workers."""

import math
from collections.abc import Iterator, Mapping, Sequence

from raybench.analysis import anytime
from raybench.analysis.dataset import CellData, copy_s, is_ceiling
from raybench.analysis.tuning import busy_seconds
from raybench.claims.selection import Sample, Selection, exactly
from raybench.model.measurement import Measurement, TaskStamp
from raybench.model.stats import geometric_mean, median_rank_ci, ratio


def ceiling_share(selection: Selection, *, of: str) -> Iterator[Sample]:
    """Return what bare processes would need for the cell's tasks / the cell's time.

    of : workload whose hardware ceiling counts; its tasks must be as long as the cell's. `{name}`: the cell's own.
    """
    for data in selection.cells:
        mine, bare = data.good, _bare(selection, data, of)
        blocks = sorted(mine.keys() & bare.keys())
        ideal = [bare[b] * math.ceil(len(mine[b].tasks) / data.cell.cpus) for b in blocks]
        yield from _share(selection, data, ideal, [mine[b].phases.makespan for b in blocks])


def steady_share(selection: Selection, *, of: str) -> Iterator[Sample]:
    """Return the same share within the time from each worker's first start to its last end: start and tail left out.

    of : as in `ceiling_share`.
    """
    for data in selection.cells:
        mine, bare = data.good, _bare(selection, data, of)
        blocks = sorted(mine.keys() & bare.keys())
        ideal = [bare[b] * len(mine[b].tasks) for b in blocks]
        yield from _share(selection, data, ideal, [sum(_spans(mine[b].tasks)) for b in blocks])


def busy_share(selection: Selection) -> Iterator[Sample]:
    """Return the share of the cell's core-seconds in which tasks ran, stamped in the workers.

    Of the same measurement, so that a machine whose speed changes from one to the next cannot show in it; what tasks
    lose to each other does not show either.
    """
    for of in selection.cells:
        cpus = of.cell.cpus
        busy = [seconds / (cpus * m.phases.makespan) for m in of.in_order if (seconds := busy_seconds(m))]
        if busy:
            yield selection.sample(of, geometric_mean(busy, selection.material.draws))


def workers_used(selection: Selection) -> Iterator[Sample]:
    """Return the smallest share of the cell's workers that ran tasks in any measurement."""
    for of in selection.cells:
        used = [len(_spans(m.tasks)) / of.cell.workers for m in of.good.values() if m.tasks]
        if used:
            yield selection.sample(of, exactly(min(used), len(used)))


def backend_ratio(selection: Selection, *, against: str) -> Iterator[Sample]:
    """Return another backend's time / the cell's, on the same workload and cores, as much work or less.

    against : name of the other backend.
    """
    for of, other in _pairs(selection, against):
        found = selection.ratio(other, of)
        if found:
            yield selection.sample(of, found.estimate(), other=other, note=f"against {against}")


def target_ratio(selection: Selection, *, against: str, factor: float) -> Iterator[Sample]:
    """Return another backend's expected time to the target / the cell's, warm; above 1 the cell is sooner.

    against : name of the other backend. factor : times the loss of the full one-thread search.
    """
    draws = selection.material.draws
    for of, other in _pairs(selection, against):
        base = of.baseline
        found = anytime.sooner((of, other), base, factor=factor, resampler=draws) if base else None
        if found:
            yield selection.sample(of, found, other=other, note=f"against {against}")


def start_beyond_head_s(selection: Selection) -> Iterator[Sample]:
    """Return the seconds from the backend's start to workers that have run a task, without the head's own start."""
    for of in selection.cells:
        good = [m for m in of.in_order if "head" in m.phases.start_parts]
        if good:
            yield selection.sample(of, median_rank_ci([_beyond_head(m) for m in good]))


def _beyond_head(m: Measurement) -> float:
    return m.phases.start_up + m.phases.warm_up - m.phases.start_parts["head"]


def _bare(selection: Selection, data: CellData, of: str) -> Mapping[int, float]:
    """Return, by block, the seconds per task of bare processes that fill the cell's cores."""
    name = of.format(name=data.cell.workload.name)
    for other in selection.material.data.cells:
        if is_ceiling(other.cell) and other.cell.workload.name == name and other.cell.cpus == data.cell.cpus:
            return {b: seconds / len(m.tasks) for b, m in other.good.items() if m.tasks and (seconds := copy_s(m))}
    return {}


def _spans(tasks: tuple[TaskStamp, ...]) -> list[float]:
    """Return each worker's seconds from its first task's start to its last one's end."""
    by_worker: dict[int, list[TaskStamp]] = {}
    for task in tasks:
        by_worker.setdefault(task.worker, []).append(task)
    return [max(t.ended for t in of) - min(t.started for t in of) for of in by_worker.values()]


def _share(selection: Selection, of: CellData, ideal: Sequence[float], took: Sequence[float]) -> Iterator[Sample]:
    if ideal:
        yield selection.sample(of, ratio(ideal, took, selection.material.draws).estimate())


def _pairs(selection: Selection, against: str) -> Iterator[tuple[CellData, CellData]]:
    """Pair each selected cell with the other backend's cell on the same workload and cores."""
    for of in selection.cells:
        size = (of.cell.cpus, of.cell.workers)
        for other in of.siblings:
            if other.cell.backend.name == against and (other.cell.cpus, other.cell.workers) == size:
                yield of, other
