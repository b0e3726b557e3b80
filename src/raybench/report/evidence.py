"""Sections that show the evidence: claims, METG, lost core-seconds, RMSE deltas, controls, the machine."""

from collections.abc import Iterator, Mapping
from typing import Any

from raybench.model import Environment
from raybench.report import cells, units
from raybench.report.findings import Findings, Run
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


def claims(findings: Findings) -> Section:
    """List every documented sentence with its verdict, value and interval."""
    columns = ("id", "source", "the documents say", "test", "measured", "verdict", "note")
    table = Table(
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
                word(line.note or units.ABSENT),
            )
            for line in findings.claims
        ),
        numeric=frozenset({"measured"}),
        caption=(
            "SUPPORTED: the whole interval lies inside what the sentence says; REFUTED: wholly outside; INCONCLUSIVE: "
            "neither; PREDICTED and UNTESTABLE: not measured here, for the reason given."
        ),
    )
    return _section("claims", "What the documents claim", [table], findings, "no claims were put to this run")


def metg(findings: Findings) -> Section:
    """List the smallest task with which each backend keeps an efficiency."""
    lines = []
    for curve in findings.curves:
        name = (code(curve.cell.backend.name), number(cells.cores(curve.cell), curve.cell.cpus))
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
        columns=("backend", "P", "efficiency", "task length (work)", "granularity (P x time / tasks)", "notes"),
        rows=tuple(lines),
        numeric=frozenset({"P", "efficiency", "task length (work)", "granularity (P x time / tasks)"}),
        caption=(
            "METG: the shortest task with which a backend keeps the efficiency, warm, fixed work, base: the bare loop "
            "on one core in the same block; [95 % interval], n blocks. <: kept down to the shortest task of the "
            "ladder; >: not reached with the longest."
        ),
    )
    return _section("metg", "How short may a task be? (METG)", [table], findings, "no task-length ladder in this study")


def losses(findings: Findings) -> Section:
    """List where the core-seconds of each cell went."""
    parts = tuple(dict.fromkeys(name for line in findings.losses for name in line.parts))
    rows = tuple(
        (
            code(line.cell.workload.name),
            code(line.cell.backend.name),
            number(cells.cores(line.cell), line.cell.cpus),
            number(units.seconds(line.core_seconds), line.core_seconds.point),
            *(number(units.share(line.parts.get(name), with_n=False), _point(line.parts, name)) for name in parts),
            word(line.flag or units.ABSENT),
        )
        for line in findings.losses
    )
    columns = ("workload", "backend", "P", "core-seconds", *parts, "flag")
    table = Table(
        name="lost core-seconds",
        columns=columns,
        rows=rows,
        numeric=frozenset(columns) - {"workload", "backend", "flag"},
        caption="Shares of P x time, with 95 % intervals; they add up to 1. A row is flagged where `other` is large.",
    )
    return _section("losses", "Where the core-seconds went", [table], findings, "no cell has the stamps for it")


def deltas(findings: Findings) -> Section:
    """List how much lower the tuned models' errors are, on untouched test rows."""
    columns = ("workload", "arm", "baseline", "metric", "baseline error", "tuned error", "delta", "rows only",
               "optimism", "documented", "note")  # fmt: skip
    rows = tuple(
        (
            code(line.workload),
            code(line.arm),
            word(line.baseline),
            word(line.metric),
            number(units.number(line.baseline_error, with_n=False), line.baseline_error.point),
            number(units.number(line.tuned_error, with_n=False), line.tuned_error.point),
            number(units.percent(line.delta), line.delta.point),
            number(units.percent(line.delta_rows, with_n=False), line.delta_rows.point if line.delta_rows else None),
            number(units.number(line.optimism, with_n=False), line.optimism.point if line.optimism else None),
            number(units.ABSENT if line.documented is None else f"{units.plain(100 * line.documented)} %",
                   line.documented),
            word(line.note or units.ABSENT),
        )
        for line in findings.deltas
    )  # fmt: skip
    table = Table(
        name="RMSE deltas",
        columns=columns,
        rows=rows,
        numeric=frozenset({"baseline error", "tuned error", "delta", "rows only", "optimism", "documented"}),
        caption=(
            "Delta: 1 - mean tuned error / mean baseline error on untouched test rows, + is better; n pairs of split "
            "and search seed; interval over splits and rows, beside it over rows only. Optimism: test - validation."
        ),
    )
    return _section("deltas", "Did tuning lower the error?", [table], findings, "no quality pass in this study")


def controls(run: Run, findings: Findings) -> Section:
    """List the harness's own controls, whose answers are known."""
    table = Table(
        name="controls",
        columns=("control", "what it shows", "expected", "measured", "holds", "note"),
        rows=tuple(
            (
                code(line.name),
                word(line.about),
                word(line.expected),
                number(units.by_unit(line.value, line.unit), line.value.point if line.value else None),
                word("yes" if line.ok else "NO"),
                word(line.note or units.ABSENT),
            )
            for line in findings.controls
        ),
        numeric=frozenset({"measured"}),
        caption="Controls with a known answer, measured in the same blocks as the cells.",
    )
    missing = "this study has no controls" if not run.plan.controls else "no control has been measured yet"
    return _section("controls", "Does the harness measure rightly?", [table], findings, missing)


def machine(run: Run) -> Section:
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


def _point(parts: Mapping[str, Any], name: str) -> float | None:
    return parts[name].point if name in parts else None


def _section(id_: str, title: str, tables: list[Table], findings: Findings, missing: str) -> Section:
    """Build a section; one without rows says why it is empty."""
    filled = tuple(table for table in tables if table.rows)
    why = () if filled else ((word(f"Nothing to show: {findings.aside.get(id_, missing)}."),),)
    return Section(id=id_, title=title, tables=filled, paragraphs=why)
