"""Two runs side by side: what differs between them, and for every cell whether it became better or worse.

A change is B / A of one quantity, estimated from the mean logs of both runs. "Worse" needs an interval wholly beyond
the band of equivalence, after Holm over all comparisons; "the same" needs one wholly inside it (two one-sided tests at
5 % each). All is symmetric on the log scale: B against A gives the mirror image.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import scipy.special

from raybench.analysis.quantities import MACHINE, SETTINGS, CellName, Quantity, Readings
from raybench.analysis.results import ClaimLine
from raybench.model import units
from raybench.model.estimate import Estimate, VerdictKind
from raybench.model.log_ratio import FEWEST, LogRatio, Pooled, log_ratio, pool
from raybench.model.stats import holm

ALPHA = 0.05
ABSENT = "absent"
POWER = 0.8  # with which a detectable change is found


class Outcome(StrEnum):
    """What is said of a cell, from run A to run B."""

    WORSE = "WORSE"
    BETTER = "BETTER"
    SAME = "SAME"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One quantity of one cell in both runs. change : B / A; estimates with 95 % intervals, unadjusted.

    judged : whether it counts; seconds of another machine are only shown.
    p : that it did not change beyond the band, two-sided, adjusted by Holm.
    detectable : smallest change for the worse that would be found with power 0.8, as a fraction; infinite if unknown.
    """

    cell: CellName
    quantity: Quantity
    a: Estimate
    b: Estimate
    change: Estimate
    outcome: Outcome
    judged: bool
    p: float
    detectable: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """The geometric mean of the judged changes of one quantity over cells (random effects)."""

    quantity: Quantity
    change: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that two runs say about each other.

    differing : by name, the value in A and in B; equal : names of facts that do not differ.
    ratios_only : why seconds are not judged; '' where they are.
    broken, mended : cells that fail only in B, or only in A, with the reason.
    only_a, only_b : what only one of them has.
    claims : those that both runs test, with the verdict of A.
    tested_once : number of claims that only one of the runs tests.
    """

    a: str
    b: str
    same: float
    differing: Mapping[str, tuple[str, str]]
    equal: tuple[str, ...]
    ratios_only: str
    changes: tuple[Change, ...]
    means: tuple[Mean, ...]
    broken: Mapping[CellName, str]
    mended: Mapping[CellName, str]
    only_a: tuple[tuple[CellName, Quantity], ...]
    only_b: tuple[tuple[CellName, Quantity], ...]
    claims: tuple[tuple[ClaimLine, VerdictKind], ...] = ()
    tested_once: int = 0

    @property
    def comparable(self) -> bool:
        """Return whether the runs have anything in common that is judged."""
        return any(one.judged for one in self.changes) or bool(self.broken or self.mended)

    @property
    def changed_claims(self) -> tuple[tuple[ClaimLine, VerdictKind], ...]:
        """Return the claims whose verdict changes, with that of A."""
        return tuple((line, before) for line, before in self.claims if line.verdict is not before)

    @property
    def outcome(self) -> Outcome:
        """Return the verdict on the whole: worse if anything is, the same only if everything is."""
        found = {one.outcome for one in self.changes if one.judged}
        if self.broken or Outcome.WORSE in found:
            return Outcome.WORSE
        if Outcome.UNDECIDED in found:
            return Outcome.UNDECIDED
        return Outcome.BETTER if self.mended or Outcome.BETTER in found else Outcome.SAME


def compare(
    a: Readings, b: Readings, *, same: float, claims: tuple[Sequence[ClaimLine], Sequence[ClaimLine]] = ((), ())
) -> Comparison:
    """Compare two runs. same : half-width of the band of equivalence, as a fraction; claims : the verdicts of each."""
    ratios_only = "; ".join(_no_seconds(a, b, same))
    common = [key for key in a.series if key in b.series]
    drafts = [_change(a, b, key, judged=not (ratios_only and key[1].is_seconds)) for key in common]
    changes = judge(drafts, same=same)
    names = sorted(a.facts.keys() | b.facts.keys())
    facts = {name: (a.facts.get(name, ABSENT), b.facts.get(name, ABSENT)) for name in names}
    facts = {name: both for name, both in facts.items() if ABSENT not in both or not name.startswith(SETTINGS)}
    judged = list(_both_verdicts(*claims))
    measured = [{cell for cell, _ in run.series} for run in (a, b)]
    return Comparison(
        a=a.run,
        b=b.run,
        same=same,
        differing={name: both for name, both in facts.items() if both[0] != both[1]},
        equal=tuple(name for name, both in facts.items() if both[0] == both[1]),
        ratios_only=ratios_only,
        changes=changes,
        means=tuple(_means(drafts)),
        broken={cell: why for cell, why in b.broken.items() if cell in measured[0]},
        mended={cell: why for cell, why in a.broken.items() if cell in measured[1]},
        only_a=tuple(key for key in a.series if key not in b.series and key[0] not in b.broken),
        only_b=tuple(key for key in b.series if key not in a.series and key[0] not in a.broken),
        claims=tuple(both for both in judged if not any(_untested(both))),
        tested_once=sum(1 for both in judged if any(_untested(both)) and not all(_untested(both))),
    )


def _untested(both: tuple[ClaimLine, VerdictKind]) -> tuple[bool, bool]:
    """Return for B and for A whether the run does not test a claim."""
    return both[0].verdict is VerdictKind.UNTESTABLE, both[1] is VerdictKind.UNTESTABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A change before it is judged: mean logs of A and B, and log B - log A."""

    cell: CellName
    quantity: Quantity
    a: LogRatio
    b: LogRatio
    change: LogRatio
    judged: bool = True

    @property
    def worse(self) -> LogRatio:
        """Return the change as a log that is above 0 where B is worse."""
        return self.change if self.quantity.more_is_worse else replace(self.change, mean=-self.change.mean)


