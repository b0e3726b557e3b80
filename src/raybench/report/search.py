"""The section on searches: did tuning lower the error, when, and why was early stopping faster."""

from dataclasses import replace

from raybench.analysis.results import Findings
from raybench.model import units
from raybench.report import cells, texts
from raybench.report.answers import TUNED
from raybench.report.evidence import section
from raybench.report.section import Section
from raybench.report.tables import Entry, Table, code, number, word

MODELS = {"tuned": "full search", "asha": "early stopping"}  # of the quality pass; others are reference models


def deltas(findings: Findings) -> Section:
    """Say whether tuning lowered the error; the HTML report splits the gains of early stopping and has all models."""
    made = section(
        "deltas", "Did tuning lower the error?", [_models(findings)], findings, "no quality pass in this study"
    )
    more = (_errors(findings), _splits(findings), _targets(findings))
    return replace(made, details=tuple(table for table in more if table.rows))


def _models(findings: Findings) -> Table:
    columns = ("workload", "model", "baseline error", "tuned error", "gain", "documented")
    return Table(
        name="tuning",
        columns=columns,
        rows=tuple(
            (
                code(line.workload),
                word(MODELS[line.variant]),
                number(units.number(line.baseline_test, with_n=False), line.baseline_test.point),
                number(units.number(line.tuned_test, with_n=False), line.tuned_test.point),
                number(units.percent(line.relative), line.relative.point),
                _published(findings, line.workload) if line.variant == TUNED else word(units.ABSENT),
            )
            for line in findings.deltas
            if line.variant in MODELS
        ),
        numeric=frozenset(columns) - {"workload", "model"},
        caption=texts.TUNING,
    )


def _published(findings: Findings, workload: str) -> Entry:
    published = findings.documented.get(workload)
    return number(units.ABSENT if published is None else f"{units.plain(100 * published)} %", published)


def _errors(findings: Findings) -> Table:
    columns = ("workload", "model", "baseline", "metric", "baseline error", "tuned error", "delta", "rows only",
               "optimism", "documented", "tuned is better", "notes")  # fmt: skip
    rows = []
    for line in findings.deltas:
        rows.append(
            (
                code(line.workload),
                code(line.variant),
                word(line.baseline),
                word(line.metric),
                number(units.number(line.baseline_test, with_n=False), line.baseline_test.point),
                number(units.number(line.tuned_test, with_n=False), line.tuned_test.point),
                number(units.percent(line.relative), line.relative.point),
                number(units.percent(line.relative_rows, with_n=False), getattr(line.relative_rows, "point", None)),
                number(units.number(line.optimism, with_n=False), line.optimism.point),
                _published(findings, line.workload) if line.variant == TUNED else word(units.ABSENT),
                number(units.share(line.better, with_n=False), line.better.point),
                word("; ".join(line.flags) or units.ABSENT),
            )
        )
    return Table(
        name="RMSE deltas",
        columns=columns,
        rows=tuple(rows),
        numeric=frozenset(columns) - {"workload", "model", "baseline", "metric", "notes"},
        caption=(
            "Delta: 1 - mean tuned error / mean baseline error on untouched test rows, + is better; n pairs of split "
            "and search seed; 95 % interval over splits and rows, and over rows only. Optimism: test minus "
            "validation error of the tuned model. Tuned is better: share of the pairs."
        ),
    )


def _splits(findings: Findings) -> Table:
    columns = ("workload", "backend", "P", "base / time", "work saved", "cores", "efficiency", "steps saved",
               "same cores", "n", "flag")  # fmt: skip
    return Table(
        name="early stopping",
        columns=columns,
        rows=tuple(
            (
                code(line.cell.workload.name),
                code(line.cell.backend.name),
                number(cells.cores(line.cell), line.cell.cpus),
                number(units.ratio(line.total, with_n=False), line.total.point),
                number(units.ratio(line.saving, with_n=False), line.saving.point),
                number(str(line.cores), line.cores),
                number(units.share(line.efficiency, with_n=False), line.efficiency.point),
                number(units.ratio(line.saving_steps, with_n=False), line.saving_steps.point),
                number(units.ratio(line.same_resources, with_n=False), getattr(line.same_resources, "point", None)),
                number(str(line.n), line.n),
                word("; ".join(line.flags) or units.ABSENT),
            )
            for line in findings.splits
        ),
        numeric=frozenset(columns) - {"workload", "backend", "flag"},
        caption=(
            "Why stopping tasks early took less time, warm: base / time = work saved x cores x efficiency. Base: the "
            "sequential baseline over all steps. Same cores: threaded baseline on P cores / time, the gain that a "
            "practitioner has."
        ),
    )


def _targets(findings: Findings) -> Table:
    columns = ("workload", "backend", "P", "target", "reached", "median time", "expected time")
    return Table(
        name="time to target",
        columns=columns,
        rows=tuple(
            (
                code(line.cell.workload.name),
                code(line.cell.backend.name),
                number(cells.cores(line.cell), line.cell.cpus),
                number(f"{units.plain(line.factor)}x the full search's loss", line.factor),
                number(f"{line.successes} of {line.n}", line.successes),
                number(units.seconds(line.median, with_n=False), line.median.point),
                number(units.seconds(line.ert, with_n=False), line.ert.point),
            )
            for line in findings.targets
        ),
        numeric=frozenset(columns) - {"workload", "backend"},
        caption=(
            "Seconds from before the backend starts until the validation loss of the full one-thread search was "
            "reached; ∞: half of the searches never got there. Expected time: time of all searches / successes."
        ),
    )
