"""Sections that show the evidence: claims, METG, lost core-seconds, controls, the machine."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from raybench.analysis.controls import CEILING, SLEEP, ControlRow
from raybench.analysis.dataset import RunData
from raybench.analysis.losses import PARTS, CoreSeconds
from raybench.analysis.results import Findings
from raybench.model import units
from raybench.model.estimate import Estimate
from raybench.model.measurement import Environment
from raybench.report import cells
from raybench.report.section import Section
from raybench.report.tables import Entry, Table, code, number, word

# What a reader needs to place a number; the page shows all of the fingerprint.
SHOWN = {
    "cpu": ("model", "physical_cores", "logical_cpus", "usable", "smt_active", "governor", "turbo"),
    "memory": ("total_bytes", "swap_total_bytes"),
    "limits": ("cpu_max", "memory_max_bytes"),
    "storage": ("/dev/shm",),
    "system": ("kernel", "distribution", "container", "virtual_machine"),
    "gpu": ("devices",),
    "python": ("version",),
    "code": ("commit", "dirty", "lock_sha256", "source_sha256"),
    "packages": ("ray", "joblib", "xgboost", "scikit-learn", "numpy", "scipy", "pandas"),
}
HASH_CHARS = 12


CLAIMS = (
    "SUPPORTED: the whole interval lies inside what the sentence says; REFUTED: wholly outside; INCONCLUSIVE: "
    "neither, or different from 1x by less than the noise floor; PREDICTED and UNTESTABLE: not measured here, "
    "for the reason given. About many cells: REFUTED where one is, after Holm's adjustment; the one that "
    "decides is measured and named first. Cells: how many are behind it; 0: the untimed quality pass. E: efficiency."
)


def claims(findings: Findings) -> Section:
    """List every documented sentence with its verdict, value and interval; the details are the page's."""
    table, short = (_claims(findings, details=details) for details in (True, False))
    made = section("claims", "What the documents claim", [table], findings, "no claims were put to this run")
    return replace(made, brief={"claims": ((short,),)} if table.rows else {})


def _claims(findings: Findings, *, details: bool) -> Table:
    columns = ("id", "source", "the documents say", "test", "measured", "verdict", "cells", "note")
    return Table(
        name="claims",
        columns=columns,
        rows=tuple(
            (
                code(line.id),
                word(line.source),
                word(line.statement),
                word(line.band),
                number(units.by_unit(line.value, line.unit), line.value.point if line.value else None),
                word(line.verdict),
                Entry(str(len(line.cells)), sort=len(line.cells), ref=f"cell-{line.cells[0]}" if line.cells else ""),
                word(_shorten_note(line.note, details=details) or units.ABSENT),
            )
            for line in findings.claims
        ),
        numeric=frozenset({"measured", "cells"}),
        caption=CLAIMS if details else f"{CLAIMS} What stands beside each verdict: in the page.",
    )


def _shorten_note(note: str, *, details: bool) -> str:
    """Return a note whole, or its first line."""
    lines = note.splitlines()
    return "; ".join(lines if details else lines[:1])


def metg(findings: Findings) -> Section:
    """List the smallest task with which each backend keeps an efficiency."""
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
            lines.append(
                (
                    *name,
                    number(f"{units.plain(100 * found.level)} %", found.level),
                    number(f"{found.mark} {units.seconds(found.work)}".strip(), found.work.point),
                    number(f"{found.mark} {units.seconds(found.granularity)}".strip(), found.granularity.point),
                    notes,
                )
            )
    table = Table(
        name="METG",
        columns=(
            "ladder",
            "backend",
            "P",
            "efficiency",
            "task length (work)",
            "granularity (P x time / tasks)",
            "notes",
        ),
        rows=tuple(lines),
        numeric=frozenset({"P", "efficiency", "task length (work)", "granularity (P x time / tasks)"}),
        caption=(
            "METG: the shortest task with which a backend keeps the efficiency, warm, fixed work, base: the bare loop "
            "on one core in the same block; [95 % interval], n blocks. <: kept down to the shortest task of the "
            "ladder; >: not reached with the longest."
        ),
    )
    return section("metg", "How short may a task be? (METG)", [table], findings, "no task-length ladder in this study")


