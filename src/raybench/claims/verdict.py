"""The rules of verdicts: one number beside its band, and all numbers of a claim by the claim's kind.

universal ("do not", "always")  one counter-example outside the band, widened by its region of practical equivalence,
                                refutes after Holm's adjustment; support needs all numbers inside
typical (rules of thumb)        the mean over at least 5 workloads (random effects), by its 90 % interval
existence ("X is faster on Y")  one number inside is enough, the band narrowed by the region and the choice of the best
                                paid for by Holm's adjustment; refuted where all lie outside the band as it is stated: a
                                gain that is real and smaller than the region decides nothing
question                        the source plans to compare and claims nothing: ANSWERED

Regions: an edge at 1x is moved by 5 %, the smallest gain worth distributing for; a single documented figure by 10 %.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from raybench.analysis.speedup import SAME_TIME
from raybench.claims.claim import Claim, ClaimKind, Part
from raybench.claims.quantities import QUANTITIES
from raybench.claims.selection import Sample
from raybench.model import units
from raybench.model.estimate import Estimate, VerdictKind
from raybench.model.evidence import Change, OfLogRatio
from raybench.model.log_ratio import LogRatio, pool
from raybench.model.stats import UNDECIDABLE, band_verdict, holm, outside_p

ALPHA = 0.05
FIGURE = 0.10  # what a single documented figure may be off
FEWEST_WORKLOADS = 5
TOO_SMALL = "any gain is smaller than 5 %, the smallest that is worth distributing for"
LEVEL = 0.90  # of the interval of a mean: its lower or upper end alone is a one-sided test at 5 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One number beside its band. p : that the true value lies inside, before adjustment. edges : of the band, moved.

    kind : by the interval alone.
    """

    part: Part
    sample: Sample
    kind: VerdictKind
    p: float = 1.0
    edges: tuple[float, float] = (-math.inf, math.inf)

    @property
    def unit(self) -> str:
        """Return the unit of the number."""
        return QUANTITIES[self.part.quantity].unit

    @property
    def side(self) -> str:
        """Say on which side of its band a refuted number lies."""
        if self.kind is not VerdictKind.REFUTED:
            return ""
        return "above the band" if self.sample.estimate.low > self.edges[1] else "below the band"

    @property
    def margin(self) -> float:
        """Return the distance of the interval from leaving the band; below 0 it has left."""
        e, (low, high) = self.sample.estimate, self.edges
        sides = [e.low - low] * math.isfinite(low) + [high - e.high] * math.isfinite(high)
        return min((side for side in sides if not math.isnan(side)), default=0.0)

    def words(self) -> str:
        """Write the number with what it is about."""
        about = "; ".join(filter(None, [self.sample.about, self.sample.note]))
        return f"{units.by_unit(self.sample.estimate, self.unit)} ({about})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A rule of thumb: the mean over workloads with its 90 % interval, and the share of workloads on the right side.

    estimate : on the scale of the numbers; n counts workloads. between : sd between workloads, of the log.
    """

    estimate: Estimate
    between: float
    inside: int
    workloads: int

    def words(self, unit: str) -> str:
        """Write the mean and the share."""
        spread = f", sd between workloads {units.plain(100 * self.between)} %" if self.between else ""
        told = units.by_unit(self.estimate, unit, with_n=False)
        return f"mean {told} at 90 %{spread}; {self.inside} of {self.workloads} workloads on the right side"


def judge_number(kind: ClaimKind, part: Part, sample: Sample) -> Judged:
    """Judge one number by its interval."""
    if sample.predicted:
        return Judged(part=part, sample=sample, kind=VerdictKind.PREDICTED, edges=(part.low, part.high))
    if sample.emulated:
        return Judged(part=part, sample=sample, kind=VerdictKind.EMULATED, edges=(part.low, part.high))
    if kind is ClaimKind.QUESTION:
        answered = sample.estimate.flag not in UNDECIDABLE and math.isfinite(sample.estimate.low)
        return Judged(part=part, sample=sample, kind=VerdictKind.ANSWERED if answered else VerdictKind.INCONCLUSIVE)
    edges = move_edges(kind, part)
    verdict = band_verdict(sample.estimate, *edges)
    if kind is ClaimKind.EXISTENCE and verdict is VerdictKind.REFUTED and not is_outside(sample.estimate, part):
        verdict = VerdictKind.INCONCLUSIVE
        sample = replace(sample, note="; ".join(filter(None, [sample.note, TOO_SMALL])))
    return Judged(part=part, sample=sample, kind=verdict, p=outside_p(sample.estimate, *edges), edges=edges)


def is_outside(estimate: Estimate, part: Part) -> bool:
    """Return whether the whole interval lies outside the band of the sentence itself, no edge moved."""
    return band_verdict(estimate, part.low, part.high) is VerdictKind.REFUTED


def move_edges(kind: ClaimKind, part: Part) -> tuple[float, float]:
    """Move the edges of a part's band by their region of practical equivalence."""
    ratio = QUANTITIES[part.quantity].unit == "x"
    widen = -1 if kind is ClaimKind.EXISTENCE else 1

    def moved(edge: float, sign: int) -> float:
        if part.figure:
            return edge + sign * FIGURE * abs(edge)
        return edge + sign * widen * SAME_TIME if ratio and edge == 1 else edge

    return moved(part.low, -1), moved(part.high, 1)


