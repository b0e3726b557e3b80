"""Quantities from makespans and cold times: ratios between cells, never averaged."""

import math
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial

import numpy as np

from raybench.analysis.dataset import CellData, Metric, is_same_backend
from raybench.analysis.pairs import pair_blocks
from raybench.analysis.speedup import FULL_WORK, karp_flatt
from raybench.claims.selection import Sample, Selection, transform
from raybench.model import units
from raybench.model.evidence import SAME, Change
from raybench.model.measurement import Measurement
from raybench.model.stats import Ratio, ratio


def speedup(selection: Selection) -> Iterator[Sample]:
    """Return the sequential baseline / the cell, where both do the same work."""
    yield from _same_work(selection, lambda of: SAME)


def efficiency(selection: Selection) -> Iterator[Sample]:
    """Return speedup / P, or of few tasks speedup / (P x cap), where the cap is what whole rounds of tasks allow."""
    yield from _same_work(selection, lambda of: Change(scale=1 / (of.cell.cpus * _cap(selection, of))), note=_few_tasks)


def estimate_error(selection: Selection, *, assumed: float) -> Iterator[Sample]:
    """Return the relative error of the estimate T_seq / (P x assumed); above 0 it promises too long a time.

    Of few tasks, P counts only as far as whole rounds of tasks allow.
    """
    yield from _same_work(
        selection,
        lambda of: Change(scale=1 / (of.cell.cpus * _cap(selection, of) * assumed), shift=-1),
        note=_few_tasks,
    )


def _cap(selection: Selection, of: CellData) -> float:
    return min(1.0, selection.row(of).cap or 1.0)


def _few_tasks(selection: Selection, of: CellData) -> str:
    cap = _cap(selection, of)
    return f"{selection.row(of).tasks} tasks: divided by their cap of {units.plain(cap)}" if cap < 1 else ""


def serial_fraction(selection: Selection) -> Iterator[Sample]:
    """Return the serial fraction of Karp and Flatt that the speedup implies; P > 1 only."""
    yield from _same_work(selection, lambda of: karp_flatt(of.cell.cpus), least_cpus=2)


def search_speedup(selection: Selection) -> Iterator[Sample]:
    """Return the sequential baseline over the full search / the cell, less work or not; the note says how much work."""
    for of in selection.cells:
        base = of.baseline
        found = selection.ratio(base, of) if base is not of else None
        if found:
            yield selection.sample(of, found.estimate(), other=base, note=_work(selection, of))


def gain(selection: Selection) -> Iterator[Sample]:
    """Return the threaded baseline / the cell."""
    for of in selection.cells:
        loop = of.threaded
        found = selection.ratio(loop, of)
        if found:
            yield selection.sample(of, found.estimate(), other=loop, note=_work(selection, of))


def relative(selection: Selection) -> Iterator[Sample]:
    """Return the same backend on one core / the cell."""
    for of in selection.cells:
        one = of.one_core
        found = selection.ratio(one, of) if of.cell.cpus > 1 else None
        if found:
            yield selection.sample(of, found.estimate(), other=one)


def alternative_ratio(selection: Selection, *, against: Sequence[str]) -> Iterator[Sample]:
    """Return the fastest of other backends on as many cores / the cell, same work; above 1 the cell is faster.

    The fastest is chosen on one half of the blocks and compared on the other.

    against : names or patterns of backends.
    """
    for of in selection.cells:
        others = [
            other
            for other in of.siblings
            if other is not of
            and other.cell.cpus == of.cell.cpus
            and not other.cell.backend.is_control
            and any(fnmatchcase(other.cell.backend.name, pattern) for pattern in against)
            and selection.row(other).makespan is not None
            and selection.row(other).work_ratio >= FULL_WORK
        ]
        if not others or selection.row(of).work_ratio < FULL_WORK:
            continue
        found, names = _against_best(selection, of, others)
        if found:
            yield selection.sample(of, found.estimate(), other=others[0], note=f"against {' or '.join(names)}")


