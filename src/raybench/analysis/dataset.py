"""Raw data arranged for comparison: the good measurement of each (cell, block), and the cell to compare with.

No statistics here. A pair of cells is compared over the blocks in which both are good.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raybench.model.measurement import HeadUse, Measurement
from raybench.model.plan import Cell, Plan, Role, Status, Tag, reading_order
from raybench.model.serialize import digest

Metric = Callable[[Measurement], float | None]


def makespan(m: Measurement) -> float | None:
    """Return the warm time in seconds; None where nothing was timed."""
    return m.phases.makespan or None


def joined_shared_head(m: Measurement) -> bool:
    """Return whether a measurement ran on a head that the runner had started for several."""
    return m.head is not None and m.head.use is HeadUse.SHARED


def cold(m: Measurement) -> float | None:
    """Return the cold time in seconds; None where the cell joined a head that others had started."""
    return None if joined_shared_head(m) else m.phases.cold


def copy_s(m: Measurement) -> float | None:
    """Return the mean seconds of whole task sets run at once, one by each bare process; None where they shared one."""
    return float(np.mean(m.details.copies_s)) if m.details.copies_s else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All measurements of a study by cell and block.

    cells : every planned cell by key. good : (cell key, replica) -> block -> its last measurement that is OK.
    lines : every line of a cell, whatever its status. skips : reason by cell key.
    pending : planned measurements of a cell that have no line, of the blocks that have begun; those that have not are
        a fact of the run.
    """

    plan: Plan
    cells: Mapping[str, Cell]
    good: Mapping[tuple[str, int], Mapping[int, Measurement]]
    lines: Mapping[str, tuple[Measurement, ...]]
    skips: Mapping[str, str]
    pending: Mapping[str, int]
    workloads: Mapping[str, tuple[str, ...]]  # identity of the workload's Spec -> keys of its cells
    identity: Mapping[str, tuple[str, str]]  # cell key -> identities of its workload and its backend

    def ok(self, key: str, *, replica: int = 1) -> Mapping[int, Measurement]:
        """Return the good measurements of a cell by block; {} if there are none."""
        return self.good.get((key, replica), {})

    def siblings(self, key: str) -> tuple[str, ...]:
        """List the keys of all cells with the same workload, sizes included, itself among them."""
        return self.workloads[self.identity[key][0]]

    def base(self, key: str) -> str | None:
        """Find the one-thread loop over the same workload, the only base of a speedup."""
        found = [k for k in self.siblings(key) if _is_base(self.cells[k])]
        found.sort(
            key=lambda k: (self.cells[k].gpus != self.cells[key].gpus, self.cells[k].backend.name != "sequential")
        )
        return found[0] if found else None

    def threaded(self, key: str) -> str | None:
        """Find the loop whose library threads use as many cores as this cell has."""
        cell = self.cells[key]
        for k in self.siblings(key):
            other = self.cells[k]
            if other.backend.role is Role.THREADED_BASELINE and other.cpus == cell.cpus and k != key:
                return k
        return None

    def one_core(self, key: str) -> str | None:
        """Find the same backend on one core."""
        return self._same_backend(key, lambda other: other.cpus == 1 and other.workers == 1)

    def ceiling(self, key: str) -> str | None:
        """Find the bare processes that run the workload's own tasks on as many cores."""
        cpus = self.cells[key].cpus
        bare = (k for k in self.siblings(key) if is_ceiling(self.cells[k]))
        return next((k for k in bare if self.cells[k].cpus == cpus and k != key), None)

    def is_ladder(self, key: str) -> bool:
        """Return whether the workload is a ladder of task lengths, whose makespan is a sum over bags."""
        if Tag.GRANULARITY_SWEEP in self.cells[key].workload.tags:
            return True
        return any(m.ladder for k in self.siblings(key) for m in self.ok(k).values())

    def _same_backend(self, key: str, fits: Callable[[Cell], bool]) -> str | None:
        mine = self.identity[key][1]
        for k in self.siblings(key):
            if k != key and self.identity[k][1] == mine and fits(self.cells[k]):
                return k
        return None

    def values(self, key: str, metric: Metric, *, replica: int = 1) -> npt.NDArray[np.float64]:
        """Return one value per good block, in the order of blocks, of those that have one."""
        found = (metric(m) for _, m in sorted(self.ok(key, replica=replica).items()))
        return np.array([v for v in found if v is not None], dtype=np.float64)

    def paired(self, top: str, bottom: str, metric: Metric) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the values of two cells over the blocks in which both are good and have one."""
        return pair(self.ok(top), self.ok(bottom), metric)

    def counts(self, key: str) -> dict[str, int]:
        """Count the lines of a cell by status; `skipped` and `not measured` where there is no line."""
        counts = Counter(str(m.status) for m in self.lines.get(key, ()))
        if key in self.skips and not counts:
            counts[str(Status.SKIPPED)] = 1
        if self.pending.get(key):
            counts["not measured"] = self.pending[key]
        return dict(counts)

    def reason(self, key: str) -> str:
        """Say why a cell has no number or lacks some; '' if all is well."""
        if key in self.skips:
            return self.skips[key]
        bad = [
            m.reason or str(m.status) for m in self.lines.get(key, ()) if m.status not in (Status.OK, Status.DISTURBED)
        ]
        told = [f"{count} x {reason}" for reason, count in Counter(bad).most_common(2)]
        if self.pending.get(key):
            told.append(f"{self.pending[key]} x not measured")
        if not told and not self.ok(key):
            told.append("every measurement was disturbed" if key in self.lines else "not measured yet")
        return "; ".join(told)


def pair(
    top: Mapping[int, Measurement], bottom: Mapping[int, Measurement], metric: Metric
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return a metric of two series over the blocks in which both have it, in the order of blocks."""
    found = [(metric(top[b]), metric(bottom[b])) for b in sorted(top.keys() & bottom.keys())]
    both = np.array([(a, b) for a, b in found if a is not None and b is not None], dtype=np.float64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def ledger(plan: Plan, measurements: Sequence[Measurement]) -> Ledger:
    """Arrange the lines of one run by cell and block."""
    keys = [(job.cell.key, job.block, job.replica) for job in plan.jobs]
    skips = {skip.cell.key: skip for skip in plan.skips}
    cells: dict[str, Cell] = {}
    for planned, job in zip(keys, plan.jobs, strict=True):
        cells.setdefault(planned[0], job.cell)
    for skipped, skip in skips.items():
        cells.setdefault(skipped, skip.cell)
    cells = dict(sorted(cells.items(), key=lambda pair: reading_order(pair[1])))
    good: dict[tuple[str, int], dict[int, Measurement]] = {}
    lines: dict[str, list[Measurement]] = {}
    for m in sorted(measurements, key=lambda m: (m.cell, m.replica, m.block, m.attempt)):
        lines.setdefault(m.cell, []).append(m)
        if m.status is Status.OK:
            good.setdefault((m.cell, m.replica), {})[m.block] = m
    done = {(m.cell, m.block, m.replica) for m in measurements}
    last = max((m.block for m in measurements), default=-1)
    workloads: dict[str, list[str]] = {}
    identity: dict[str, tuple[str, str]] = {}
    for key, cell in cells.items():
        identity[key] = (digest(cell.workload), digest(cell.backend))
        workloads.setdefault(identity[key][0], []).append(key)
    return Ledger(
        plan=plan,
        cells=cells,
        good=good,
        lines={key: tuple(found) for key, found in lines.items()},
        skips={key: skip.reason for key, skip in skips.items()},
        pending=Counter(planned[0] for planned in keys if planned not in done and planned[1] <= last),
        workloads={name: tuple(found) for name, found in workloads.items()},
        identity=identity,
    )


def is_ceiling(cell: Cell) -> bool:
    """Return whether the cell is the control that measures what the machine allows."""
    return cell.backend.role is Role.CEILING


def _is_base(cell: Cell) -> bool:
    return cell.backend.role is Role.BASELINE and cell.cpus == 1
