"""How far the predictor is off on the study's own cells, each predicted from the rest of the study.

From the rest come the cost of an empty task on that backend (workload noop) and what tasks lose side by side; from the
cell's workload only the sequential baseline. What the rest is depends on what is left out: the cell, all cells with its
P, or all parallel cells of its workload. Source: METHODOLOGY.md, Predictions.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean, median

from raybench.analysis import predictor
from raybench.analysis.dataset import CellData, Dataset, is_ceiling, makespan
from raybench.analysis.kinds import is_loop, kind_of
from raybench.analysis.losses import useful_seconds
from raybench.analysis.pairs import pair_blocks
from raybench.analysis.predictor import Cost, Errors, Span, Tasks
from raybench.analysis.speedup import FULL_WORK
from raybench.model.estimate import Row
from raybench.model.measurement import TaskStamp
from raybench.model.plan import Cell, Tag

EMPTY = "noop"  # workload whose tasks do nothing: its time is the backend's own
COMPUTING = 0.5  # share of CPU time from which a workload tells what computing tasks lose side by side
ASSUMED = 0.8  # efficiency of the documented formula T / (0.8 P)


class LeftOut(StrEnum):
    """What a prediction was made without."""

    CELL = "the cell"
    CORES = "its P"
    WORKLOAD = "its workload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A cell predicted without a part of the study.

    span : geometric mean over the blocks. told_s, took_s, base_s : predicted and measured warm seconds by block, and
    those of the sequential baseline beside it.
    """

    cell: Cell
    left_out: LeftOut
    span: Span
    told_s: tuple[float, ...]
    took_s: tuple[float, ...]
    base_s: tuple[float, ...]

    @property
    def measured_s(self) -> float:
        """Return the geometric mean of the measured seconds."""
        return _mean(self.took_s)

    @property
    def error(self) -> float:
        """Return predicted / measured - 1; above 0 too long a time is promised."""
        return self.span.seconds / self.measured_s - 1

    @property
    def formula_error(self) -> float:
        """Return the same of T / (0.8 P)."""
        return _mean(self.base_s) / (ASSUMED * self.cell.cpus) / self.measured_s - 1

    @property
    def covered(self) -> bool:
        """Return whether the 90 % interval holds what was measured."""
        return self.span.low <= self.measured_s <= self.span.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the prediction without a workload chooses for it. loss, joblib_loss : time / best measured time - 1."""

    workload: str
    cpus: int
    chosen: str
    loss: float
    joblib_loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """All held-out predictions of a study, and the choices that follow from them."""

    held: tuple[Held, ...] = ()
    choices: tuple[Choice, ...] = ()

    def of(self, left_out: LeftOut) -> tuple[Held, ...]:
        """Return the predictions without one part."""
        return tuple(one for one in self.held if one.left_out is left_out)

    def errors(self, left_out: LeftOut) -> Errors | None:
        """Return the errors of the predictions without one part; None where there is none."""
        held = self.of(left_out)
        return predictor.errors([one.error for one in held], [one.covered for one in held])

    def formula_errors(self) -> Errors | None:
        """Return the errors of T / (0.8 P) on the cells that are predicted without themselves."""
        return predictor.errors([one.formula_error for one in self.of(LeftOut.CELL)])

    @property
    def passes(self) -> bool:
        """Return whether predictions may be shown: each kind of held-out errors that there is keeps the limits."""
        found = [one for part in LeftOut if (one := self.errors(part)) is not None]
        return bool(found) and all(one.passes for one in found)


def hold_out(data: Dataset, rows: Sequence[Row]) -> HeldOut:
    """Predict every cell of useful work without itself, without its P and without its workload."""
    study = _Study(data, {row.cell.key: row for row in rows})
    held = tuple(
        one
        for of in data.cells
        for part in LeftOut
        if not of.cell.emulated and (one := study.held(of, part)) is not None
    )
    return HeldOut(held=held, choices=tuple(_choices([one for one in held if one.left_out is LeftOut.WORKLOAD])))


def empty_task_cost(cells: Sequence[CellData], of: CellData) -> Cost | None:
    """Return the cost of an empty task on a cell's backend, from the cell with the nearest number of workers."""
    near = sorted(
        (one for one in cells if one.cell.workload.name == EMPTY and one.cell.backend == of.cell.backend),
        key=lambda one: abs(one.cell.workers - of.cell.workers),
    )
    for one in near:
        found = [seconds / len(m.tasks) for m in one.good.values() if m.tasks and (seconds := makespan(m))]
        if found:
            return Cost(backend=one.cell.backend.name, workers=one.cell.workers, task_s=median(found))
    return None


