"""The report as data: sections with paragraphs, tables and figures, in their fixed order; no markup here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from raybench.analysis.dataset import RunData
from raybench.analysis.metg import WRONG
from raybench.analysis.results import Findings
from raybench.analysis.speedup import BAND
from raybench.model import units
from raybench.model.estimate import Estimate
from raybench.report import cells, evidence, search
from raybench.report.decision import Advice, Decision, decide
from raybench.report.pivot import pivot
from raybench.report.section import Figure, Section
from raybench.report.tables import Entry, Table, code, number, word
from raybench.report.threats import threats

KEPT = BAND[0]  # the efficiency down to which a task length is listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The whole report. `banner` is what stands above everything; `trusted` colours it.

    facts : command, run, machine, began, commit, data: what measured it, nothing of today.
    """

    banner: tuple[str, ...]
    trusted: bool
    facts: Mapping[str, str]
    sections: tuple[Section, ...]


def document(run: RunData, findings: Findings, figures: Mapping[str, Sequence[Figure]]) -> Document:
    """Lay out the report. figures : by the id of the section in which they stand."""
    sections = (
        _decisions(findings),
        evidence.claims(findings),
        _cells(run, findings),
        evidence.metg(findings),
        evidence.losses(findings),
        search.deltas(findings),
        evidence.controls(run, findings),
        evidence.machine(run),
        Section(
            id="threats",
            title="Threats to validity",
            bullets=tuple((word(f"{heading}: {text}"),) for heading, text in threats(run, findings)),
        ),
        _reproduce(run),
    )
    return Document(
        banner=banner(run, findings),
        trusted=findings.controls.trusted,
        facts=provenance(run),
        sections=tuple(replace(s, figures=tuple(figures.get(s.id, ()))) for s in sections),
    )


def banner(run: RunData, findings: Findings) -> tuple[str, ...]:
    """Say first what a reader must know before any number."""
    said = [f"NOT TRUSTED: {reason}" for reason in findings.controls.reasons if run.plan.controls]
    if not run.plan.controls:
        said.append("No controls: this study cannot show that its harness measures rightly.")
    if not run.plan.verdicts:
        said.append("No verdicts: this study is too small to judge anything by it.")
    blocks = len({job.block for job in run.plan.jobs})
    begun = {m.block for m in run.measurements}
    if (through := len(begun & {job.block for job in run.plan.jobs})) < blocks:
        said.append(f"{through} of {blocks} planned blocks were measured; run it again to continue with the others.")
    planned = {job.key[:3] for job in run.plan.jobs if job.block in begun}
    missing = len(planned - {m.key[:3] for m in run.measurements})
    if missing:
        said.append(
            f"Incomplete: {missing} of {len(planned)} planned measurements of "
            f"{'this block' if len(begun) == 1 else 'these blocks'} are missing; run it again to continue."
        )
    failed = sum(1 for row in findings.rows if not row.n and cells.status(row) not in ("skipped", "not measured yet"))
    if failed:
        said.append(f"{failed} of {len(findings.rows)} cells have no good measurement; their rows say why.")
    if run.torn:
        said.append("The last raw line was cut off and is not counted; it is measured again when the run goes on.")
    return tuple(said)


def provenance(run: RunData) -> dict[str, str]:
    """Name the command, the run and the commit that measured it; nothing of today."""
    return {
        "command": run.environment.command or "unavailable: not recorded",
        "run": run.folder,
        "machine": run.environment.machine,
        "began": run.environment.began,
        "commit": evidence.commit(run.environment),
        "data": run.data[:12],
    }


def _decisions(findings: Findings) -> Section:
    decided = decisions(findings)
    return Section(
        id="decide",
        title="Should this work be distributed?",
        paragraphs=(
            (
                word(
                    "Read for this machine and these sizes. "
                    f"{Advice.DISTRIBUTE.capitalize()}: the whole interval lies above no difference by more than the "
                    f"workload's noise floor (A/A; at most {units.plain(100 * findings.floor)} %), warm and cold, also "
                    "against the loop that uses all threads where that was measured."
                ),
            ),
        ),
        tables=(decision_table(decided),),
    )


