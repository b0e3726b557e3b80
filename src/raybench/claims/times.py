"""Quantities from makespans and cold times: ratios between cells, never averaged."""

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial

import numpy as np

from raybench.analysis.dataset import Metric
from raybench.analysis.speedup import FULL_WORK, karp_flatt
from raybench.claims.selection import Asked, Sample, transform
from raybench.model import units
from raybench.model.measurement import Measurement
from raybench.model.stats import Floats

TASKS_PER_CORE = (
    20  # with fewer, whole rounds of tasks limit the efficiency by 5 % and more: the cap tells, not the backend
)


def speedup(asked: Asked) -> Iterator[Sample]:
    """Return the one-thread loop / the cell, where both do the same work."""
    yield from _same_work(asked, lambda key: (np.asarray, ""))


def efficiency(asked: Asked) -> Iterator[Sample]:
    """Return speedup / P; of too few tasks per core it is shown with its cap and not judged."""

    def change(key: str) -> tuple[Callable[[Floats], Floats], str]:
        cell, row = asked.data.cells[key], asked.row(key)
        few = row.tasks < TASKS_PER_CORE * cell.cpus
        why = f"{row.tasks} tasks on {cell.cpus} cores: too few, cap {units.plain(row.cap or 0)}" if few else ""
        return (lambda s: s / cell.cpus), why

    yield from _same_work(asked, change)


def estimate_error(asked: Asked, *, assumed: float) -> Iterator[Sample]:
    """Return the relative error of the estimate T_seq / (P x assumed); above 0 it promises too long a time."""

    def change(key: str) -> tuple[Callable[[Floats], Floats], str]:
        cpus = asked.data.cells[key].cpus
        return (lambda s: s / (cpus * assumed) - 1), ""

    yield from _same_work(asked, change)


def serial_fraction(asked: Asked) -> Iterator[Sample]:
    """Return the serial fraction of Karp and Flatt that the speedup implies; P > 1 only."""

    def change(key: str) -> tuple[Callable[[Floats], Floats], str]:
        cpus = asked.data.cells[key].cpus
        return (lambda s: karp_flatt(s, cpus)), ""

    yield from _same_work(asked, change, least_cpus=2)


def search_speedup(asked: Asked) -> Iterator[Sample]:
    """Return the one-thread loop over the full search / the cell, less work or not; the note says how much work."""
    for key in asked.keys:
        base = asked.data.base(key)
        found = asked.ratio(base, key) if base != key else None
        if found:
            yield asked.sample(key, found.estimate(edges=asked.edges), other=base or "", note=_work(asked, key))


def gain(asked: Asked) -> Iterator[Sample]:
    """Return the loop whose library uses all P threads / the cell."""
    for key in asked.keys:
        loop = asked.data.threaded(key)
        found = asked.ratio(loop, key)
        if found:
            yield asked.sample(key, found.estimate(edges=asked.edges), other=loop or "", note=_work(asked, key))


def relative(asked: Asked) -> Iterator[Sample]:
    """Return the same backend on one core / the cell."""
    for key in asked.keys:
        one = asked.data.one_core(key)
        found = asked.ratio(one, key) if asked.data.cells[key].cpus > 1 else None
        if found:
            yield asked.sample(key, found.estimate(edges=asked.edges), other=one or "")


def alternative_ratio(asked: Asked, *, against: Sequence[str]) -> Iterator[Sample]:
    """Return the fastest of other backends on as many cores / the cell, same work; above 1 the cell is faster.

    against : names or patterns of backends.
    """
    for key in asked.keys:
        cell = asked.data.cells[key]
        others = [
            k
            for k in asked.data.siblings(key)
            if k != key
            and asked.data.cells[k].cpus == cell.cpus
            and not asked.data.cells[k].backend.is_control
            and any(fnmatchcase(asked.data.cells[k].backend.name, pattern) for pattern in against)
            and asked.row(k).makespan is not None
            and asked.row(k).work_ratio >= FULL_WORK
        ]
        if not others or asked.row(key).work_ratio < FULL_WORK:
            continue
        best = min(others, key=lambda k: _typical(asked, k))
        found = asked.ratio(best, key)
        if found:
            name = asked.data.cells[best].backend.name
            yield asked.sample(key, found.estimate(edges=asked.edges), other=best, note=f"against {name}")


def workload_ratio(asked: Asked, *, against: str, with_data: bool) -> Iterator[Sample]:
    """Return another workload's time / the selected one's, same backend and cores.

    against : name of the other workload; `{name}` stands for the selected one's name.
    with_data : count the time in which the workers get their data, too.
    """
    for key in asked.keys:
        cell = asked.data.cells[key]
        wanted = against.format(name=cell.workload.name)
        for k, other in asked.data.cells.items():
            same = other.backend == cell.backend and (other.workers, other.cpus) == (cell.workers, cell.cpus)
            if other.workload.name == wanted and same and k != key:
                found = asked.ratio(k, key, brought if with_data else None)
                if found:
                    yield asked.sample(key, found.estimate(edges=asked.edges), other=k, note=f"against {wanted}")


def speedup_with_data(asked: Asked) -> Iterator[Sample]:
    """Return the one-thread loop / the cell, the journey of the data to the workers included, start-up not."""
    yield from _same_work(asked, lambda key: (np.asarray, ""), metric=brought)


def brought(m: Measurement) -> float | None:
    """Return the seconds from workers that answer to the last result: the data travel in the warm-up."""
    return m.phases.warm_up + m.phases.makespan or None


def _same_work(
    asked: Asked,
    change: Callable[[str], tuple[Callable[[Floats], Floats], str]],
    *,
    metric: Metric | None = None,
    least_cpus: int = 1,
) -> Iterator[Sample]:
    """Yield a function of the speedup of every cell that does the loop's work.

    change : from a cell's key to the function, and why the cell is not judged ('' where it is).
    """
    for key in asked.keys:
        base, cell = asked.data.base(key), asked.data.cells[key]
        if base in (None, key) or asked.data.is_ladder(key) or cell.cpus < least_cpus:
            continue
        found = asked.ratio(base, key, metric) if asked.row(key).work_ratio >= FULL_WORK else None
        if found:
            function, aside = change(key)
            yield asked.sample(key, found.estimate(function, edges=asked.edges), other=base or "", aside=aside)


def _typical(asked: Asked, key: str) -> float:
    makespan = asked.row(key).makespan
    return makespan.point if makespan else float("inf")


def _work(asked: Asked, key: str) -> str:
    share = asked.row(key).work_ratio
    return f"{units.plain(100 * share)} % of the steps" if share < FULL_WORK else ""


def graham_limit(asked: Asked) -> Iterator[Sample]:
    """Return the largest speedup of any greedy schedule of the baseline's task times: the longest task bounds it."""
    for account in asked.material.findings.accounts:
        key = account.cell.key
        row = asked.row(key) if key in asked.keys else None
        if row is not None and row.base is not None and account.graham_low.point > 0:
            yield asked.sample(key, transform(account.graham_low, partial(_over, row.base.point)))


def _over(top: float, bottom: float) -> float:
    return top / bottom if bottom else float("inf")
