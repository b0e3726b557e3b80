"""The cells of a selection with everything a quantity may look at, and the form of its answer."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from raybench.analysis.dataset import Ledger, Metric, cold, makespan
from raybench.analysis.results import Findings, Run
from raybench.claims.claim import Part, Select
from raybench.model.estimate import Estimate, Row
from raybench.model.plan import Cell
from raybench.model.stats import Ratio, Resampler, ratio

CONDITION = re.compile(r"(?P<sign>>=|<=|>|<|)\s*(?P<number>\d+)")
SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    "": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
MOST = "max"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One number that a quantity found.

    about : what it is about. keys : of the cells behind it. workload : whose noise floor counts.
    aside : why it is shown and not judged. predicted : comes from a model, not from a measurement.
    """

    about: str
    estimate: Estimate
    keys: tuple[str, ...] = ()
    workload: str = ""
    aside: str = ""
    note: str = ""
    predicted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A run with its analyses, arranged once for all claims. rows : by cell key, in reading order."""

    run: Run
    findings: Findings
    data: Ledger
    draws: Resampler
    rows: Mapping[str, Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a quantity is asked for. keys : of the selected cells. edges : finite ends of the band."""

    material: Material
    keys: tuple[str, ...]
    cold: bool = False
    edges: tuple[float, ...] = ()

    @property
    def data(self) -> Ledger:
        """Return the measurements by cell and block."""
        return self.material.data

    @property
    def seconds(self) -> Metric:
        """Return the time that counts: cold or warm."""
        return cold if self.cold else makespan

    @property
    def workloads(self) -> frozenset[str]:
        """Name the workloads of the selected cells."""
        return frozenset(self.data.cells[key].workload.name for key in self.keys)

    def row(self, key: str) -> Row:
        """Return the analysed row of a cell."""
        return self.material.rows[key]

    def ratio(self, top: str | None, bottom: str | None, metric: Metric | None = None) -> Ratio | None:
        """Estimate a metric of one cell / of another, over the blocks in which both are good; None without any."""
        if top is None or bottom is None:
            return None
        a, b = self.data.paired(top, bottom, metric or self.seconds)
        return ratio(a, b, self.material.draws) if len(a) else None

    def sample(self, key: str, estimate: Estimate, *, other: str = "", aside: str = "", note: str = "") -> Sample:
        """Name an estimate by its cell. other : key of the cell compared with."""
        cell = self.data.cells[key]
        return Sample(
            about=name_cell(cell),
            estimate=estimate,
            keys=(key, *filter(None, [other])),
            workload=cell.workload.name,
            aside=aside,
            note=note,
        )


def name_cell(cell: Cell) -> str:
    """Name a cell in a sentence."""
    workers = f" x {cell.workers} workers" if cell.oversubscribed else ""
    return f"{cell.workload.name} on {cell.backend.name}, P={cell.cpus}{workers}"


def ask(material: Material, part: Part) -> Asked:
    """Select a part's cells, in reading order."""
    chosen = tuple(key for key in material.rows if is_selected(material, key, part.select))
    return Asked(material=material, keys=chosen, cold=part.cold, edges=part.edges)


def is_selected(material: Material, key: str, select: Select) -> bool:
    """Return whether a cell belongs to a selection."""
    cell = material.data.cells[key]
    tags, backend_tags = cell.workload.tags, cell.backend.tags
    return (
        not cell.backend.is_control
        and _matches(cell.workload.name, select.workloads)
        and _matches(cell.backend.name, select.backends)
        and set(select.tags) <= set(tags)
        and set(select.backend_tags) <= set(backend_tags)
        and not set(select.without) & set(tags)
        and holds(select.cpus.replace(MOST, str(most_cpus(material))), cell.cpus)
        and holds(select.tasks, material.rows[key].tasks)
    )


def most_cpus(material: Material) -> int:
    """Return the largest P with a good measurement; 0 without any."""
    return max((material.data.cells[key].cpus for key, _ in material.data.good), default=0)


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
