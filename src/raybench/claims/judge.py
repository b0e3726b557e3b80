"""Verdicts: every claim's numbers against its band, by the rules of `claims.verdict`, as lines for the report.

The first line of a note is for the table that all read; the details stand in the lines after it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from raybench.analysis.dataset import CellData, RunData
from raybench.analysis.results import ClaimLine, Findings
from raybench.claims import quality, reading
from raybench.claims.claim import Claim, ClaimKind, Part
from raybench.claims.emulated import contention_words
from raybench.claims.quantities import QUANTITIES, Material, samples
from raybench.claims.selection import Sample, most_cpus, select_cells
from raybench.claims.verdict import (
    FEWEST_WORKLOADS,
    Judged,
    Mean,
    join,
    judge_number,
    mean_over_workloads,
    rank_by_success,
    rank_by_weight,
)
from raybench.claims.words import describe
from raybench.model import units
from raybench.model.estimate import Estimate, VerdictKind
from raybench.model.stats import band_verdict

QUALITY = (quality.rmse_delta, quality.variant_error, quality.variant_ratio)  # from the pass without a clock
ASIDE = (VerdictKind.PREDICTED, VerdictKind.EMULATED)  # numbers that carry the side they fall on, and no verdict
POOLS = {"joblib", "joblib_threads"}  # what most readers would use instead
SPEEDUP = "emulated_speedup"  # the quantity that contention divides
SHOWN = 2  # further numbers named one by one in a note; the rest are counted


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
    judged, aside, missing = _numbers(material, claim.kind, claim.parts)
    verdict, first = join(claim, judged), claim.parts[0] if claim.parts else None
    if verdict is VerdictKind.UNTESTABLE and (waited := _numbers(material, claim.kind, claim.emulated)[0]):
        judged, verdict, first = waited, VerdictKind.EMULATED, waited[0].part
    main = [one for one in judged if one.part is first]
    shown = min(main, key=rank_by_success if claim.kind is ClaimKind.EXISTENCE else rank_by_weight, default=None)
    mean = mean_over_workloads(main) if claim.kind is ClaimKind.TYPICAL else None
    brief = [f"source: {claim.documented}"] if claim.documented else []
    details: list[str] = []
    if verdict is VerdictKind.UNTESTABLE:
        why = claim.untestable or missing or _has_only_aside(aside)
        brief.append(claim.needs or why)
        details += [why] if claim.needs else []
    elif claim.instead:
        brief.append(f"not quite what the sentence asks for: {claim.instead}")
    if verdict is not VerdictKind.UNTESTABLE and missing:
        details.append(missing)
    brief += [*_about_mean(mean, shown), *_about(judged, shown), *_contention(material, shown)]
    brief += _peers(material, claim, verdict)
    details += [*_further(judged, shown), *_name_set_aside(aside), *_show_context(material, claim), claim.note]
    return ClaimLine(
        id=claim.id,
        source=claim.source,
        statement=claim.statement,
        band="; and ".join(_test(claim, part) for part in claim.parts) or units.ABSENT,
        verdict=verdict,
        kind=str(claim.kind),
        section=claim.section,
        side=_tell_side(verdict, shown),
        meant=any(is_meant(material, part) for part in (*claim.parts, *claim.emulated)),
        needs=claim.needs,
        value=mean.estimate if mean else shown.sample.estimate if shown else None,
        unit=shown.unit if shown else "",
        further=tuple(_number(claim, judged, part) for part in claim.parts[1:]),
        note="\n".join(filter(None, ("; ".join(filter(None, line)) for line in (brief, details)))),
        cells=tuple(dict.fromkeys(of.key for one in [*([shown] if shown else []), *judged] for of in one.sample.cells)),
    )


def _number(claim: Claim, judged: Sequence[Judged], part: Part) -> tuple[Estimate | None, str]:
    """Return the number that decides a part, and its unit; None where there is none."""
    mine = [one for one in judged if one.part is part]
    if claim.kind is ClaimKind.TYPICAL and (mean := mean_over_workloads(mine)) is not None:
        return mean.estimate, mine[0].unit
    best = rank_by_success if claim.kind is ClaimKind.EXISTENCE else rank_by_weight
    shown = min(mine, key=best, default=None)
    return (shown.sample.estimate, shown.unit) if shown else (None, "")


def is_meant(material: Material, part: Part) -> bool:
    """Return whether the study planned any cell that the part is about, or gives it an untimed quality pass."""
    selection = select_cells(material, part)
    if QUANTITIES[part.quantity].function in QUALITY:
        return bool(selection.cells) and material.run.plan.quality_pairs > 0
    return bool(selection.cells)


def _tell_side(verdict: VerdictKind, shown: Judged | None) -> str:
    """Say on which side a predicted or an emulated number falls."""
    if verdict not in ASIDE or shown is None:
        return ""
    said = band_verdict(shown.sample.estimate, *shown.edges)
    if said is not VerdictKind.REFUTED:
        return str(said)
    return f"{said} {'above' if shown.sample.estimate.low > shown.edges[1] else 'below'}"


def _contention(material: Material, shown: Judged | None) -> Iterator[str]:
    """Say which contention an emulated speedup would need to meet the sentence."""
    emulated = material.findings.emulated
    if shown is not None and emulated and shown.kind is VerdictKind.EMULATED and shown.part.quantity == SPEEDUP:
        seen = [point.contention.point for point in emulated.points if point.contention]
        yield contention_words(*shown.edges, shown.sample.estimate, seen)


def _about_mean(mean: Mean | None, shown: Judged | None) -> Iterator[str]:
    if mean and shown:
        yield mean.words(shown.unit)
        if mean.workloads < FEWEST_WORKLOADS:
            yield f"a rule of thumb needs {FEWEST_WORKLOADS} workloads"


def _numbers(material: Material, kind: ClaimKind, parts: Sequence[Part]) -> tuple[list[Judged], list[Sample], str]:
    """Find the numbers of all parts: those judged, those only shown, and what is missing."""
    judged: list[Judged] = []
    aside: list[Sample] = []
    missing = []
    for part in parts:
        selection, found = samples(material, part)
        counted = [sample for sample in found if not sample.aside]
        judged += [judge_number(kind, part, sample) for sample in counted]
        aside += [sample for sample in found if sample.aside]
        if not counted and not found:
            missing.append(_explain_absence(material, part, selection.cells))
    return judged, aside, "; ".join(missing)


def _test(claim: Claim, part: Part) -> str:
    """Write what is demanded of which quantity, and of how many cells."""
    words = describe(part)
    if claim.kind is ClaimKind.QUESTION:
        return words
    how = {ClaimKind.TYPICAL: ", on average", ClaimKind.EXISTENCE: ", in one cell"}.get(claim.kind, "")
    return f"{words}: {part.band(QUANTITIES[part.quantity].unit)}{how}"


def _about(judged: Sequence[Judged], shown: Judged | None) -> Iterator[str]:
    """Name what the value is about, with its base, count the others, and give what decides in further parts."""
    if shown is None:
        return
    told = [shown.sample.about]
    if shown.kind is VerdictKind.REFUTED:
        told.append(shown.side)
    if shown.kind is VerdictKind.EMULATED:
        told.append(f"tasks waited instead of computing; taken at its word: {_tell_side(VerdictKind.EMULATED, shown)}")
    if shown.kind is VerdictKind.PREDICTED:
        told.append(f"from a model, not measured; taken at its word: {_tell_side(VerdictKind.PREDICTED, shown)}")
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
        worst = min((one for one in judged if one.part is part), key=rank_by_weight)
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
        mine = sorted((one for one in judged if one.part is part), key=rank_by_weight)
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
