"""May this study be believed? A/A, sleep, injected overhead and hardware ceiling, judged as one family.

A control fails where its miss passes 2 % and its p value, adjusted by Holm over all controls, lies below 0.05:
five good controls judged one by one would condemn a fifth of all good studies.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.stats

from raybench.analysis.dataset import CellData, Dataset, copy_s, is_ceiling, makespan, pair
from raybench.model.estimate import Estimate
from raybench.model.measurement import Measurement
from raybench.model.plan import Cell, Plan, Tag
from raybench.model.stats import (
    MIN_BLOCKS,
    Resampler,
    drift,
    holm,
    insufficient,
    interval,
    noise_floor,
    ratio,
)

Floats = npt.NDArray[np.float64]
MISS = 0.02  # a smaller miss is no failure, however certain it is
ALPHA = 0.05
Side = Literal["two-sided", "less", "greater"]
AA, SLEEP, OVERHEAD, CEILING = "A/A", "sleep ideal", "injected overhead", "hardware ceiling"


class ControlVerdict(StrEnum):
    """How a control ended."""

    PASSED = "passed"
    MISSED = "missed"
    TOO_NOISY = "too noisy to find it"
    TOO_FEW = "too few blocks"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRow:
    """One control. expected : what a perfect harness finds. p : that a perfect one misses as far, adjusted.

    one_sided : only a miss in the impossible direction counts (faster than the ideal, above the ceiling of 1):
    a backend may well be slower than a sleep's ideal.
    """

    kind: str
    cell: Cell
    unit: str  # 's per task' or '' for a ratio
    expected: float
    estimate: Estimate
    p: float
    one_sided: bool = False
    verdict: ControlVerdict = ControlVerdict.PASSED

    @property
    def miss(self) -> float:
        """Return the miss relative to what is expected; 0 where a one-sided control erred on the possible side."""
        off = self.estimate.point / self.expected - 1
        if not self.one_sided:
            return abs(off)
        return max(0.0, off if self.kind == CEILING else -off)

    @property
    def words(self) -> str:
        """Write the verdict for a reader."""
        few = self.verdict is ControlVerdict.TOO_FEW
        return f"{self.estimate.n} blocks, needs {MIN_BLOCKS}" if few else str(self.verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlReport:
    """Whether the study's figures may be believed, and why not.

    floor : smallest effect that may be called a difference, by workload name; absent without an A/A control.
    drift : growth of all times over the study, as a fraction.
    """

    trusted: bool
    reasons: tuple[str, ...]
    floor: Mapping[str, float]
    rows: tuple[ControlRow, ...]
    drift: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """One measurement beside its cell's median: log ratio of makespans, by running number in the run."""

    cell: str
    index: int
    value: float


def judge_controls(data: Dataset, resampler: Resampler | None = None) -> ControlReport:
    """Judge all controls of a study as one family."""
    draws = resampler or Resampler()
    raw = [row for of in data.cells for row in _of_cell(of, draws)]
    judged = [row for row in raw if row.estimate.n >= MIN_BLOCKS]
    adjusted = dict(zip(map(id, judged), holm([row.p for row in judged]), strict=True))
    rows = tuple(_verdict(row, adjusted.get(id(row))) for row in raw)
    floor = {
        row.cell.workload.name: noise_floor(row.estimate)
        for row in rows
        if row.kind == AA and math.isfinite(row.estimate.high)
    }
    reasons = tuple(_reasons(data.plan, rows))
    return ControlReport(
        trusted=not reasons,
        reasons=reasons,
        floor=floor,
        rows=rows,
        drift=_drift(data, max(floor.values(), default=MISS)),
    )


def residuals(data: Dataset) -> list[Residual]:
    """Return every good makespan beside its cell's median, in the order of the run: drift and Q-Q plots."""
    found = []
    for of in data.cells:
        timed = [(m.index, m.phases.makespan) for m in of.good.values() if makespan(m)]
        middle = float(np.median([s for _, s in timed])) if timed else 1.0
        found += [Residual(cell=of.key, index=i, value=math.log(s / middle)) for i, s in timed]
    return sorted(found, key=lambda r: (r.index, r.cell))


def _of_cell(of: CellData, resampler: Resampler) -> Iterator[ControlRow]:
    cell, base = of.cell, of.baseline
    if of.second:
        first, second = pair(of.good, of.second, makespan)
        yield _ratio_row(AA, cell, first, second, resampler)
    if Tag.SLEEP in cell.workload.tags and "seconds" in cell.workload.params:
        yield from _sleep(of, resampler)
    if base and base is not of and "overhead_s" in cell.backend.params and not of.is_sweep:
        yield from _overhead(of, base, resampler)
    if base and cell.cpus > 1 and is_ceiling(cell):
        copies = pair(base.good, of.good, _all_tasks)
        if len(copies[0]):
            yield replace(_ratio_row(CEILING, cell, *copies, resampler, alternative="greater"), one_sided=True)


