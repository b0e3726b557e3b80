"""Sections that show the evidence: claims, METG, lost core-seconds, controls, the machine."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from raybench.analysis.controls import ControlReport, ControlRow, ControlVerdict
from raybench.analysis.dataset import RunData
from raybench.analysis.losses import PARTS, CoreSeconds
from raybench.analysis.metg import WRONG, Curve, Metg
from raybench.analysis.results import ClaimLine, Findings
from raybench.model import units
from raybench.model.estimate import Estimate, VerdictKind
from raybench.report import cells, texts
from raybench.report.section import Paragraph, Section
from raybench.report.starts import starts
from raybench.report.tables import Entry, Table, code, number, word

DECIDED = (VerdictKind.SUPPORTED, VerdictKind.REFUTED, VerdictKind.ANSWERED)
RULE_TITLE = "Does the 0.7 to 0.8 rule hold, and how long must a task be?"


def claims(findings: Findings, replay: Paragraph = ()) -> Section:
    """List every claim that this study tests, decided ones first; the HTML report has all, with their notes.

    replay : what another machine says of them.
    """
    tested = [line for line in findings.claims if line.verdict is not VerdictKind.UNTESTABLE]
    brief = _brief_claims(sorted(tested, key=lambda line: line.verdict not in DECIDED))
    made = section("claims", "Claims under test", [brief], findings, "no claims were put to this run")
    needs: dict[str, list[str]] = {}
    for line in findings.claims:
        if line.verdict is VerdictKind.UNTESTABLE:
            needs.setdefault(_need(line), []).append(line.id)
    said: list[Paragraph] = [(word(texts.untested(list(needs.items()))),)] if needs and tested else []
    said += [replay] if replay and tested else []
    full = _claims(findings)
    return replace(made, notes=tuple(said), details=(full,) if full.rows else ())


def _need(line: ClaimLine) -> str:
    """Return what a claim that was not tested needs, without the figure that its source gives."""
    parts = line.note.partition("\n")[0].split("; ")
    return "; ".join(part for part in parts if not part.startswith("source:")) or "no data"


def _brief_claims(lines: Sequence[ClaimLine]) -> Table:
    return Table(
        name="claims",
        columns=("claim", "source", "required", "measured", "verdict"),
        rows=tuple(
            (
                word(f"{line.id}: {line.statement}"),
                Entry(line.source, link="#sources"),
                word(line.band),
                number(_measured(line), line.value.point if line.value else None),
                word(_verdict(line)),
            )
            for line in lines
        ),
        numeric=frozenset({"measured"}),
        caption=texts.CLAIMS,
    )


def _measured(line: ClaimLine) -> str:
    """Write the number of each part of a claim, in the order of what is required."""
    return "; ".join(units.by_unit(value, unit) for value, unit in ((line.value, line.unit), *line.further))


def _verdict(line: ClaimLine) -> str:
    """Write a verdict; a number that is none of its own carries the side it falls on."""
    return f"{line.verdict}: {line.side}" if line.side else str(line.verdict)


def _claims(findings: Findings) -> Table:
    columns = ("id", "source", "claim", "required", "measured", "verdict", "cells", "note")
    return Table(
        name="all claims",
        columns=columns,
        rows=tuple(
            (
                code(line.id),
                word(line.source),
                word(line.statement),
                word(line.band),
                number(units.by_unit(line.value, line.unit), line.value.point if line.value else None),
                word(_verdict(line)),
                Entry(str(len(line.cells)), sort=len(line.cells), ref=f"cell-{line.cells[0]}" if line.cells else ""),
                word("; ".join(line.note.splitlines()) or units.ABSENT),
            )
            for line in findings.claims
        ),
        numeric=frozenset({"measured", "cells"}),
        caption="Every claim with its note. Cells: how many a verdict rests on; 0: the untimed quality pass.",
    )


def metg(findings: Findings) -> Section:
    """Show the documented rule of efficiency, and the smallest task with which each backend keeps it."""
    tables = [_brief_metg(findings.curves)]
    made = section("metg", RULE_TITLE, tables, findings, "no granularity sweep in this study")
    full = _metg(findings)
    return replace(made, details=(full,) if full.rows else ())


def _brief_metg(curves: Sequence[Curve]) -> Table:
    most = max((curve.cell.cpus for curve in curves), default=0)
    shown = [curve for curve in curves if curve.cell.cpus == most and curve.metg and WRONG not in curve.flags]
    levels = sorted({found.level for curve in shown for found in curve.metg})
    columns = tuple(f"{units.plain(100 * level)} %" for level in levels)
    rows = []
    for curve in shown:
        known = {found.level: found for found in curve.metg}
        rows.append((code(curve.cell.backend.name), *(_length(known.get(level)) for level in levels)))
    return Table(
        name="shortest task",
        columns=("backend", *columns),
        rows=tuple(rows),
        numeric=frozenset(columns),
        caption=texts.METG,
    )


def _length(found: Metg | None) -> Entry:
    if found is None:
        return word(units.ABSENT)
    return number(f"{found.mark} {units.seconds(found.work)}".strip(), found.work.point)


def _metg(findings: Findings) -> Table:
    lines = []
    for curve in findings.curves:
        name = (
            code(curve.cell.workload.name),
            code(curve.cell.backend.name),
            number(cells.cores(curve.cell), curve.cell.cpus),
        )
        notes = word("; ".join(filter(None, [curve.reason, *curve.flags])) or units.ABSENT)
        if not curve.metg:
            lines.append((*name, *(word(units.ABSENT),) * 3, notes))
        for found in curve.metg:
            level = number(f"{units.plain(100 * found.level)} %", found.level)
            wall = number(f"{found.mark} {units.seconds(found.granularity)}".strip(), found.granularity.point)
            lines.append((*name, level, _length(found), wall, notes))
    columns = (
        "sweep", "backend", "P", "efficiency", "task length (work)", "granularity (P x time / tasks)", "notes",
    )  # fmt: skip
    return Table(
        name="METG",
        columns=columns,
        rows=tuple(lines),
        numeric=frozenset(columns) - {"sweep", "backend", "notes"},
        caption=texts.METG,
    )


def start_up(findings: Findings) -> Section:
    """List what a cold start of each backend costs."""
    found = sorted(starts(findings.rows).items(), key=lambda pair: pair[1].point)
    rows = tuple(
        (code(backend), number(str(cpus), cpus), number(units.seconds(start), start.point))
        for (backend, cpus), start in found
    )
    table = Table(
        name="start-up",
        columns=("backend", "P", "start-up"),
        rows=rows,
        numeric=frozenset({"P", "start-up"}),
        caption=texts.START_UP,
    )
    return section("start-up", "Start-up", [table], findings, "no parallel cell was started cold")


def losses(findings: Findings) -> Section:
    """List where the core-seconds of each cell went, warm and cold."""
    parallel = [account for account in findings.accounts if account.cell.cpus > 1]
    tables = [
        _shares("lost core-seconds, warm", [(a, a.warm) for a in parallel], "P x makespan"),
        _shares("lost core-seconds, cold", [(a, a.cold) for a in parallel if a.cold], "P x cold time"),
        _pop(parallel),
    ]
    made = section("losses", "Where the core-seconds went", tables, findings, "no parallel cell has the stamps for it")
    return replace(made, brief=False)


def _pop(accounts: list[CoreSeconds]) -> Table:
    names = {"balance": "load balance", "communication": "communication", "parallel": "parallel efficiency",
             "computation": "computation", "total": "global efficiency"}  # fmt: skip
    return Table(
        name="POP",
        columns=("workload", "backend", "P", *names.values(), "n"),
        rows=tuple(
            (
                code(account.cell.workload.name),
                code(account.cell.backend.name),
                number(cells.cores(account.cell), account.cell.cpus),
                *(number(units.plain(value), value) for value in (getattr(account.pop, name) for name in names)),
                number(str(account.n), account.n),
            )
            for account in accounts
        ),
        numeric=frozenset({"P", *names.values(), "n"}),
        caption=(
            "The metrics of the POP Centre of Excellence, warm, from sums over n blocks and so without interval; base "
            "of computation: the one-thread loop. Parallel = load balance x communication; global = parallel x "
            "computation; above 0.8 counts as acceptable."
        ),
    )


def _shares(name: str, accounts: list[tuple[CoreSeconds, Mapping[str, Estimate]]], whole: str) -> Table:
    parts = [part for part in PARTS if any(shares[part].point for _, shares in accounts)]
    columns = ("workload", "backend", "P", *(part.replace("_", " ") for part in parts), "n", "flag")
    rows = tuple(
        (
            code(account.cell.workload.name),
            code(account.cell.backend.name),
            number(cells.cores(account.cell), account.cell.cpus),
            *(number(units.share(shares[part], with_n=False), shares[part].point) for part in parts),
            number(str(account.n), account.n),
            word("; ".join(account.flags) or units.ABSENT),
        )
        for account, shares in accounts
    )
    return Table(
        name=name,
        columns=columns,
        rows=rows,
        numeric=frozenset(columns) - {"workload", "backend", "flag"},
        caption=f"Shares of {whole} with 95 % intervals, n blocks; they add up to 1. Useful: the seconds of the same "
        "tasks in the one-thread loop of the same block. Flagged where more than 5 % stay unexplained.",
    )


def controls(run: RunData, findings: Findings) -> Section:
    """List the harness's own controls, whose answers are known."""
    report = findings.controls
    table = Table(
        name="controls",
        columns=("control", "workload", "backend", "P", "expected", "measured", "p, adjusted", "verdict"),
        rows=tuple(
            (
                word(row.kind),
                code(row.cell.workload.name),
                code(row.cell.backend.name),
                number(cells.cores(row.cell), row.cell.cpus),
                number(_expectation(row), 1.0),
                number(units.ratio(row.estimate), row.estimate.point),
                number(units.plain(row.p), row.p),
                word(row.words),
            )
            for row in report.rows
        ),
        numeric=frozenset({"P", "expected", "measured", "p, adjusted"}),
        caption=(
            "Controls with a known answer, measured in the same blocks as the cells: A/A (the same cell twice), "
            "waiting tasks, an overhead that was put in, bare processes. Measured: over what is expected. Passed: the "
            "90 % interval lies within the region; missed: outside, p below 0.05, adjusted by Holm over all controls."
        ),
    )
    missing = "no control has been measured yet" if run.plan.controls else "this study has no controls"
    made = section("controls", "Harness validation", [table], findings, missing)
    if not report.rows:
        return made
    said = [texts.validation(count_controls(report), findings.floor, report.drift)]
    if findings.timed is not None:
        time = findings.timed
        said.append(texts.timed(time.wall_s, time.timed_s, time.makespans_s))
    if findings.sensitivity is not None:
        said.append(texts.sensitivity(findings.sensitivity))
    return replace(made, paragraphs=tuple((word(one),) for one in said), tables=(), details=(table,))


def count_controls(report: ControlReport) -> list[tuple[str, int]]:
    """Count the controls by outcome, in words."""
    counts = Counter(row.verdict for row in report.rows)
    undecided = counts[ControlVerdict.OPEN] + counts[ControlVerdict.TOO_FEW]
    return [
        ("passed", counts[ControlVerdict.PASSED]), ("undecided", undecided), ("missed", counts[ControlVerdict.MISSED]),
    ]  # fmt: skip


def _expectation(row: ControlRow) -> str:
    if math.isinf(row.low):
        return f"at most {units.plain(row.high)}x"
    if math.isinf(row.high):
        return f"at least {units.plain(row.low)}x"
    return f"{units.plain(row.low)}x to {units.plain(row.high)}x"


def section(id_: str, title: str, tables: list[Table], findings: Findings, missing: str) -> Section:
    """Build a section; one without rows says why it is empty."""
    filled = tuple(table for table in tables if table.rows)
    why = () if filled else ((word(f"Nothing to show: {findings.aside.get(id_, missing)}."),),)
    return Section(id=id_, title=title, tables=filled, paragraphs=why)