class _Study:
    """The cells with what tasks lose in each of them side by side."""

    def __init__(self, data: Dataset, rows: Mapping[str, Row]) -> None:
        self._cells, self._rows = [of for of in data.cells if not of.cell.emulated], rows
        self._lost = {of.key: lost for of in data.cells if (lost := self._find_loss(of)) is not None}

    def held(self, of: CellData, left_out: LeftOut) -> Held | None:
        """Predict a cell without a part of the study; None where a parameter is missing, or it is no useful work."""
        if not self._is_useful(of) or of.baseline is None:
            return None
        rest = [one for one in self._cells if _without(left_out)(of, one)]
        cost = empty_task_cost(rest, of)
        pairs = {b: both for b, both in pair_blocks(of.baseline, of, makespan).items() if of.baseline.good[b].tasks}
        if cost is None or not pairs:
            return None
        slowdown, told = self._slowdown(of, rest), []
        for block, (base_s, _) in sorted(pairs.items()):
            alone = predictor.task_seconds(of.baseline.good[block])
            tasks = Tasks(seconds=alone, slowdown=slowdown, cores=of.cell.cpus)
            told.append((predictor.predict(tasks, cost, of.cell.workers), base_s / math.fsum(alone)))
        return Held(
            cell=of.cell,
            left_out=left_out,
            span=Span(
                seconds=_mean(scale * one.seconds for one, scale in told),
                low=_mean(scale * one.low for one, scale in told),
                high=_mean(scale * one.high for one, scale in told),
            ),
            told_s=tuple(scale * one.seconds for one, scale in told),
            took_s=tuple(seconds for _, (_, seconds) in sorted(pairs.items())),
            base_s=tuple(seconds for _, (seconds, _) in sorted(pairs.items())),
        )

    def _is_useful(self, of: CellData) -> bool:
        """Return whether a cell is work that users have, all of it, none planted, by processes: what is predicted."""
        backend, workload = of.cell.backend, of.cell.workload
        if backend.is_control or is_loop(backend) or Tag.THREADS_POOL in backend.tags or of.is_sweep:
            return False
        if Tag.MEMORY in workload.tags:  # how many bytes a task moves is not recorded
            return False
        whole = self._rows[of.key].work_ratio >= FULL_WORK and not self._rows[of.key].doubts
        return whole and kind_of(workload) is not None and workload.name != EMPTY

    def _slowdown(self, of: CellData, rest: Sequence[CellData]) -> float:
        """Return seconds of a task beside one other / alone, from the workload's own cells where the rest has some.

        Bare processes tell it best, then other backends, then other workloads that compute, by the share of its time
        in which this one does.
        """
        known = [(one, self._lost[one.key]) for one in rest if one.key in self._lost]
        own = [(one, lost) for one, lost in known if one.cell.workload == of.cell.workload]
        bare = [lost for one, lost in own if is_ceiling(one.cell)]
        if bare or own:
            return 1 + max(0.0, median(bare or [lost for _, lost in own]))
        shares = [(lost, _computing(one)) for one, lost in known]
        others = [lost / share for lost, share in shares if share >= COMPUTING]
        return 1 + max(0.0, median(others)) * _computing(of) if others else 1.0

    def _find_loss(self, of: CellData) -> float | None:
        """Return by how much a task of a cell is longer for each other that runs beside it, as a fraction."""
        cell, row = of.cell, self._rows[of.key]
        others = min(cell.workers, cell.cpus) - 1
        if others < 1 or of.baseline is None or cell.workload.name == EMPTY:
            return None
        if is_ceiling(cell):
            return (1 / row.ceiling.point - 1) / others if row.ceiling else None
        if not self._is_useful(of):
            return None
        both = [(of.good[b].tasks, of.baseline.good[b].tasks) for b in of.good.keys() & of.baseline.good.keys()]
        longer = [_busy_s(mine) / useful_seconds(mine, base) for mine, base in both if mine and base]
        return (median(longer) - 1) / others if longer else None


def _busy_s(tasks: Sequence[TaskStamp]) -> float:
    return math.fsum(t.ended - t.started for t in tasks)


def _without(left_out: LeftOut) -> Callable[[CellData, CellData], bool]:
    """Return whether a cell belongs to the rest of the study for another one."""
    return {
        LeftOut.CELL: lambda of, one: one is not of,
        LeftOut.CORES: lambda of, one: one.cell.cpus != of.cell.cpus,
        LeftOut.WORKLOAD: lambda of, one: one.cell.workload.name != of.cell.workload.name,
    }[left_out]


def _computing(of: CellData) -> float:
    """Return the share of its time in which a workload's baseline computes, 0 to 1; 1 where it is not known."""
    good = [m for m in of.baseline.good.values() if m.cpu_makespan_s is not None] if of.baseline else []
    return min(1.0, median((m.cpu_makespan_s or 0.0) / m.phases.makespan for m in good)) if good else 1.0


def _mean(values: Iterable[float]) -> float:
    return math.exp(fmean(math.log(one) for one in values))


def _choices(held: Sequence[Held]) -> Iterator[Choice]:
    """Choose, for each workload and P with joblib and another backend, the way that is predicted to end first."""
    families: dict[tuple[str, int], list[Held]] = {}
    for one in held:
        families.setdefault((one.cell.workload.name, one.cell.cpus), []).append(one)
    for (workload, cpus), members in families.items():
        joblib = next((one.measured_s for one in members if one.cell.backend.name == "joblib"), None)
        if joblib is None or len(members) == 1 or cpus == 1:
            continue
        base_s = _mean(members[0].base_s)
        ways = [("sequential", base_s, base_s)]
        ways += [(one.cell.backend.name, one.span.seconds, one.measured_s) for one in members]
        best = min(measured for _, _, measured in ways)
        name, _, took = min(ways, key=lambda way: way[1])
        yield Choice(workload=workload, cpus=cpus, chosen=name, loss=took / best - 1, joblib_loss=joblib / best - 1)
