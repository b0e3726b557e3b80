"""Raw data arranged for comparison, once per run: each cell with its good measurements and its cells of comparison.

No statistics here. Two cells are compared over the blocks in which both are good.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import numpy.typing as npt

from raybench.analysis.validity import Rules
from raybench.model.measurement import Environment, HeadUse, Measurement, Quality, Sample
from raybench.model.pairing import samples_of
from raybench.model.plan import Cell, Plan, Role, Status, Tag, reading_order
from raybench.model.serialize import digest
from raybench.model.tracking import TrackingCheck

Floats = npt.NDArray[np.float64]
Metric = Callable[[Measurement], float | None]
Blocks = Mapping[int, Measurement]  # one measurement by block


@dataclass(frozen=True, slots=True, kw_only=True)
class RunData:
    """The raw data of one run as the report needs it. `folder` is relative to the reports folder."""

    folder: str
    data: str  # hash over the raw files
    plan: Plan
    environment: Environment
    measurements: tuple[Measurement, ...]
    qualities: tuple[Quality, ...] = ()
    samples: tuple[Sample, ...] = ()
    tracking: TrackingCheck | None = None  # what is in the tracker, where the run was tracked
    torn: bool = False


@dataclass(frozen=True, kw_only=True)
class Process(Measurement):
    """A process with the samples that estimates use: its own, and those of the baseline of its group.

    Runs before schema 2 have none: one makespan per process.
    """

    samples: tuple[Sample, ...] = ()
    beside: tuple[Sample, ...] = ()

    @property
    def seconds(self) -> float:
        """Return the geometric mean of the samples' makespans."""
        return float(np.exp(np.mean([np.log(sample.seconds) for sample in self.samples])))


def makespan(m: Measurement) -> float | None:
    """Return the warm time in seconds, the geometric mean over the samples; None where nothing was timed."""
    return m.seconds if isinstance(m, Process) else m.phases.makespan or None


def joined_shared_head(m: Measurement) -> bool:
    """Return whether a measurement ran on a head that the runner had started for several."""
    return m.head is not None and m.head.use is HeadUse.SHARED


def cold(m: Measurement) -> float | None:
    """Return the cold time in seconds; None where the cell joined a head that others had started."""
    return None if joined_shared_head(m) else m.phases.cold


def copy_s(m: Measurement) -> float | None:
    """Return the mean seconds of whole task sets run at once, one by each bare process; None where they shared one."""
    return float(np.mean(m.details.copies_s)) if m.details.copies_s else None


