"""May this study be believed? A/A pooled over workloads, sleep ideal, injected overhead and hardware ceiling.

Every control is an equivalence test: it passes where its 90 % interval lies within the region (two one-sided tests), is
missed where it lies outside, adjusted by Holm over all controls, and is not yet known otherwise. "Not significant" is
no pass. Sources: Schuirmann 1987; Lakens 2017.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from raybench.analysis.dataset import CellData, Dataset, copy_s, is_ceiling, makespan
from raybench.analysis.pairs import compare_replicas, pair, pair_cells, priors
from raybench.model.estimate import Estimate
from raybench.model.evidence import OfLogRatio
from raybench.model.log_ratio import FEWEST, LogRatio, pool
from raybench.model.measurement import Measurement
from raybench.model.plan import Cell, Tag
from raybench.model.stats import Ratio, Resampler, drift, holm, ratio

Floats = npt.NDArray[np.float64]
REGION, REGION_CONTENDED = 0.02, 0.05  # an A/A ratio within it is no bias worth a word
UNEVEN = 0.03  # sd of 1-s means of the host's speed above which it counts as contended
ALPHA, LEVEL = 0.05, 0.90
AA, SLEEP, OVERHEAD, CEILING = "A/A", "sleep ideal", "injected overhead", "hardware ceiling"


class ControlVerdict(StrEnum):
    """How a control ended."""

    PASSED = "passed"
    MISSED = "missed"
    OPEN = "not yet known"
    TOO_FEW = "too few blocks"


class Trust(StrEnum):
    """Whether the study's figures may be believed."""

    TRUSTED = "TRUSTED"
    NOT_TRUSTED = "NOT TRUSTED"
    NOT_YET_KNOWN = "NOT YET KNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRow:
    """One control: measured / expected, which a perfect harness finds to be 1.

    low, high : the region of equivalence; an infinite side is one on which no miss is possible: a backend may well be
        slower than a sleep's ideal, and bare processes slower together than alone.
    p : that the true ratio lies in the region, adjusted by Holm over all controls.
    """

    kind: str
    cell: Cell
    estimate: Estimate
    logs: LogRatio
    low: float
    high: float
    p: float = 1.0
    verdict: ControlVerdict = ControlVerdict.TOO_FEW

    @property
    def words(self) -> str:
        """Write the verdict for a reader."""
        few = self.verdict is ControlVerdict.TOO_FEW
        return f"{self.estimate.n} blocks, needs {FEWEST}" if few else str(self.verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlReport:
    """Whether the study's figures may be believed, and why not.

    reasons : what was missed, or what is missing; () where the study is trusted.
    pooled : A/A over all workloads with its 90 % interval; None without an A/A control that has one.
    floor : far end of that interval: bias, as a fraction; 0 without it.
    contended : the host's speed varies within seconds, so that the region is wider.
    drift : growth of all times over the study, as a fraction.
    """

    trust: Trust
    reasons: tuple[str, ...]
    pooled: Estimate | None
    floor: float
    contended: bool
    rows: tuple[ControlRow, ...]
    drift: Estimate

    @property
    def trusted(self) -> bool:
        """Return whether the study is trusted."""
        return self.trust is Trust.TRUSTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """One measurement beside its cell's median: log ratio of makespans, by running number in the run."""

    cell: str
    index: int
    value: float


def judge_controls(
    data: Dataset, resampler: Resampler | None = None, *, facts: Mapping[str, Any] | None = None
) -> ControlReport:
    """Judge all controls of a study. facts : of its environment; `host_state` in it tells a contended host."""
    draws, contended = resampler or Resampler(), _is_contended(facts or {})
    edge = REGION_CONTENDED if contended else REGION
    rows = _judge([row for of in data.cells for row in _of_cell(of, edge, draws)])
    same = _pool([row.logs for row in rows if row.kind == AA])
    missed = tuple(map(_tell_miss, (row for row in rows if row.verdict is ControlVerdict.MISSED and row.kind != AA)))
    region = (math.log1p(-edge), math.log1p(edge))
    trust, reasons = Trust.TRUSTED, missed
    if missed or (same and _is_outside(same, *region)):
        trust = Trust.NOT_TRUSTED
        reasons = missed if same is None or not _is_outside(same, *region) else (_tell_pooled(same, edge), *missed)
    elif not (data.plan.controls and same and same.inside(*region, level=LEVEL)):
        trust, reasons = Trust.NOT_YET_KNOWN, (_tell_missing(data, rows, same, region),)
    floor = max(map(abs, np.expm1(same.interval(LEVEL)))) if same else 0.0
    return ControlReport(
        trust=trust,
        reasons=reasons,
        pooled=_pooled_estimate(same) if same else None,
        floor=floor,
        contended=contended,
        rows=rows,
        drift=_drift(data, max(floor, edge)),
    )


def residuals(data: Dataset) -> list[Residual]:
    """Return every good makespan beside its cell's median, in the order of the run: drift and Q-Q plots."""
    found = []
    for of in data.cells:
        timed = [(m.index, m.phases.makespan) for m in of.good.values() if makespan(m)]
        middle = float(np.median([s for _, s in timed])) if timed else 1.0
        found += [Residual(cell=of.key, index=i, value=math.log(s / middle)) for i, s in timed]
    return sorted(found, key=lambda r: (r.index, r.cell))


def _is_contended(facts: Mapping[str, Any]) -> bool:
    state = facts.get("host_state") or {}
    return bool(state.get("contended", state.get("spread", 0.0) > UNEVEN))


# --- the single controls --------------------------------------------------------------------------


def _of_cell(of: CellData, edge: float, resampler: Resampler) -> Iterator[ControlRow]:
    cell, base = of.cell, of.baseline
    if same := compare_replicas(of, resampler):
        yield _row(AA, cell, same, edge=edge)
    if Tag.SLEEP in cell.workload.tags and "seconds" in cell.workload.params and not cell.backend.is_control:
        yield from _sleep(of, resampler)
    if base and base is not of and "overhead_s" in cell.backend.params and not of.is_sweep:
        yield from _overhead(of, base, resampler)
    if base and cell.cpus > 1 and is_ceiling(cell):
        alone, copies = pair(base.good, of.good, _all_tasks)
        if len(copies):
            yield _row(CEILING, cell, ratio(alone, copies, resampler), low=-math.inf)


def _row(
    kind: str, cell: Cell, found: Ratio, *, edge: float = REGION, low: float | None = None, high: float | None = None
) -> ControlRow:
    return ControlRow(
        kind=kind,
        cell=cell,
        estimate=found.estimate(),
        logs=found.logs,
        low=1 - edge if low is None else low,
        high=1 + edge if high is None else high,
    )


def _all_tasks(m: Measurement) -> float | None:
    """Return the mean seconds of the copies that each ran all tasks; the makespan of any other cell."""
    return copy_s(m) or makespan(m)


def _sleep(of: CellData, resampler: Resampler) -> Iterator[ControlRow]:
    """Compare with whole rounds of waiting tasks; the baseline must meet it, others must not beat it."""
    cell = of.cell
    timed = [m for m in of.in_order if m.tasks and makespan(m)]
    if timed:
        ideal = math.ceil(len(timed[0].tasks) / cell.workers) * float(cell.workload.params["seconds"])
        seconds = np.array([m.phases.makespan for m in timed])
        found = ratio(seconds, np.full_like(seconds, ideal), resampler)
        yield _row(SLEEP, cell, found, high=None if of.is_baseline else math.inf)


def _overhead(of: CellData, base: CellData, resampler: Resampler) -> Iterator[ControlRow]:
    """Compare the injected variant's time with the baseline's plus the overhead that it says it added to each task."""
    slow, plain = pair_cells(of, base, makespan)
    counts = [len(m.tasks) for m in of.good.values() if m.tasks]
    if not len(slow) or not counts:
        return
    put_in = [m.details.injected_s for m in of.good.values() if m.details.injected_s is not None]
    each = float(np.median(put_in)) if put_in else float(of.cell.backend.params["overhead_s"])
    found = ratio(slow, plain + counts[0] * each, resampler, prior=priors(of.study, makespan))
    yield _row(OVERHEAD, of.cell, found)


def _judge(rows: Sequence[ControlRow]) -> tuple[ControlRow, ...]:
    """Judge each control by its region, and adjust what is missed over all of them."""
    judged = [row for row in rows if math.isfinite(row.logs.error)]
    adjusted = dict(zip(map(id, judged), holm([_p_outside(row) for row in judged]), strict=True))
    return tuple(
        replace(row, p=adjusted[id(row)], verdict=_verdict(row, adjusted[id(row)])) if id(row) in adjusted else row
        for row in rows
    )


def _p_outside(row: ControlRow) -> float:
    """Return the one-sided p value that the ratio lies in the region, from the edge beyond which it was found."""
    evidence = OfLogRatio(logs=row.logs)
    below = evidence.p_below(row.low) if math.isfinite(row.low) else 1.0
    above = evidence.p_above(row.high) if math.isfinite(row.high) else 1.0
    return min(below, above)


def _verdict(row: ControlRow, adjusted: float) -> ControlVerdict:
    if adjusted < ALPHA:
        return ControlVerdict.MISSED
    low, high = np.exp(row.logs.interval(LEVEL))
    return ControlVerdict.PASSED if row.low <= low and high <= row.high else ControlVerdict.OPEN


# --- all of them ----------------------------------------------------------------------------------


def _pool(ratios: Sequence[LogRatio]) -> LogRatio | None:
    """Pool the A/A ratios of all workloads; one alone stands for itself."""
    known = [one for one in ratios if math.isfinite(one.error)]
    pooled = pool(known)
    return pooled.mean if pooled else next(iter(known), None)


def _is_outside(logs: LogRatio, low: float, high: float) -> bool:
    found = logs.interval(LEVEL)
    return found[1] < low or found[0] > high


def _pooled_estimate(same: LogRatio) -> Estimate:
    low, high = np.exp(same.interval(LEVEL))
    return Estimate(point=math.exp(same.mean), low=float(low), high=float(high), n=same.n)


def _write(same: LogRatio) -> str:
    e = _pooled_estimate(same)
    return f"A/A {e.point:.3g} [{e.low:.3g}, {e.high:.3g}]"


def _tell_pooled(same: LogRatio, edge: float) -> str:
    return f"{_write(same)} lies outside of {1 - edge:.2f} to {1 + edge:.2f}"


def _tell_miss(row: ControlRow) -> str:
    e = row.estimate
    return (
        f"{row.kind} of {row.cell.workload.name} on {row.cell.backend.name}: measured / expected "
        f"{e.point:.4g} [{e.low:.4g}, {e.high:.4g}], n={e.n}, p={row.p:.2g}"
    )


def _tell_missing(data: Dataset, rows: Sequence[ControlRow], same: LogRatio | None, region: tuple[float, float]) -> str:
    """Say what keeps the study from being trusted, and for how much longer it would have to run."""
    if not data.plan.controls:
        return "this study has no controls"
    mine = [row for row in rows if row.kind == AA]
    if same is None:
        return f"A/A: {mine[0].words if mine else 'not measured'}"
    left_s = _seconds_left(data, same, region)
    told = f"needs about {max(1, round(left_s / 60))} min more" if left_s else "more blocks will tell on which side"
    return f"{_write(same)}; {told}"


def _seconds_left(data: Dataset, same: LogRatio, region: tuple[float, float]) -> float:
    """Estimate how long the study must go on until the interval fits the region; 0 where nothing can be said.

    The interval shrinks with the square root of the time, as far as its centre stays.
    """
    room = min(same.mean - region[0], region[1] - same.mean)
    low, high = same.interval(LEVEL)
    starts = [m.began for of in data.cells for m in of.lines]
    blocks = len({m.block for of in data.cells for m in of.lines})
    if room <= 0 or blocks < 2:
        return 0.0
    spent_s = (max(starts) - min(starts)) * blocks / (blocks - 1)
    return spent_s * (((high - low) / 2 / room) ** 2 - 1)


def _drift(data: Dataset, floor: float) -> Estimate:
    timed = [(of.key, m) for of in data.cells for m in of.good.values() if makespan(m)]
    return drift(
        [key for key, _ in timed], [m.began for _, m in timed], [m.phases.makespan for _, m in timed], floor=floor
    )
