"""Quantities by which a tuned backend is judged: against bare processes, against another backend, by its workers."""

import math
from collections.abc import Iterator, Mapping, Sequence

from raybench.analysis import anytime
from raybench.analysis.dataset import copy_s, is_ceiling
from raybench.analysis.tuning import busy_seconds
from raybench.claims.selection import Asked, Sample, exactly
from raybench.model.measurement import Measurement, TaskStamp
from raybench.model.stats import median_rank_ci, ratio


def ceiling_share(asked: Asked, *, of: str) -> Iterator[Sample]:
    """Return what bare processes would need for the cell's tasks / the cell's time.

    of : workload whose hardware ceiling counts; its tasks must be as long as the cell's. `{name}`: the cell's own.
    """
    for key in asked.keys:
        cpus, bare = asked.data.cells[key].cpus, _bare(asked, key, of)
        mine = asked.data.ok(key)
        blocks = sorted(mine.keys() & bare.keys())
        ideal = [bare[b] * math.ceil(len(mine[b].tasks) / cpus) for b in blocks]
        yield from _share(asked, key, ideal, [mine[b].phases.makespan for b in blocks])


def steady_share(asked: Asked, *, of: str) -> Iterator[Sample]:
    """Return the same share within the time from each worker's first start to its last end: start and tail left out.

    of : as in `ceiling_share`.
    """
    for key in asked.keys:
        bare = _bare(asked, key, of)
        mine = asked.data.ok(key)
        blocks = sorted(mine.keys() & bare.keys())
        ideal = [bare[b] * len(mine[b].tasks) for b in blocks]
        yield from _share(asked, key, ideal, [sum(_spans(mine[b].tasks)) for b in blocks])


def busy_share(asked: Asked) -> Iterator[Sample]:
    """Return the share of the cell's core-seconds in which tasks ran, stamped in the workers.

    Of the same measurement, so that a machine whose speed changes from one to the next cannot show in it; what tasks
    lose to each other does not show either.
    """
    for key in asked.keys:
        cpus = asked.data.cells[key].cpus
        good = [m for _, m in sorted(asked.data.ok(key).items())]
        busy = [seconds / (cpus * m.phases.makespan) for m in good if (seconds := busy_seconds(m))]
        if busy:
            yield asked.sample(key, median_rank_ci(busy))


def workers_used(asked: Asked) -> Iterator[Sample]:
    """Return the smallest share of the cell's workers that ran tasks in any measurement."""
    for key in asked.keys:
        good = asked.data.ok(key)
        used = [len(_spans(m.tasks)) / asked.data.cells[key].workers for m in good.values() if m.tasks]
        if used:
            yield asked.sample(key, exactly(min(used), len(used)))


def backend_ratio(asked: Asked, *, against: str) -> Iterator[Sample]:
    """Return another backend's time / the cell's, on the same workload and cores, as much work or less.

    against : name of the other backend.
    """
    for key, other in _pairs(asked, against):
        found = asked.ratio(other, key)
        if found:
            yield asked.sample(key, found.estimate(edges=asked.edges), other=other, note=f"against {against}")


def target_ratio(asked: Asked, *, against: str, factor: float) -> Iterator[Sample]:
    """Return another backend's expected time to the target / the cell's, warm; above 1 the cell is sooner.

    against : name of the other backend. factor : times the loss of the full one-thread search.
    """
    for key, other in _pairs(asked, against):
        base = asked.data.base(key)
        found = base and anytime.sooner(asked.data, (key, other), base, factor=factor, resampler=asked.material.draws)
        if found:
            yield asked.sample(key, found, other=other, note=f"against {against}")


def start_beyond_head_s(asked: Asked) -> Iterator[Sample]:
    """Return the seconds from the backend's start to workers that have run a task, without the head's own start."""
    for key in asked.keys:
        good = [m for _, m in sorted(asked.data.ok(key).items()) if "head" in m.phases.start_parts]
        if good:
            yield asked.sample(key, median_rank_ci([_beyond_head(m) for m in good]))


def _beyond_head(m: Measurement) -> float:
    return m.phases.start_up + m.phases.warm_up - m.phases.start_parts["head"]


def _bare(asked: Asked, key: str, of: str) -> Mapping[int, float]:
    """Give, by block, the seconds per task of bare processes that fill the cell's cores."""
    cell = asked.data.cells[key]
    name = of.format(name=cell.workload.name)
    for k, other in asked.data.cells.items():
        if is_ceiling(other) and other.workload.name == name and other.cpus == cell.cpus:
            return {
                b: seconds / len(m.tasks) for b, m in asked.data.ok(k).items() if m.tasks and (seconds := copy_s(m))
            }
    return {}


def _spans(tasks: tuple[TaskStamp, ...]) -> list[float]:
    """Return each worker's seconds from its first task's start to its last one's end."""
    by_worker: dict[int, list[TaskStamp]] = {}
    for task in tasks:
        by_worker.setdefault(task.worker, []).append(task)
    return [max(t.ended for t in of) - min(t.started for t in of) for of in by_worker.values()]


def _share(asked: Asked, key: str, ideal: Sequence[float], took: Sequence[float]) -> Iterator[Sample]:
    if ideal:
        yield asked.sample(key, ratio(ideal, took, asked.material.draws).estimate(edges=asked.edges))


def _pairs(asked: Asked, against: str) -> Iterator[tuple[str, str]]:
    """Pair each selected cell with the other backend's cell on the same workload and cores."""
    for key in asked.keys:
        cell = asked.data.cells[key]
        for k in asked.data.siblings(key):
            other = asked.data.cells[k]
            if other.backend.name == against and (other.cpus, other.workers) == (cell.cpus, cell.workers):
                yield key, k