def _all_tasks(m: Measurement) -> float | None:
    """Return the mean seconds of the copies that each ran all tasks; the makespan of any other cell."""
    return copy_s(m) or makespan(m)


def _ratio_row(
    kind: str, cell: Cell, top: Floats, bottom: Floats, resampler: Resampler, *, alternative: Side = "two-sided"
) -> ControlRow:
    estimate = ratio(top, bottom, resampler).estimate(edges=())
    return ControlRow(
        kind=kind,
        cell=cell,
        unit="",
        expected=1.0,
        estimate=estimate,
        p=_t_test(np.log(top / bottom), 0.0, alternative),
    )


def _sleep(of: CellData, resampler: Resampler) -> Iterator[ControlRow]:
    """Compare with whole rounds of waiting tasks; the baseline must meet it, others must not beat it."""
    cell = of.cell
    if cell.backend.is_control:
        return
    timed = [m for m in of.in_order if m.tasks and makespan(m)]
    if not timed:
        return
    ideal = math.ceil(len(timed[0].tasks) / cell.workers) * float(cell.workload.params["seconds"])
    seconds = np.array([m.phases.makespan for m in timed])
    side: Side = "two-sided" if of.is_baseline else "less"
    row = _ratio_row(SLEEP, cell, seconds, np.full_like(seconds, ideal), resampler, alternative=side)
    yield replace(row, one_sided=not of.is_baseline)


def _overhead(of: CellData, base: CellData, resampler: Resampler) -> Iterator[ControlRow]:
    """Recover the overhead per task that the injected variant says it added to the baseline."""
    cell = of.cell
    slow, plain = pair(of.good, base.good, makespan)
    counts = [len(m.tasks) for m in of.good.values() if m.tasks]
    if not len(slow) or not counts:
        return
    tasks = counts[0]
    put_in = [m.details.injected_s for m in of.good.values() if m.details.injected_s is not None]
    expected = float(np.median(put_in)) if put_in else float(cell.backend.params["overhead_s"])
    estimate = insufficient(float(np.median(slow) - np.median(plain)) / tasks, len(slow))
    if len(slow) >= MIN_BLOCKS:
        low, high = interval((resampler.medians(slow) - resampler.medians(plain)) / tasks)
        estimate = replace(estimate, low=low, high=high, flag="")
    yield ControlRow(
        kind=OVERHEAD,
        cell=cell,
        unit="s per task",
        expected=expected,
        estimate=estimate,
        p=_t_test((slow - plain) / tasks, expected, "two-sided"),
    )


def _t_test(values: Floats, expected: float, alternative: Side) -> float:
    """Return the p value of a mean; values without any spread are compared directly."""
    if len(values) < 2:
        return 1.0
    if np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())):
        off = float(values.mean()) - expected
        wrong = {"two-sided": abs(off), "less": -off, "greater": off}[alternative]
        return 0.0 if wrong > 1e-12 else 1.0
    return float(scipy.stats.ttest_1samp(values, expected, alternative=alternative).pvalue)


def _verdict(row: ControlRow, adjusted: float | None) -> ControlRow:
    if adjusted is None:
        return replace(row, verdict=ControlVerdict.TOO_FEW)
    if row.miss > MISS and adjusted < ALPHA:
        return replace(row, p=adjusted, verdict=ControlVerdict.MISSED)
    if row.kind == OVERHEAD and row.estimate.low <= 0:
        return replace(row, p=adjusted, verdict=ControlVerdict.TOO_NOISY)
    return replace(row, p=adjusted)


def _reasons(plan: Plan, rows: Sequence[ControlRow]) -> Iterator[str]:
    """Say what keeps the study from being trusted."""
    if not plan.controls:
        yield "this study has no controls"
        return
    for row in rows:
        if row.verdict is ControlVerdict.MISSED:
            unit, e = f" {row.unit}" if row.unit else "", row.estimate
            yield (
                f"{row.kind} of {row.cell.workload.name} on {row.cell.backend.name}: expected "
                f"{row.expected:.4g}{unit}, found {e.point:.4g} [{e.low:.4g}, {e.high:.4g}], n={e.n}, p={row.p:.2g}"
            )
    for kind in (AA, OVERHEAD):
        mine = [row for row in rows if row.kind == kind]
        if not any(row.verdict in (ControlVerdict.PASSED, ControlVerdict.MISSED) for row in mine):
            yield f"{kind}: " + (mine[0].words if mine else "not measured")


def _drift(data: Dataset, floor: float) -> Estimate:
    timed = [(of.key, m) for of in data.cells for m in of.good.values() if makespan(m)]
    return drift(
        [key for key, _ in timed], [m.began for _, m in timed], [m.phases.makespan for _, m in timed], floor=floor
    )