def join(claim: Claim, judged: Sequence[Judged]) -> VerdictKind:
    """Join the numbers of a claim by its kind."""
    parts = {id(one.part) for one in judged}
    if not claim.parts or id(claim.parts[0]) not in parts:
        return VerdictKind.UNTESTABLE
    if any(one.kind is VerdictKind.PREDICTED for one in judged):
        return VerdictKind.PREDICTED
    return RULES[claim.kind](claim, judged)


def _universal(claim: Claim, judged: Sequence[Judged]) -> VerdictKind:
    adjusted = holm([one.p for one in judged])
    if any(one.kind is VerdictKind.REFUTED and p < ALPHA for one, p in zip(judged, adjusted, strict=True)):
        return VerdictKind.REFUTED
    return _all_parts(claim, {id(one.part): one.kind for one in _worst_first(judged)})


def _existence(claim: Claim, judged: Sequence[Judged]) -> VerdictKind:
    """Judge each part by its best number."""
    by_part: dict[int, VerdictKind] = {}
    for part in claim.parts:
        mine = [one for one in judged if one.part is part]
        if not mine:
            continue
        by_part[id(part)] = VerdictKind.INCONCLUSIVE
        reached = holm([_p_inside(one) for one in mine])
        if any(one.kind is VerdictKind.SUPPORTED and p < ALPHA for one, p in zip(mine, reached, strict=True)):
            by_part[id(part)] = VerdictKind.SUPPORTED
        elif all(one.kind is VerdictKind.REFUTED for one in mine):
            by_part[id(part)] = VerdictKind.REFUTED
    return _all_parts(claim, by_part)


def _p_inside(one: Judged) -> float:
    """Return the p value that the true value lies outside the band: the larger of the two one-sided ones."""
    estimate, (low, high) = one.sample.estimate, one.edges
    if one.kind is not VerdictKind.SUPPORTED:
        return 1.0
    if estimate.evidence is None:
        return 0.0 if estimate.low == estimate.high else 1 - 0.975
    above = estimate.evidence.p_above(low) if math.isfinite(low) else 0.0
    below = estimate.evidence.p_below(high) if math.isfinite(high) else 0.0
    return max(above, below)


def _typical(claim: Claim, judged: Sequence[Judged]) -> VerdictKind:
    by_part: dict[int, VerdictKind] = {}
    for part in claim.parts:
        mine = [one for one in judged if one.part is part]
        mean = mean_over_workloads(mine)
        enough = mean is not None and mean.workloads >= FEWEST_WORKLOADS
        if mine:
            by_part[id(part)] = (
                band_verdict(mean.estimate, *mine[0].edges) if mean and enough else VerdictKind.INCONCLUSIVE
            )
    return _all_parts(claim, by_part)


