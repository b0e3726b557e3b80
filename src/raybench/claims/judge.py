"""Verdicts: every claim's numbers against its band.

Containment of the whole interval decides. One exception on top: where an edge is 1x, "faster" and "slower" must
differ from 1 by more than the noise floor of the A/A control, since no smaller effect may be called a difference.

The first line of a note is for the table that all read; the details stand in the lines after it.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from raybench.analysis.dataset import CellData, RunData
from raybench.analysis.results import ClaimLine, Findings
from raybench.claims import reading
from raybench.claims.claim import Claim, Part
from raybench.claims.quantities import QUANTITIES, Material, samples
from raybench.claims.selection import Sample, most_cpus
from raybench.claims.words import describe
from raybench.model import units
from raybench.model.estimate import VerdictKind
from raybench.model.stats import band_verdict, holm, outside_p

ALPHA = 0.05
POOLS = {"joblib", "joblib_threads"}  # what most readers would use instead
SHOWN = 2  # further numbers named one by one in a note; the rest are counted
RANK = (VerdictKind.REFUTED, VerdictKind.INCONCLUSIVE, VerdictKind.SUPPORTED, VerdictKind.PREDICTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One number beside its band. p : that the true value lies inside, before adjustment."""

    part: Part
    sample: Sample
    kind: VerdictKind
    p: float

    @property
    def unit(self) -> str:
        """Return the unit of the number."""
        return QUANTITIES[self.part.quantity].unit

    @property
    def side(self) -> str:
        """Say on which side of its band a refuted number lies."""
        if self.kind is not VerdictKind.REFUTED:
            return ""
        return "above the band" if self.sample.estimate.low > self.part.high else "below the band"

    @property
    def margin(self) -> float:
        """Return the distance of the interval from leaving the band; below 0 it has left."""
        e, part = self.sample.estimate, self.part
        sides = [e.low - part.low] * math.isfinite(part.low) + [part.high - e.high] * math.isfinite(part.high)
        return min((side for side in sides if not math.isnan(side)), default=0.0)

    def words(self) -> str:
        """Write the number with what it is about."""
        about = "; ".join(filter(None, [self.sample.about, self.sample.note]))
        return f"{units.by_unit(self.sample.estimate, self.unit)} ({about})"


def judge(run: RunData, findings: Findings, conf: Sequence[Path] = ()) -> tuple[ClaimLine, ...]:
    """Judge the project's own claims and those of further configuration folders."""
    return verdicts(run, findings, reading.read(conf))


def verdicts(run: RunData, findings: Findings, claims: Sequence[Claim]) -> tuple[ClaimLine, ...]:
    """Judge every claim by a run and its analyses; none at all by a study that gives no verdicts."""
    if not run.plan.verdicts or not claims:
        return ()
    material = Material.of(run, findings)
    return tuple(_line(material, claim) for claim in claims)


def _line(material: Material, claim: Claim) -> ClaimLine:
    judged, aside, missing = _numbers(material, claim)
    verdict = join_verdicts(claim, judged)
    main = [one for one in judged if one.part is claim.parts[0]] if claim.parts else []
    shown = min(main, key=_rank_by_weight, default=None)
    brief = [f"source: {claim.documented}"] if claim.documented else []
    details: list[str] = []
    if verdict is VerdictKind.UNTESTABLE:
        why = claim.untestable or missing or _has_only_aside(aside)
        brief.append(claim.needs or why)
        details += [why] if claim.needs else []
    elif missing:
        details.append(missing)
    brief += [*_about(judged, shown), *_peers(material, claim, verdict)]
    details += [*_further(judged, shown), *_name_set_aside(aside), *_show_context(material, claim), claim.note]
    return ClaimLine(
        id=claim.id,
        source=claim.source,
        statement=claim.statement,
        band="; and ".join(_test(part) for part in claim.parts) or units.ABSENT,
        verdict=verdict,
        value=shown.sample.estimate if shown else None,
        unit=shown.unit if shown else "",
        note="\n".join(filter(None, ("; ".join(filter(None, line)) for line in (brief, details)))),
        cells=tuple(dict.fromkeys(of.key for one in [*([shown] if shown else []), *judged] for of in one.sample.cells)),
    )


def _rank_by_weight(one: Judged) -> tuple[int, float]:
    """Sort the number first that decides: the worst verdict, then the least room within the band."""
    return RANK.index(one.kind), one.margin


def _numbers(material: Material, claim: Claim) -> tuple[list[Judged], list[Sample], str]:
    """Find the numbers of all parts: those judged, those only shown, and what is missing."""
    judged: list[Judged] = []
    aside: list[Sample] = []
    missing = []
    for part in claim.parts:
        selection, found = samples(material, part)
        counted = [sample for sample in found if not sample.aside]
        judged += [_judge_parts(material, part, sample) for sample in counted]
        aside += [sample for sample in found if sample.aside]
        if not counted and not found:
            missing.append(_explain_absence(material, part, selection.cells))
    return judged, aside, "; ".join(missing)


def _judge_parts(material: Material, part: Part, sample: Sample) -> Judged:
    if sample.predicted:
        return Judged(part=part, sample=sample, kind=VerdictKind.PREDICTED, p=1.0)
    timed = QUANTITIES[part.quantity].unit == "x" and sample.workload
    floor = material.findings.controls.floor.get(sample.workload, material.findings.floor) if timed else 0.0
    inner, outer = _move_edge(part, floor), _move_edge(part, -floor)
    kind = band_verdict(sample.estimate, *inner)
    if kind is not VerdictKind.SUPPORTED:
        kind = band_verdict(sample.estimate, *outer)
        kind = VerdictKind.INCONCLUSIVE if kind is VerdictKind.SUPPORTED else kind
    return Judged(part=part, sample=sample, kind=kind, p=outside_p(sample.estimate, *outer))