def decisions(findings: Findings) -> list[Decision]:
    """Decide for every workload, with the shortest task of each backend from its ladder."""
    shortest: dict[tuple[str, int], tuple[Estimate, str]] = {}
    believed = (curve for curve in findings.curves if WRONG not in curve.flags)
    for curve in believed:
        for found in curve.metg:
            if found.level == KEPT:
                shortest.setdefault((curve.cell.backend.name, curve.cell.cpus), (found.work, found.mark))
    rows = [row for row in findings.rows if row.cell.workload.name not in findings.sweeps]
    return decide(rows, floors=findings.controls.floor, shortest=shortest)


def decision_table(decided: Sequence[Decision]) -> Table:
    """Write the decisions; also spliced into README."""
    columns = ("workload", "advice", "backend", "P", "gain, warm", "against", "gain, cold", "not below", "why")
    return Table(
        name="decisions",
        columns=columns,
        rows=tuple(_decision(line) for line in decided),
        numeric=frozenset({"P", "gain, warm", "gain, cold", "not below"}),
        caption=(
            "One line per workload: the best cell of those with the same work as the loop. Gain: time of the loop / "
            "time of the cell, [95 % interval], n blocks; warm: against the better of the two loops, named beside it; "
            "cold: against the one-thread loop, start-up included. Not below: kernel time per task at which the "
            f"backend keeps an efficiency of {KEPT} (METG)."
        ),
    )


def _decision(line: Decision) -> tuple[Entry, ...]:
    cell = line.row.cell if line.row else None
    sooner = [
        f"sooner with less work: {row.cell.backend.name}, base / time {units.ratio(row.time_to_score)}"
        for row in line.sooner
    ]
    task = line.shortest_task_s
    return (
        Entry(line.workload, code=True, ref=cells.anchor(cell) if cell else ""),
        word(line.advice),
        code(cell.backend.name) if cell else word(units.ABSENT),
        number(cells.cores(cell), cell.cpus) if cell else word(units.ABSENT),
        number(units.ratio(line.warm), line.warm.point if line.warm else None),
        word(line.against or units.ABSENT),
        number(units.ratio(line.cold), line.cold.point if line.cold else None),
        number(f"{line.shortest_mark} {units.seconds(task)}".strip(), task.point if task else None),
        word("; ".join(filter(None, [line.why, *sooner])) or units.ABSENT),
    )


def _cells(run: RunData, findings: Findings) -> Section:
    rows = findings.rows
    warm = cells.warm(rows, verdicts=run.plan.verdicts)
    parts = (
        warm,
        cells.cold([row for row in rows if row.cell.workload.name not in findings.sweeps]),
        cells.gain(rows),
        cells.time_to_score(rows),
        cells.relative(rows),
        cells.scores(rows),
        cells.resources(rows),
    )
    return Section(
        id="cells",
        title="Cells",
        tables=tuple(table for table in parts if table.rows),
        brief={"warm": ((cells.merge_skipped(warm, rows),), pivot(rows))},
    )


def _reproduce(run: RunData) -> Section:
    identity = run.environment.identity
    return Section(
        id="reproduce",
        title="How to reproduce",
        paragraphs=(
            (
                word("Check out commit "),
                code(evidence.commit(run.environment)),
                word(", install the lock file (hash "),
                code(str(identity.get("lock", "unavailable"))[:12]),
                word("), then run the command below. "),
                word("The report alone is rebuilt from the raw data by "),
                code("raybench report"),
                word("."),
            ),
            (
                word("Raw data: "),
                code(f"{run.folder}/measurements.jsonl"),
                word(", the plan and the machine beside it."),
            ),
        ),
        command=run.environment.command,
    )