def _question(claim: Claim, judged: Sequence[Judged]) -> VerdictKind:
    answered = [one for one in judged if one.kind is VerdictKind.ANSWERED]
    return VerdictKind.ANSWERED if answered else VerdictKind.INCONCLUSIVE


def _all_parts(claim: Claim, by_part: Mapping[int, VerdictKind]) -> VerdictKind:
    """Refute by one part; support needs all of them, those without a number included."""
    kinds = set(by_part.values())
    if VerdictKind.REFUTED in kinds and claim.kind is not ClaimKind.UNIVERSAL:
        return VerdictKind.REFUTED
    complete = len(by_part) == len(claim.parts) and kinds == {VerdictKind.SUPPORTED}
    return VerdictKind.SUPPORTED if complete else VerdictKind.INCONCLUSIVE


RULES = {
    ClaimKind.UNIVERSAL: _universal,
    ClaimKind.EXISTENCE: _existence,
    ClaimKind.TYPICAL: _typical,
    ClaimKind.QUESTION: _question,
}
RANK = (
    VerdictKind.REFUTED,
    VerdictKind.INCONCLUSIVE,
    VerdictKind.SUPPORTED,
    VerdictKind.ANSWERED,
    VerdictKind.EMULATED,
    VerdictKind.PREDICTED,
)


def _worst_first(judged: Sequence[Judged]) -> list[Judged]:
    """Sort so that the worst number of a part comes last and stays in a mapping by part."""
    return sorted(judged, key=rank_by_weight, reverse=True)


def rank_by_weight(one: Judged) -> tuple[int, float]:
    """Sort the number first that decides: the worst verdict, then the least room within the band."""
    return RANK.index(one.kind), one.margin


def rank_by_success(one: Judged) -> tuple[bool, float]:
    """Sort the number first that lies deepest within its band: it decides where one is enough."""
    return one.kind is not VerdictKind.SUPPORTED, -one.margin


def mean_over_workloads(judged: Sequence[Judged]) -> Mean | None:
    """Pool numbers that are changed ratios over workloads; None where fewer than 2 have an interval.

    Several cells of one workload are one value: the mean of their logs, with the error of cells that err alike.
    """
    by_workload: dict[str, list[Judged]] = {}
    for one in judged:
        usable = isinstance(one.sample.estimate.evidence, OfLogRatio) and one.sample.estimate.flag not in UNDECIDABLE
        if usable and one.sample.workload:
            by_workload.setdefault(one.sample.workload, []).append(one)
    logs = {name: [_log_of_change(one) for one in mine] for name, mine in by_workload.items()}
    means = [_join_cells(mine) for mine in logs.values()]
    pooled = pool(means)
    if pooled is None:
        return None
    shift = next(iter(by_workload.values()))[0].sample.estimate.evidence
    assert isinstance(shift, OfLogRatio)
    change = Change(shift=shift.change.shift)
    low, high = (change(math.exp(end)) for end in pooled.mean.interval(LEVEL))
    low_edge, high_edge = judged[0].edges
    points = [change(math.exp(mean.mean)) for mean in means]
    return Mean(
        estimate=Estimate(
            point=change(math.exp(pooled.mean.mean)),
            low=low,
            high=high,
            n=pooled.k,
            evidence=OfLogRatio(logs=pooled.mean, change=change),
        ),
        between=pooled.between,
        inside=sum(low_edge <= point <= high_edge for point in points),
        workloads=len(points),
    )


def _log_of_change(one: Judged) -> LogRatio:
    """Return the log of a changed ratio without its shift, which all numbers of a part share."""
    evidence = one.sample.estimate.evidence
    assert isinstance(evidence, OfLogRatio)
    scale, power = evidence.change.scale, evidence.change.power
    return replace(evidence.logs, mean=power * evidence.logs.mean + math.log(scale))


def _join_cells(logs: Sequence[LogRatio]) -> LogRatio:
    return LogRatio(
        mean=float(np.mean([one.mean for one in logs])),
        error=float(np.mean([one.error for one in logs])),
        degrees=min(one.degrees for one in logs),
        n=min(one.n for one in logs),
    )