@dataclass(frozen=True, eq=False, kw_only=True)  # no slots: the cells to compare with are kept
class CellData:
    """One planned cell with all that was measured of it, and the cells of the same workload to compare it with.

    good : the last measurement of each block that is OK; second : those of the second replica (A/A).
    busy : others used much of the CPU time in so many rounds that all rounds are used, not only quiet ones.
    lines : every line, whatever its status. skip : why it was planned not to run.
    invalid : by block, the rules that an emulated measurement breaks; those blocks are not among the good ones.
    pending : planned measurements without a line, of the blocks that have begun; those that have not are a fact of
        the run.
    siblings : all cells with the same workload, sizes included, itself among them, in reading order.
    study : all cells of the run.
    """

    cell: Cell
    good: Blocks
    second: Blocks
    busy: bool
    lines: tuple[Measurement, ...]
    skip: str
    pending: int
    invalid: Mapping[int, tuple[str, ...]]
    siblings: Sequence["CellData"]
    study: "Dataset"

    @property
    def key(self) -> str:
        """Return the cell's key."""
        return self.cell.key

    @cached_property
    def baseline(self) -> "CellData | None":
        """Return the sequential baseline of the workload, the only base of a speedup; itself where it is that."""
        found = [other for other in self.siblings if is_baseline(other.cell)]
        gpus = self.cell.gpus
        found.sort(key=lambda other: (other.cell.gpus != gpus, other.cell.backend.name != "sequential"))
        return found[0] if found else None

    @property
    def is_baseline(self) -> bool:
        """Return whether the cell is its own baseline."""
        return self.baseline is self

    @cached_property
    def threaded(self) -> "CellData | None":
        """Return the threaded baseline with as many cores."""
        same = (other for other in self._others if other.cell.cpus == self.cell.cpus)
        return next((other for other in same if is_threaded_baseline(other.cell)), None)

    @cached_property
    def one_core(self) -> "CellData | None":
        """Return the same backend on one core."""
        alone = (other for other in self._others if other.cell.cpus == 1 and other.cell.workers == 1)
        return next((other for other in alone if other.cell.backend == self.cell.backend), None)

    @cached_property
    def ceiling(self) -> "CellData | None":
        """Return the bare processes that run the workload's own tasks on as many cores."""
        same = (other for other in self._others if other.cell.cpus == self.cell.cpus)
        return next((other for other in same if is_ceiling(other.cell)), None)

    @property
    def _others(self) -> Iterable["CellData"]:
        return (other for other in self.siblings if other is not self)

    @cached_property
    def is_sweep(self) -> bool:
        """Return whether the workload is a granularity sweep, whose makespan is a sum over task sets."""
        if Tag.GRANULARITY_SWEEP in self.cell.workload.tags:
            return True
        return any(m.sweep for other in self.siblings for m in other.good.values())

    @property
    def in_order(self) -> list[Measurement]:
        """Return the good measurements in the order of blocks."""
        return [m for _, m in sorted(self.good.items())]

    def values(self, metric: Metric) -> Floats:
        """Return one value per good block, in the order of blocks, of those that have one."""
        found = map(metric, self.in_order)
        return np.array([v for v in found if v is not None], dtype=np.float64)

    def counts(self) -> dict[str, int]:
        """Count the lines by status; `skipped` and `not measured` where there is no line."""
        counts = Counter(str(m.status) for m in self.lines)
        if self.invalid:
            counts[str(Status.OK)] -= len(self.invalid)
            counts["invalid"] = len(self.invalid)
        if self.skip and not counts:
            counts[str(Status.SKIPPED)] = 1
        if self.pending:
            counts["not measured"] = self.pending
        return {name: count for name, count in counts.items() if count}

    def reason(self) -> str:
        """Say why the cell has no number or lacks some; '' if all is well."""
        if self.skip:
            return self.skip
        bad = [m.reason or str(m.status) for m in self.lines if m.status not in (Status.OK, Status.DISTURBED)]
        bad += [f"invalid: {'; '.join(reasons)}" for reasons in self.invalid.values()]
        told = [f"{count} x {reason}" for reason, count in Counter(bad).most_common(2)]
        if self.pending:
            told.append(f"{self.pending} x not measured")
        if not told and not self.good:
            told.append("every measurement was disturbed" if self.lines else "not measured yet")
        return "; ".join(told)


class Dataset:
    """All measurements of a run by cell, in reading order: built once, read by every analysis."""

    def __init__(
        self,
        plan: Plan,
        measurements: Sequence[Measurement],
        samples: Sequence[Sample] = (),
        *,
        all_rounds: bool = False,
    ) -> None:
        """Arrange a run. all_rounds : use disturbed rounds of every cell, not of busy cells alone."""
        self.plan = plan
        processes = _Processes(plan, measurements, samples, all_rounds=all_rounds)
        self.rules = Rules(plan, measurements, samples)
        skips = {skip.cell.key: skip.reason for skip in plan.skips}
        lines: dict[str, list[Measurement]] = {}
        for m in sorted(measurements, key=lambda m: (m.cell, m.replica, m.block, m.attempt)):
            lines.setdefault(m.cell, []).append(m)
        pending = _count_pending(plan, measurements)
        siblings: dict[str, list[CellData]] = {}
        found = []
        for cell in sorted({cell.key: cell for cell in _cells(plan)}.values(), key=reading_order):
            mine, family = lines.get(cell.key, []), siblings.setdefault(digest(cell.workload), [])
            good, invalid = self.rules.part(cell, _last_good(mine, second=False))
            data = CellData(
                cell=cell,
                good=processes.of(good),
                second=processes.of(_last_good(mine, second=True)),
                busy=cell.key in processes.busy,
                lines=tuple(mine),
                skip=skips.get(cell.key, ""),
                pending=pending[cell.key],
                invalid=invalid,
                siblings=family,
                study=self,
            )
            family.append(data)
            found.append(data)
        self.cells: tuple[CellData, ...] = tuple(found)