def subtract(b: LogRatio, a: LogRatio) -> LogRatio:
    """Return the difference of two independent mean logs. Source: Welch 1947 (degrees of freedom)."""
    error = math.hypot(a.error, b.error)
    parts = [(one.error / error) ** 4 / one.degrees for one in (a, b)] if 0 < error < math.inf else []
    degrees = 1 / sum(parts) if sum(parts) > 0 else math.inf if parts else min(a.degrees, b.degrees)
    return LogRatio(mean=b.mean - a.mean, error=error, degrees=degrees, n=min(a.n, b.n))


def judge(drafts: Sequence[Draft], *, same: float) -> tuple[Change, ...]:
    """Judge all changes as one family."""
    edge = math.log1p(same)
    raw = {i: _beyond(one.worse, edge) for i, one in enumerate(drafts) if one.judged}
    adjusted = dict(zip(raw, holm(list(raw.values())), strict=True))
    return tuple(_judge(one, edge, adjusted.get(i, 1.0), len(raw)) for i, one in enumerate(drafts))


def _beyond(worse: LogRatio, edge: float) -> float:
    """Return the two-sided p value against "it lies within the band"."""
    return min(1.0, 2 * min(worse.p_above(edge), worse.p_below(-edge)))


def _judge(draft: Draft, edge: float, p: float, family: int) -> Change:
    worse = draft.worse
    if draft.judged and p <= ALPHA:
        outcome = Outcome.WORSE if worse.mean > 0 else Outcome.BETTER
    else:
        outcome = Outcome.SAME if worse.inside(-edge, edge) else Outcome.UNDECIDED
    return Change(
        cell=draft.cell,
        quantity=draft.quantity,
        a=as_estimate(draft.a),
        b=as_estimate(draft.b),
        change=as_estimate(draft.change),
        outcome=outcome,
        judged=draft.judged,
        p=p,
        detectable=detectable(worse, edge, max(1, family)),
    )


def detectable(worse: LogRatio, edge: float, family: int) -> float:
    """Return the smallest change, as a fraction, that is found with power 0.8 among so many comparisons."""
    if not math.isfinite(worse.error):
        return math.inf
    level = 1 - ALPHA / (2 * family)
    reach = sum(_quantile(p, worse.degrees) for p in (level, POWER))
    return math.expm1(edge + reach * worse.error)


def _quantile(p: float, degrees: float) -> float:
    return float(scipy.special.ndtri(p) if math.isinf(degrees) else scipy.special.stdtrit(degrees, p))


def as_estimate(log: LogRatio) -> Estimate:
    """Return the ratio, or the geometric mean, with its 95 % interval."""
    low, high = (_exp(end) for end in log.interval())
    return Estimate(point=_exp(log.mean), low=low, high=high, n=log.n, flag="" if log.n >= FEWEST else "insufficient")


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf  # of an interval with one or two degrees of freedom


def _change(a: Readings, b: Readings, key: tuple[CellName, Quantity], *, judged: bool) -> Draft:
    before, after = a.series[key].estimate(), b.series[key].estimate()
    return Draft(cell=key[0], quantity=key[1], a=before, b=after, change=subtract(after, before), judged=judged)


def _means(drafts: Sequence[Draft]) -> Iterator[Mean]:
    for quantity in Quantity:
        mine = [one.change for one in drafts if one.quantity is quantity and one.judged]
        pooled: Pooled | None = pool(mine)
        if pooled is not None:
            yield Mean(quantity=quantity, change=as_estimate(pooled.mean))


def _no_seconds(a: Readings, b: Readings, same: float) -> Iterator[str]:
    """Say why seconds of two runs do not mean the same: another machine, or one that had become slower or faster."""
    for name in MACHINE:
        mine, theirs = a.facts.get(name, ""), b.facts.get(name, "")
        if mine != theirs:
            yield f"{name}: {mine} / {theirs}"
            return
    if len(a.spin) >= FEWEST and len(b.spin) >= FEWEST:
        speed = subtract(log_ratio(b.spin), log_ratio(a.spin))
        edge = math.log1p(same)
        if not speed.inside(-edge, edge):
            change = as_estimate(speed)
            found = units.percent(replace(change, point=change.point - 1, low=change.low - 1, high=change.high - 1))
            yield f"the machine may have been slower or faster: fixed work took {found} in B"


def _both_verdicts(a: Sequence[ClaimLine], b: Sequence[ClaimLine]) -> Iterator[tuple[ClaimLine, VerdictKind]]:
    """Yield each claim of B that A has too, with the verdict of A."""
    before = {line.id: line.verdict for line in a}
    for line in b:
        if line.id in before:
            yield line, before[line.id]
