"""The report as data: sections with paragraphs, tables and figures, in their fixed order; no markup here."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from raybench.analysis.dataset import RunData
from raybench.analysis.decision import Decision, by_kind, decisions
from raybench.analysis.kinds import Kind
from raybench.analysis.needs import needed
from raybench.analysis.results import Findings
from raybench.model import units
from raybench.report import cells, evidence, recorded, scaleout, search, texts
from raybench.report.answers import answers
from raybench.report.predictions import predictions
from raybench.report.section import Figure, Paragraph, Section
from raybench.report.tables import Entry, Table, code, number, word
from raybench.report.threats import threats


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The whole report. `banner` is what stands above everything; `trusted` colours it.

    status : machine, date, n and controls in one line.
    facts : command, run, machine, began, commit, data: what measured it, nothing of today.
    """

    banner: tuple[str, ...]
    trusted: bool
    status: str
    facts: Mapping[str, str]
    sections: tuple[Section, ...]


def document(
    run: RunData, findings: Findings, figures: Mapping[str, Sequence[Figure]], *, replay: Paragraph = ()
) -> Document:
    """Lay out the report.

    figures : by the id of the section in which they stand. replay : what another machine says of the claims.
    """
    sections = (
        _answers(findings),
        _decisions(findings),
        evidence.claims(findings, replay),
        evidence.metg(findings),
        *filter(None, [scaleout.section(findings)]),
        evidence.start_up(findings),
        predictions(findings),
        search.deltas(findings),
        evidence.controls(run, findings),
        _cells(run, findings),
        evidence.losses(findings),
        recorded.machine(run),
        Section(
            id="threats",
            title="Threats to validity",
            bullets=tuple((word(f"{heading}: {text}"),) for heading, text in threats(run, findings)),
        ),
        _sources(findings),
        _reproduce(run),
    )
    return Document(
        banner=banner(run, findings),
        trusted=findings.controls.trusted,
        status=recorded.status(run, findings),
        facts=provenance(run),
        sections=tuple(replace(s, figures=tuple(figures.get(s.id, ()))) for s in sections),
    )


def banner(run: RunData, findings: Findings) -> tuple[str, ...]:
    """Say first what a reader must know before any number."""
    said = [texts.trust(findings.controls.trust, reason) for reason in findings.controls.reasons if run.plan.controls]
    if run.plan.controls and not findings.controls.trusted and findings.controls.pooled is not None:
        said.append(texts.may_be_bias(findings.floor))
    if not run.plan.controls:
        said.append(texts.NO_CONTROLS)
    if not run.plan.verdicts:
        said.append(texts.NO_VERDICTS)
    planned_blocks = {job.block for job in run.plan.jobs}
    begun = {m.block for m in run.measurements}
    if (through := len(begun & planned_blocks)) < len(planned_blocks):
        need = needed(findings.data, findings.rows, facts=run.environment.facts) if run.plan.verdicts else None
        said.append(texts.partial(through, len(planned_blocks)))
        said += [texts.needs(need)] if need is not None else []
    planned = {job.key[:3] for job in run.plan.jobs if job.block in begun}
    if missing := len(planned - {m.key[:3] for m in run.measurements}):
        said.append(texts.incomplete(missing, len(planned), len(begun)))
    failed = sum(1 for row in findings.rows if not row.n and cells.status(row) not in ("skipped", "not measured yet"))
    if failed:
        said.append(texts.failed(failed, len(findings.rows)))
    if run.torn:
        said.append(texts.TORN)
    return tuple(said)


def provenance(run: RunData) -> dict[str, str]:
    """Name the command, the run and the commit that measured it; nothing of today."""
    return {
        "command": run.environment.command or "unavailable: not recorded",
        "run": run.folder,
        "machine": run.environment.machine,
        "began": run.environment.began,
        "commit": recorded.commit(run.environment),
        "data": run.data[:12],
    }