def _move_edge(part: Part, floor: float) -> tuple[float, float]:
    """Move an edge that is 1 into the band by the noise floor (or out of it, where the floor is negative)."""
    return (part.low + floor if part.low == 1 else part.low, part.high - floor if part.high == 1 else part.high)


def join_verdicts(claim: Claim, judged: Sequence[Judged]) -> VerdictKind:
    """Join the verdicts: supported if all are, refuted if any is after Holm's adjustment, else undecided."""
    parts = {id(one.part) for one in judged}
    if not claim.parts or id(claim.parts[0]) not in parts:
        return VerdictKind.UNTESTABLE
    if any(one.kind is VerdictKind.PREDICTED for one in judged):
        return VerdictKind.PREDICTED
    adjusted = holm([one.p for one in judged])
    if any(one.kind is VerdictKind.REFUTED and p < ALPHA for one, p in zip(judged, adjusted, strict=True)):
        return VerdictKind.REFUTED
    complete = len(parts) == len(claim.parts) and all(one.kind is VerdictKind.SUPPORTED for one in judged)
    return VerdictKind.SUPPORTED if complete else VerdictKind.INCONCLUSIVE


def _test(part: Part) -> str:
    """Write what is demanded of which quantity."""
    return f"{describe(part)}: {part.band(QUANTITIES[part.quantity].unit)}"


def _about(judged: Sequence[Judged], shown: Judged | None) -> Iterator[str]:
    """Name what the value is about, with its base, count the others, and give what decides in further parts."""
    if shown is None:
        return
    told = [shown.sample.about]
    if shown.kind is VerdictKind.REFUTED:
        told.append(shown.side)
    if shown.kind is VerdictKind.PREDICTED:
        said = band_verdict(shown.sample.estimate, shown.part.low, shown.part.high)
        told.append(f"from a model, not measured; taken at its word: {said}")
    if shown.sample.estimate.flag:
        told.append(shown.sample.estimate.flag)
    yield ", ".join(told)
    yield shown.sample.note
    yield _base(shown.sample)
    others = [one for one in judged if one.part is shown.part]
    if len(others) > 1:
        counts = Counter(f"{one.kind} {one.side}".strip() for one in others)
        yield f"of {len(others)}: " + ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    for part in {id(one.part): one.part for one in judged if one.part is not shown.part}.values():
        worst = min((one for one in judged if one.part is part), key=_rank_by_weight)
        yield _name(worst)


def _base(sample: Sample) -> str:
    """Name the cell compared with, where the sample's note does not."""
    if len(sample.cells) < 2 or sample.note.startswith("against"):
        return ""
    base = sample.cells[1].cell
    return f"base: {base.backend.name}, P={base.cpus}"


def _name(one: Judged) -> str:
    return f"{describe(one.part)}: {one.words()} {one.kind}"


def _further(judged: Sequence[Judged], shown: Judged | None) -> Iterator[str]:
    """Name every number of the further parts but those that `_about` gives."""
    for part in {id(one.part): one.part for one in judged if shown and one.part is not shown.part}.values():
        mine = sorted((one for one in judged if one.part is part), key=_rank_by_weight)
        yield from (_name(one) for one in mine[1:])


def _peers(material: Material, claim: Claim, verdict: VerdictKind) -> Iterator[str]:
    """Return the cold number and that of a pool on one machine, where they stand beside a judged one."""
    for part in claim.context if verdict is not VerdictKind.UNTESTABLE else ():
        if part.cold or (part.select.backends and set(part.select.backends) <= POOLS):
            found = [sample for sample in samples(material, part)[1] if sample.cells]
            for sample in found[:1]:
                about = sample.cells[0].cell
                unit = QUANTITIES[part.quantity].unit
                yield f"{about.backend.name}{', cold' * part.cold}: {units.by_unit(sample.estimate, unit)}"


def _name_set_aside(aside: Sequence[Sample]) -> Iterator[str]:
    if aside:
        told = [f"{sample.about} ({sample.aside})" for sample in aside[:SHOWN]]
        more = f" and {len(aside) - SHOWN} more" if len(aside) > SHOWN else ""
        yield f"not judged: {', '.join(told)}{more}"


def _show_context(material: Material, claim: Claim) -> Iterator[str]:
    """Show further numbers beside the verdict, the source's own way of measuring among them."""
    for part in claim.context:
        _, found = samples(material, part)
        unit = QUANTITIES[part.quantity].unit
        told = [
            f"{units.by_unit(s.estimate, unit)} ({'; '.join(filter(None, [s.about, s.note, s.aside]))})" for s in found
        ]
        more = [f"{len(told) - SHOWN} more"] if len(told) > SHOWN else []
        yield f"{part.say}: {', '.join([*told[:SHOWN], *more]) or 'not measured'}"


def _explain_absence(material: Material, part: Part, chosen: Sequence[CellData]) -> str:
    """Say why a part has no number: no cell, or cells without data."""
    if not chosen:
        return f"no cell selected by: {part.select.words()}; the largest P measured here is {most_cpus(material)}"
    reasons = list(dict.fromkeys(filter(None, (material.rows[of.key].reason for of in chosen))))
    why = f": {reasons[0]}" if reasons else ": the run holds no data for it"
    return f"{len(chosen)} cells selected by {part.select.words()} give no {describe(part)}{why}"


def _has_only_aside(aside: Sequence[Sample]) -> str:
    return f"no cell fit to judge it: {aside[0].about} ({aside[0].aside})" if aside else "nothing to judge"