QUIET_GROUPS = 3  # with quiet rounds in so many groups, the others are left out


class _Processes:
    """The processes of a run with the samples that count. busy : keys of cells that have too few quiet rounds."""

    def __init__(
        self, plan: Plan, measurements: Sequence[Measurement], samples: Sequence[Sample], *, all_rounds: bool
    ) -> None:
        self._taken = samples_of(measurements, samples)
        baselines = {cell.key for cell in _cells(plan) if is_baseline(cell)}
        self._beside = {
            (m.block, m.group, m.attempt): self._taken[m.key]
            for m in measurements
            if m.cell in baselines and m.replica % 2 and m.status is Status.OK
        }
        quiet = Counter(m.cell for m in measurements if m.status is Status.OK and self._quiet(m))
        self.busy = {
            m.cell for m in measurements if self._taken[m.key] and (all_rounds or quiet[m.cell] < QUIET_GROUPS)
        }

    def of(self, blocks: Mapping[int, Measurement]) -> Blocks:
        return {block: self._process(m) for block, m in blocks.items()}

    def _process(self, m: Measurement) -> Measurement:
        used = self._taken[m.key] if m.cell in self.busy else self._quiet(m)
        if not used:
            return m
        values = {f.name: getattr(m, f.name) for f in fields(Measurement)}
        return Process(**values, samples=tuple(used), beside=tuple(self._neighbours(m)))

    def _quiet(self, m: Measurement) -> list[Sample]:
        """Return the samples of quiet rounds: neither they nor the baselines before and after were disturbed."""
        disturbed = {sample.round for sample in self._neighbours(m) if sample.disturbance.reason}
        return [
            sample
            for sample in self._taken[m.key]
            if not sample.disturbance.reason and not disturbed & {sample.round, sample.round + 1}
        ]

    def _neighbours(self, m: Measurement) -> list[Sample]:
        return self._beside.get((m.block, m.group, m.attempt), [])


def is_same_backend(one: Cell, other: Cell) -> bool:
    """Return whether two cells have the same backend on the same workers and cores, whatever their workloads."""
    return one.backend == other.backend and _place(one) == _place(other)


def _place(cell: Cell) -> tuple[int, int, int | None, str]:
    return (cell.workers, cell.cpus, cell.real, cell.cluster)


def is_ceiling(cell: Cell) -> bool:
    """Return whether the cell is the control that measures what the machine allows."""
    return cell.backend.role is Role.CEILING


def is_baseline(cell: Cell) -> bool:
    """Return whether the cell is a sequential baseline."""
    return cell.backend.role is Role.BASELINE and cell.cpus == 1


def is_threaded_baseline(cell: Cell) -> bool:
    """Return whether the cell is a loop whose library threads use all its cores."""
    return cell.backend.role is Role.THREADED_BASELINE


def _cells(plan: Plan) -> Iterable[Cell]:
    yield from (skip.cell for skip in plan.skips)
    yield from (job.cell for job in plan.jobs)


def _last_good(lines: Iterable[Measurement], *, second: bool) -> dict[int, Measurement]:
    """Return the last OK measurement of each block; lines in the order of replicas and attempts.

    second : of the even replicas (A/A). A baseline has a pair of replicas in each group of its workload.
    """
    good = [m for m in lines if m.status is Status.OK and (m.replica % 2 == 0) is second]
    first = {m.block: m.replica for m in reversed(good)}
    return {m.block: m for m in good if m.replica == first[m.block]}


def _count_pending(plan: Plan, measurements: Sequence[Measurement]) -> Counter[str]:
    """Count, by cell, the planned measurements without a line in the blocks that have begun."""
    done = {(m.cell, m.block, m.replica) for m in measurements}
    last = max((m.block for m in measurements), default=-1)
    planned = ((job.cell.key, job.block, job.replica) for job in plan.jobs if job.block <= last)
    return Counter(key for key, block, replica in planned if (key, block, replica) not in done)