def _answers(findings: Findings) -> Section:
    said = answers(findings)
    missing = () if said else ((word("Nothing measured yet."),),)
    return Section(id="answers", title="Answers", paragraphs=missing, bullets=tuple((word(one),) for one in said))


def _decisions(findings: Findings) -> Section:
    decided = decisions(findings)
    kinds, each = kind_table(decided), decision_table(decided)
    return Section(
        id="decide",
        title="Should this work be distributed?",
        paragraphs=((word(texts.ADVICE if kinds.rows else texts.NO_DECISION),),),
        tables=(kinds,) if kinds.rows else (),
        details=(each,) if each.rows else (),
    )


def kind_table(decided: Sequence[Decision]) -> Table:
    """Write the decisions by kind of work; also spliced into README."""
    columns = ("kind of work", "advice", "example", "backend", "P", "speedup, warm", "with start-up", "shortest task")
    return Table(
        name="kinds of work",
        columns=columns,
        rows=tuple(_kind(kind, lines) for kind, lines in by_kind(decided).items()),
        numeric=frozenset({"P", "speedup, warm", "with start-up", "shortest task"}),
        caption=texts.KINDS,
    )


def _kind(kind: Kind, lines: Sequence[Decision]) -> tuple[Entry, ...]:
    counts = Counter(str(line.advice) for line in lines)
    advice = "; ".join(f"{name} ({count} of {len(lines)})" for name, count in counts.most_common())
    _, _, backend, cores, warm, _, cold, task, _ = _decision(lines[0])
    return (word(kind), word(advice), code(lines[0].workload), backend, cores, warm, cold, task)


def decision_table(decided: Sequence[Decision]) -> Table:
    """Write the decision of every workload."""
    columns = (
        "workload",
        "advice",
        "backend",
        "P",
        "speedup, warm",
        "against",
        "with start-up",
        "shortest task",
        "why",
    )
    return Table(
        name="decisions",
        columns=columns,
        rows=tuple(_decision(line) for line in decided),
        numeric=frozenset({"P", "speedup, warm", "with start-up", "shortest task"}),
        caption=(
            "One row per workload: its best cell among those with the same work as the baseline. Speedup: time of the "
            "baseline / time of the cell, [95 % interval], n blocks; warm: against the better of the two baselines, "
            "which is named; with start-up: against the sequential baseline. Shortest task: kernel time per task at "
            "which the backend keeps 70 % efficiency (METG)."
        ),
    )


def _decision(line: Decision) -> tuple[Entry, ...]:
    cell = line.row.cell if line.row else None
    sooner = [
        f"{row.cell.backend.name} ends sooner by doing less work: {units.ratio(row.time_to_score)}, not a speedup"
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
        word("; ".join(filter(None, [cells.clip(line.why), *sooner])) or units.ABSENT),
    )


def _cells(run: RunData, findings: Findings) -> Section:
    rows = findings.rows
    parts = (
        cells.warm(rows, verdicts=run.plan.verdicts),
        cells.cold([row for row in rows if row.cell.workload.name not in findings.sweeps]),
        cells.gain(rows),
        cells.time_to_score(rows),
        cells.relative(rows),
        cells.scores(rows),
        cells.resources(rows),
    )
    return Section(id="cells", title="Every cell", tables=tuple(table for table in parts if table.rows), brief=False)


def _sources(findings: Findings) -> Section:
    """Say of each source what it is, and which claims restate its sentences."""
    bullets = []
    for name, about in texts.SOURCES.items():
        ids = [line.id for line in findings.claims if line.source == name]
        bullets.append((word(texts.source(name, about, ids)),))
    return Section(id="sources", title="Sources", bullets=tuple(bullets))


def _reproduce(run: RunData) -> Section:
    identity = run.environment.identity
    return Section(
        id="reproduce",
        title="How to reproduce",
        paragraphs=(
            (
                word("Check out commit "),
                code(recorded.commit(run.environment)),
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
                word(", with the plan and the machine in the same folder."),
            ),
        ),
        command=run.environment.command,
    )