def losses(findings: Findings) -> Section:
    """List where the core-seconds of each cell went, warm and cold."""
    parallel = [account for account in findings.accounts if account.cell.cpus > 1]
    tables = [
        _shares("lost core-seconds, warm", [(a, a.warm) for a in parallel], "P x makespan"),
        _shares("lost core-seconds, cold", [(a, a.cold) for a in parallel if a.cold], "P x cold time"),
        _pop(parallel),
    ]
    made = section("losses", "Where the core-seconds went", tables, findings, "no parallel cell has the stamps for it")
    return replace(made, brief={"POP": ((),)})  # the page's alone


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
                number(_expectation(row), row.expected),
                number(units.by_unit(row.estimate, "s" if row.unit else "x"), row.estimate.point),
                number(units.plain(row.p), row.p),
                word(row.words),
            )
            for row in report.rows
        ),
        numeric=frozenset({"P", "expected", "measured", "p, adjusted"}),
        caption=(
            "Controls with a known answer, measured in the same blocks as the cells: A/A (the same cell twice), "
            "waiting tasks, an overhead that was put in, bare processes. Missed: off by more than 2 % and p below "
            "0.05, adjusted by Holm over all controls."
        ),
    )
    missing = "no control has been measured yet" if run.plan.controls else "this study has no controls"
    drift = report.drift
    said = ((word(f"Growth of all times over the study: {units.percent(drift)}."),),) if drift.n else ()
    made = section("controls", "Does the harness measure rightly?", [table], findings, missing)
    return replace(made, paragraphs=made.paragraphs + said)


def _expectation(row: ControlRow) -> str:
    if row.unit:
        return f"{units.duration(row.expected)} per task"
    bound = {CEILING: "at most ", SLEEP: "at least "}.get(row.kind, "") if row.one_sided else ""
    return f"{bound}{units.plain(row.expected)}x"


def machine(run: RunData) -> Section:
    """List the machine and the versions."""
    facts = run.environment.facts
    rows = [
        (word(group), word(name.replace("_", " ")), word(value))
        for group, names in SHOWN.items()
        for name in names
        if (value := fact(facts, group, name))
    ]
    table = Table(name="machine", columns=("group", "fact", "value"), rows=tuple(rows))
    head: tuple[Entry, ...] = (
        word("Machine "),
        code(run.environment.machine),
        word(f", began {run.environment.began}."),
    )
    return Section(id="machine", title="Machine and versions", paragraphs=(head,), tables=(table,) if rows else ())


def fact(facts: Mapping[str, Any], group: str, name: str) -> str:
    """Write one fact of the fingerprint as text; '' where it is not recorded."""
    members = facts.get(group)
    if not isinstance(members, Mapping) or name not in members:
        return ""
    value = members[name]
    if isinstance(value, int | float) and not isinstance(value, bool) and name.endswith("_bytes"):
        return units.amount(float(value))
    if name.endswith("_sha256") and isinstance(value, str) and " " not in value:
        return value[:HASH_CHARS]
    return "; ".join(f"{key}: {text}" for key, text in flat(value)) if isinstance(value, Mapping | list) else str(value)


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Walk nested facts in the order of their names."""
    if isinstance(value, Mapping):
        for key in sorted(value):
            label = f"{name} {key}".strip()
            amount = value[key]
            if str(key).endswith("_bytes") and isinstance(amount, int | float):
                yield label.removesuffix("_bytes"), units.amount(float(amount))
            else:
                yield from flat(amount, label)
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        for index, item in enumerate(value):
            yield from flat(item, f"{name} {index}".strip())
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value))
    else:
        yield name, str(value)


def commit(environment: Environment) -> str:
    """Name the commit that measured, and whether files differed from it."""
    facts = environment.facts.get("code", {})
    found = str(facts.get("commit", "unavailable: not recorded"))
    return f"{found} with local changes" if facts.get("dirty") is True else found


def section(id_: str, title: str, tables: list[Table], findings: Findings, missing: str) -> Section:
    """Build a section; one without rows says why it is empty."""
    filled = tuple(table for table in tables if table.rows)
    why = () if filled else ((word(f"Nothing to show: {findings.aside.get(id_, missing)}."),),)
    return Section(id=id_, title=title, tables=filled, paragraphs=why)
