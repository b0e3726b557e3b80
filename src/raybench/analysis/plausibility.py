"""Which numbers are not believed, whatever their intervals say: a backend that lies must not reach a decision.

Each guard was held against the committed full run, where none of them fires. A doubted cell keeps its row and its
numbers; its ratios decide nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from raybench.analysis.dataset import CellData, Dataset, Process
from raybench.analysis.losses import CoreSeconds
from raybench.analysis.metg import WRONG, Curve
from raybench.analysis.speedup import FULL_WORK
from raybench.model.estimate import Row, VerdictKind
from raybench.model.plan import Cell
from raybench.model.stats import IMPLAUSIBLE

LEAST_CPU_SHARE = 0.5  # of the baseline's CPU seconds; the smallest of 777 measurements of the full run is 0.557
REPEATED_CPU_SHARE = 0.8  # of the first sample's CPU seconds; a process that remembers its answers needs fewer
MOST_EFFICIENCY = 1.5  # per worker; caches explain a few per cent, no half
RATIOS = ("speedup", "speedup_cold", "efficiency", "time_to_score", "gain", "relative", "karp_flatt")


def mark_implausible(
    data: Dataset, rows: Iterable[Row], accounts: Iterable[CoreSeconds], curves: Iterable[Curve]
) -> tuple[Row, ...]:
    """Return the rows with the reasons for which they are not believed, and with ratios that decide nothing there."""
    told = {account.cell.key: account.flags for account in accounts if _has_a_core_each(account.cell)}
    told |= {curve.cell.key: (WRONG,) for curve in curves if WRONG in curve.flags}
    cells = {of.key: of for of in data.cells}
    return tuple(_mark(row, list_doubts(cells[row.cell.key], row, told.get(row.cell.key, ()))) for row in rows)


def _has_a_core_each(cell: Cell) -> bool:
    """Return whether no two workers share a core: else they are busy for more seconds than there are core-seconds."""
    return cell.workers <= cell.cpus


def list_doubts(of: CellData, row: Row, told: Sequence[str]) -> tuple[str, ...]:
    """Say why a cell's numbers are not believed; () where they are. told : by its account or its METG curve."""
    if of.baseline is None or of.is_baseline or of.cell.backend.is_control:
        return ()
    doubts = [flag for flag in row.flags if flag.endswith(" differ")]
    share = _least_cpu_share(of, of.baseline) if row.work_ratio >= FULL_WORK else None
    if share is not None and share < LEAST_CPU_SHARE:
        doubts.append(f"only {share:.2f} of the baseline's CPU time for the same work")
    if _remembers(of):
        doubts.append("remembers answers: later samples of a process needed far less CPU time than its first")
    if row.speedup is not None and row.speedup.low > MOST_EFFICIENCY * max(of.cell.cpus, of.cell.workers):
        doubts.append(f"more than {MOST_EFFICIENCY} times as fast per worker as the baseline")
    return (*doubts, *told)


def _least_cpu_share(of: CellData, baseline: CellData) -> float | None:
    """Return the smallest share of the baseline's CPU seconds that the cell used in any block; None if not known."""
    both = [(of.good[block], baseline.good[block]) for block in of.good.keys() & baseline.good.keys()]
    shares = [
        mine.cpu_makespan_s / theirs.cpu_makespan_s
        for mine, theirs in both
        if mine.cpu_makespan_s is not None and theirs.cpu_makespan_s
    ]
    return min(shares, default=None)


def _remembers(of: CellData) -> bool:
    """Return whether, in most of a cell's processes, later samples used far less CPU time than the first one."""
    shares = []
    for m in of.in_order:
        known = [s.cpu_s for s in m.samples if s.cpu_s] if isinstance(m, Process) else []
        if len(known) > 1:
            shares.append(float(np.median(known[1:])) / known[0])
    return bool(shares) and float(np.median(shares)) < REPEATED_CPU_SHARE


def _mark(row: Row, doubts: tuple[str, ...]) -> Row:
    if not doubts:
        return row
    ratios: dict[str, Any] = {name: getattr(row, name) for name in RATIOS}
    marked = {name: e and replace(e, flag=IMPLAUSIBLE) for name, e in ratios.items()}
    return replace(row, doubts=doubts, band=VerdictKind.INCONCLUSIVE if row.band else None, **marked)
