"""What backends cost: the tables of the benchmark of peers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from peers import ablation
from peers.ablation import Gain, Parts, Side
from raybench.analysis.dataset import RunData
from raybench.analysis.decision import KEPT
from raybench.analysis.results import ClaimLine, Findings
from raybench.analysis.speedup import FULL_WORK
from raybench.model import units
from raybench.model.estimate import Estimate
from raybench.report.section import Section
from raybench.report.tables import Entry, Table, code, number, word

ID, TITLE = "overheads", "What does each backend cost, and what does each setting buy?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overheads:
    """What a run of the benchmark of peers tells about costs.

    shortest : METG at the efficiency KEPT, by backend, with its mark.
    targets : what tuned variants should reach, judged like claims.
    """

    run: RunData
    sides: Sequence[Side] = ()
    shortest: Mapping[str, tuple[Estimate, str]]
    gains: Sequence[Gain] = ()
    starts: Sequence[Parts] = ()
    fits: Sequence[Parts] = ()
    targets: Sequence[ClaimLine] = ()


def overheads(run: RunData, findings: Findings, targets: Sequence[ClaimLine] = ()) -> Overheads:
    """Gather what a run of the benchmark of peers tells about costs."""
    shortest = {
        curve.cell.backend.name: (found.work, found.mark)
        for curve in findings.curves
        for found in curve.metg
        if found.level == KEPT
    }
    return Overheads(
        run=run,
        sides=ablation.sides(findings.data),
        shortest=shortest,
        gains=ablation.gains(findings.data),
        starts=ablation.starts(findings.data),
        fits=ablation.fits(findings.data),
        targets=targets,
    )


def section(found: Overheads) -> Section:
    """Lay out the tables that have lines."""
    tables = (
        _sides(found),
        _gains(found.gains),
        _targets(found.targets),
        _parts("parts of a fit", found.fits, "Where the time of an average worker of Ray Tune goes in one fit, warm"),
        _parts(
            "parts of a cold start", found.starts, "What a cold start of Ray consists of, to workers that ran a task"
        ),
    )
    head = (word("One run, all variants interleaved in the same blocks; every table is of it."),)
    return Section(id=ID, title=TITLE, paragraphs=(head,), tables=tuple(table for table in tables if table.rows))


def _sides(found: Overheads) -> Table:
    numbers = ("P", "time", "ideal / time", "tasks ran", "lost per task", "METG", "first result", "work")
    columns = ("workload", "backend", *numbers)
    rows = tuple(
        (
            code(side.cell.workload.name),
            code(side.cell.backend.name),
            number(str(side.cell.cpus), side.cell.cpus),
            _seconds(side.time),
            number(units.ratio(side.ideal), side.ideal.point),
            number(units.share(side.busy, with_n=False), side.busy.point),
            _seconds(side.lost if side.work >= FULL_WORK else None),
            _shortest(found.shortest.get(side.cell.backend.name)),
            _seconds(side.before),
            number(f"{units.plain(100 * side.work)} %", side.work),
        )
        for side in found.sides
        if not side.cell.backend.disables
    )
    return Table(
        name="backends side by side",
        columns=columns,
        rows=rows,
        numeric=frozenset(numbers),
        caption=(
            "Warm, [95 % interval], n blocks. Ideal: bare processes on all cores that run the same tasks, measured in "
            "the same blocks. Tasks ran: share of the core-seconds, within each measurement, so that a machine whose "
            "speed changes cannot show in it. Lost per task: core-seconds beyond the ideal, where all steps were run. "
            "METG: shortest task with which the backend keeps an efficiency of "
            f"{KEPT}. First result: cold, from the "
            "interpreter's start; not given where a Ray head was shared. Work: of the steps asked for; less is early "
            "stopping, and scikit-learn repeats steps."
        ),
    )


def _shortest(found: tuple[Estimate, str] | None) -> Entry:
    if found is None:
        return word(units.ABSENT)
    estimate, mark = found
    return number(f"{mark} {units.seconds(estimate, with_n=False)}".strip(), estimate.point)


def _gains(gains: Sequence[Gain]) -> Table:
    return Table(
        name="settings",
        columns=("workload", "tuned variant", "P", "time with", "without", "time without / with"),
        rows=tuple(
            (
                code(gain.cell.workload.name),
                code(gain.cell.backend.name),
                number(str(gain.cell.cpus), gain.cell.cpus),
                _seconds(gain.base),
                word(gain.setting or "all of them: as documented"),
                number(units.ratio(gain.ratio), gain.ratio.point),
            )
            for gain in gains
        ),
        numeric=frozenset({"P", "time with", "time without / with"}),
        caption=(
            "Each line takes one setting away from the tuned variant, the documented variant all of them; same "
            "configurations, warm. Above 1x the setting pays; settings interact, so the lines do not multiply to the "
            "documented one."
        ),
    )


def _targets(lines: Sequence[ClaimLine]) -> Table:
    return Table(
        name="targets",
        columns=("id", "what should hold", "measured on", "test", "measured", "verdict", "note"),
        rows=tuple(
            (
                code(line.id),
                word(line.statement),
                word(line.source),
                word(line.band),
                number(units.by_unit(line.value, line.unit), line.value.point if line.value else None),
                word(line.verdict),
                word("; ".join(line.note.splitlines()) or units.ABSENT),
            )
            for line in lines
        ),
        numeric=frozenset({"measured"}),
        caption="What tuned backends should reach, set before they were measured; verdicts as for the claims.",
    )


def _parts(name: str, found: Sequence[Parts], about: str) -> Table:
    """Write one line per cell and one column per part, in their order."""
    parts = list(dict.fromkeys(part for of in found for part in of.parts))
    columns = ("workload", "backend", *parts, "whole", "n")
    rows = tuple(
        (
            code(of.cell.workload.name),
            code(of.cell.backend.name),
            *(_seconds(of.parts.get(part)) for part in parts),
            _seconds(of.whole),
            number(str(of.whole.n), of.whole.n),
        )
        for of in found
    )
    return Table(
        name=name,
        columns=columns,
        rows=rows,
        numeric=frozenset(columns[2:]),
        caption=f"{about}: medians over n blocks, [95 % interval], so that they add up to the whole only nearly.",
    )


def _seconds(estimate: Estimate | None) -> Entry:
    return number(units.seconds(estimate, with_n=False), estimate.point if estimate else None)
