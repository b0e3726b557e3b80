"""The cells of a selection with everything a quantity may look at, and the form of its answer."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from raybench.analysis.dataset import CellData, Dataset, Metric, RunData, cold, makespan
from raybench.analysis.pairs import compare, priors
from raybench.analysis.results import Findings
from raybench.claims.claim import Part, Select
from raybench.model.estimate import Estimate, Row
from raybench.model.log_ratio import Prior
from raybench.model.plan import Cell, Tag
from raybench.model.stats import Ratio, Resampler

CONDITION = re.compile(r"(?P<sign>>=|<=|>|<|)\s*(?P<number>\d+)")
SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    "": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
MOST = "max"
BUSY, TASK_S, ALL_S = 0.9, 0.1, 0.3  # of a compute-bound baseline: CPU / wall, seconds per task and in all


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One number that a quantity found.

    about : what it is about. cells : behind it, the one it is about first. workload : whose noise floor counts.
    aside : why it is shown and not judged. predicted : comes from a model, not from a measurement. emulated : of tasks
        that wait instead of computing.
    """

    about: str
    estimate: Estimate
    cells: tuple[CellData, ...] = ()
    workload: str = ""
    aside: str = ""
    note: str = ""
    predicted: bool = False
    emulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A run with its analyses, arranged once for all claims. rows : by cell key."""

    run: RunData
    findings: Findings
    draws: Resampler
    rows: Mapping[str, Row]

    @classmethod
    def of(cls, run: RunData, findings: Findings) -> "Material":
        """Arrange a run and its analyses."""
        rows = {row.cell.key: row for row in findings.rows}
        return cls(run=run, findings=findings, draws=Resampler(), rows=rows)

    @property
    def data(self) -> Dataset:
        """Return the measurements by cell."""
        return self.findings.data


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The cells of a part, in reading order, with what a quantity may look at."""

    material: Material
    cells: tuple[CellData, ...]
    cold: bool = False

    @property
    def seconds(self) -> Metric:
        """Return the time that counts: cold or warm."""
        return cold if self.cold else makespan

    @property
    def prior(self) -> Prior | None:
        """Return how the variances of the study's ratios of that time are distributed."""
        return priors(self.material.data, self.seconds)

    @property
    def workloads(self) -> frozenset[str]:
        """Name the workloads of the selected cells."""
        return frozenset(of.cell.workload.name for of in self.cells)

    @property
    def baselines(self) -> tuple[CellData, ...]:
        """Return the sequential baselines of the selected cells, each once."""
        return tuple(dict.fromkeys(of.baseline for of in self.cells if of.baseline))

    def row(self, of: CellData) -> Row:
        """Return the analysed row of a cell."""
        return self.material.rows[of.key]

    def ratio(self, top: CellData | None, bottom: CellData | None, metric: Metric | None = None) -> Ratio | None:
        """Estimate a metric of one cell / of another, over the blocks in which both are good; None without any."""
        if top is None or bottom is None:
            return None
        return compare(top, bottom, metric or self.seconds, self.material.draws)

    def sample(
        self, of: CellData, estimate: Estimate, *, other: CellData | None = None, aside: str = "", note: str = ""
    ) -> Sample:
        """Name an estimate by its cell. other : the cell compared with."""
        return Sample(
            about=name_cell(of.cell),
            estimate=estimate,
            cells=(of, other) if other else (of,),
            workload=of.cell.workload.name,
            aside=aside,
            note=note,
        )


def name_cell(cell: Cell) -> str:
    """Name a cell in a sentence."""
    workers = f" x {cell.workers} workers" if cell.oversubscribed else ""
    logical = f" (logical CPUs on {cell.real} cores)" if cell.emulated else ""
    where = f", cluster {cell.cluster}" if cell.cluster else ""
    return f"{cell.workload.name} on {cell.backend.name}, P={cell.cpus}{workers}{logical}{where}"


def select_cells(material: Material, part: Part) -> Selection:
    """Select a part's cells, in reading order."""
    chosen = tuple(of for of in material.data.cells if is_selected(material, of, part.select))
    return Selection(material=material, cells=chosen, cold=part.cold)


def is_selected(material: Material, of: CellData, select: Select) -> bool:
    """Return whether a cell belongs to a selection."""
    cell = of.cell
    tags, backend_tags = cell.workload.tags, cell.backend.tags
    return (
        not cell.backend.is_control
        and (select.logical or not cell.emulated)
        and _matches(cell.workload.name, select.workloads)
        and _matches(cell.backend.name, select.backends)
        and set(select.tags) <= set(tags)
        and set(select.backend_tags) <= set(backend_tags)
        and not set(select.without) & set(tags)
        and holds(select.cpus.replace(MOST, str(most_cpus(material))), cell.cpus)
        and holds(select.tasks, material.rows[of.key].tasks)
        and (not select.seconds or holds(select.seconds, _baseline_s(of)))
        and (not select.compute_bound or is_compute_bound(of.baseline))
    )


def is_compute_bound(baseline: CellData | None) -> bool:
    """Return whether a workload keeps the conditions of the rules for compute-bound work, by its sequential baseline.

    Tag `compute`; CPU seconds at least 0.9 of the wall time; median task at least 0.1 s; all tasks at least 0.3 s.
    The conditions were fixed before any verdict was seen. A workload without a measured baseline keeps them by its tag.
    """
    if baseline is None or Tag.COMPUTE not in baseline.cell.workload.tags:
        return False
    timed = [m for m in baseline.in_order if makespan(m) and m.tasks]
    if not timed:
        return not baseline.good
    busy = [m.cpu_makespan_s / m.phases.makespan for m in timed if m.cpu_makespan_s is not None]
    spans = [t.ended - t.started for m in timed for t in m.tasks]
    whole = [m.phases.makespan for m in timed]
    found = (float(np.median(values)) for values in (busy or [0.0], spans, whole))
    return all(value >= least for value, least in zip(found, (BUSY, TASK_S, ALL_S), strict=True))


def _baseline_s(of: CellData) -> float:
    """Return the median seconds of the sequential baseline; infinite where it was not measured."""
    seconds = of.baseline.values(makespan) if of.baseline else ()
    return float(np.median(seconds)) if len(seconds) else float("inf")


def most_cpus(material: Material) -> int:
    """Return the largest number of cores with a good measurement; 0 without any."""
    return max(
        (of.cell.cpus for of in material.data.cells if (of.good or of.second) and not of.cell.emulated), default=0
    )


def holds(condition: str, value: float) -> bool:
    """Return whether a value meets `2`, `>1`, `>=100` ...; an empty condition is always met."""
    if not condition:
        return True
    match = CONDITION.fullmatch(condition.strip())
    assert match is not None, f"{condition!r} was let through by the reader"
    return SIGNS[match["sign"]](value, float(match["number"]))


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def exactly(value: float, n: int) -> Estimate:
    """Return a number without spread: a count, or what must hold in every measurement."""
    return Estimate(point=value, low=value, high=value, n=n)


def transform(estimate: Estimate, by: Callable[[float], float]) -> Estimate:
    """Change an estimate by a monotone function."""
    point, low, high = (by(value) for value in (estimate.point, estimate.low, estimate.high))
    ends = np.sort([low, high])
    return Estimate(point=point, low=float(ends[0]), high=float(ends[1]), n=estimate.n, flag=estimate.flag)