def _against_best(selection: Selection, of: CellData, others: Sequence[CellData]) -> tuple[Ratio | None, list[str]]:
    """Compare with the best of several cells without the luck of the choice.

    Chosen on odd blocks and compared on even ones, and the other way round, so that every block counts once.
    """
    pairs = {other.key: pair_blocks(other, of, selection.seconds) for other in others}
    blocks = sorted(set.intersection(*(set(found) for found in pairs.values())))
    chosen: dict[int, CellData] = {}
    for parity in (0, 1):
        seen = [block for place, block in enumerate(blocks) if place % 2 != parity] or blocks
        best = min(others, key=lambda other: sum(math.log(pairs[other.key][b][0]) for b in seen))
        chosen |= {block: best for place, block in enumerate(blocks) if place % 2 == parity}
    if not blocks:
        return None, []
    both = np.array([pairs[chosen[block].key][block] for block in blocks])
    names = sorted({best.cell.backend.name for best in chosen.values()})
    return ratio(both[:, 0], both[:, 1], selection.material.draws, prior=selection.prior), names


def workload_ratio(selection: Selection, *, against: str, with_data: bool) -> Iterator[Sample]:
    """Return another workload's time / the selected one's, same backend and cores.

    against : name of the other workload; `{name}` stands for the selected one's name.
    with_data : count the time in which the workers get their data, too.
    """
    for of in selection.cells:
        cell = of.cell
        wanted = against.format(name=cell.workload.name)
        for other in selection.material.data.cells:
            if other.cell.workload.name == wanted and is_same_backend(other.cell, cell) and other is not of:
                found = selection.ratio(other, of, brought if with_data else None)
                if found:
                    yield selection.sample(of, found.estimate(), other=other, note=f"against {wanted}")


def speedup_with_data(selection: Selection) -> Iterator[Sample]:
    """Return the sequential baseline / the cell, the journey of the data to the workers included, start-up not."""
    yield from _same_work(selection, lambda of: SAME, metric=brought)


def first_tasks_speedup(selection: Selection, *, tasks: float) -> Iterator[Sample]:
    """Return the baseline's time until the first so many tasks are done / the cell's: fewer tasks, equally long."""
    count = int(tasks)
    for of in selection.cells:
        base, row = of.baseline, selection.row(of)
        if base is None or base is of or row.work_ratio < FULL_WORK or row.tasks < count:
            continue
        if found := selection.ratio(base, of, partial(_first_tasks_s, count)):
            yield selection.sample(of, found.estimate(), other=base, note=f"first {count} of {row.tasks} tasks")


def _first_tasks_s(count: int, m: Measurement) -> float | None:
    """Return the seconds until the tasks with the lowest numbers are done: all backends hand them out in that order."""
    return max(t.ended for t in m.tasks if t.index < count) if len(m.tasks) >= count else None


def brought(m: Measurement) -> float | None:
    """Return the seconds from workers that answer to the last result: the data travel in the warm-up."""
    return m.phases.warm_up + m.phases.makespan or None


def _same_work(
    selection: Selection,
    change: Callable[[CellData], Change],
    *,
    metric: Metric | None = None,
    least_cpus: int = 1,
    note: Callable[[Selection, CellData], str] = lambda selection, of: "",
) -> Iterator[Sample]:
    """Yield a function of the speedup of every cell that does the work of the baseline.

    change : from a cell to the function. note : what a reader must know of it.
    """
    for of in selection.cells:
        base = of.baseline
        if base is None or base is of or of.is_sweep or of.cell.cpus < least_cpus:
            continue
        found = selection.ratio(base, of, metric) if selection.row(of).work_ratio >= FULL_WORK else None
        if found:
            yield selection.sample(of, found.estimate(change(of)), other=base, note=note(selection, of))


def _work(selection: Selection, of: CellData) -> str:
    share = selection.row(of).work_ratio
    return f"{units.plain(100 * share)} % of the steps" if share < FULL_WORK else ""


def graham_limit(selection: Selection) -> Iterator[Sample]:
    """Return the largest speedup of any greedy schedule of the baseline's task times: the longest task bounds it."""
    least = {account.cell.key: account.graham_low for account in selection.material.findings.accounts}
    for of in selection.cells:
        base = selection.row(of).base
        if base is not None and of.key in least and least[of.key].point > 0:
            yield selection.sample(of, transform(least[of.key], partial(_over, base.point)))


def _over(top: float, bottom: float) -> float:
    return top / bottom if bottom else float("inf")
