"""The short table at the end of a run, and of its first groups: a few lines per workload with the advice under them.

Plain lines of text and the same as data; how they reach a terminal is the command line's business.
"""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from raybench.analysis import controls, speedup
from raybench.analysis.controls import ControlReport
from raybench.analysis.dataset import Dataset, is_baseline
from raybench.analysis.decision import Advice, Decision, decide
from raybench.analysis.needs import needed, stops_short
from raybench.model import stats, units
from raybench.model.estimate import Estimate, Row
from raybench.model.measurement import Measurement, Sample
from raybench.model.plan import Plan, Role, Status, needs_ray
from raybench.model.serialize import encode
from raybench.report import cells, texts, texts_terminal

CHARS = 60  # of a reason
WIDTH = 80
BEST = "<- best"
SCORES = ("rmse", "accuracy")  # of these the first that there is, else the first by name


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One backend on P cores. note : why it has no numbers.

    sooner : baseline time / time, where less work was done. scores : how they differ from the baseline's, in words.
    """

    backend: str
    cpus: int
    time: Estimate | None = None
    speedup: Estimate | None = None
    efficiency: Estimate | None = None
    speedup_cold: Estimate | None = None
    sooner: Estimate | None = None
    work_ratio: float = 1.0
    scores: tuple[str, ...] = ()
    best: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadTable:
    """One workload. baseline : name of the sequential baseline; advice : sentences, none while provisional."""

    workload: str
    tasks: int
    baseline: str
    baseline_time: Estimate | None
    lines: tuple[Line, ...]
    advice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTable:
    """The table of a run, and what may be believed of it."""

    workloads: tuple[WorkloadTable, ...]
    status: tuple[str, ...]


def run_table(
    plan: Plan,
    measurements: Sequence[Measurement],
    samples: Sequence[Sample],
    *,
    facts: Mapping[str, Any] | None = None,
) -> RunTable:
    """Summarise a run; workloads of which nothing was measured, and granularity sweeps, are left out.

    facts : of the run's environment; they tell a contended host.
    """
    data = Dataset(plan, measurements, samples)
    draws = stats.Resampler()
    judged = controls.judge_controls(data, draws, facts=facts)
    sweeps = {of.cell.workload.name for of in data.cells if of.is_sweep}
    rows = [row for row in speedup.rows(data, draws) if row.cell.workload.name not in sweeps]
    gain = max(speedup.SAME_TIME, judged.floor)
    decided = {one.workload: one for one in decide(rows, floor=gain, shortest={})} if plan.verdicts else {}
    names = dict.fromkeys(row.cell.workload.name for row in rows if row.n)
    tables = (_workload([r for r in rows if r.cell.workload.name == name], decided.get(name)) for name in names)
    return RunTable(
        workloads=tuple(table for table in tables if table.lines),
        status=tuple([*_status(plan, data, rows, judged), *_missing(data, rows, facts), *_clusters(plan)]),
    )


def first_lines(plan: Plan, measurements: Sequence[Measurement], samples: Sequence[Sample], name: str) -> RunTable:
    """Summarise one workload while the run goes on: no advice, marked provisional."""
    mine = {cell.key for cell in plan.cells if cell.workload.name == name}
    part = replace(
        plan,
        jobs=tuple(job for job in plan.jobs if job.cell.key in mine),
        skips=tuple(skip for skip in plan.skips if skip.cell.key in mine),
        verdicts=False,
    )
    done = [m for m in measurements if m.cell in mine]
    found = run_table(part, done, [s for s in samples if s.cell in mine])
    blocks = len({m.block for m in done if m.status is Status.OK})
    return replace(found, status=(texts_terminal.provisional(blocks),) if found.workloads else ())


def as_json(table: RunTable) -> str:
    """Write the table as JSON for scripts; an interval without an end has null there."""
    return json.dumps(json.loads(encode(_without_evidence(table))), indent=1)


def _without_evidence(value: Any) -> Any:
    """Turn dataclasses into mappings, leaving out what estimates keep for their p values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _without_evidence(getattr(value, f.name)) for f in fields(value) if f.name != "evidence"}
    return [_without_evidence(one) for one in value] if isinstance(value, tuple) else value


def as_lines(table: RunTable, *, width: int = WIDTH) -> list[str]:
    """Write the table as text; columns move together where the terminal is narrow."""
    found = []
    for one in table.workloads:
        base = f"{one.baseline} {_seconds(one.baseline_time)}" if one.baseline_time else f"{one.baseline}: no time"
        task_s = one.baseline_time.point / one.tasks if one.baseline_time and one.tasks else 0.0
        found.append(f"{texts_terminal.heading(one.workload, one.tasks if task_s else 0, task_s)}   {base}")
        found += _columns([_fields(line, one.lines) for line in one.lines], width)
        found += one.advice
    return [part for line in [*found, *table.status] for part in _wrap(line, width)]


# --- one workload ---------------------------------------------------------------------------------


def _workload(rows: Sequence[Row], decided: Decision | None) -> WorkloadTable:
    base = next((row for row in rows if is_baseline(row.cell)), None)
    shown = [row for row in rows if _is_shown(row)]
    return WorkloadTable(
        workload=rows[0].cell.workload.name,
        tasks=max((row.tasks for row in rows), default=0),
        baseline=base.cell.backend.name if base else "no sequential baseline",
        baseline_time=base.makespan if base else None,
        lines=tuple(_line(row, base, decided) for row in shown),
        advice=tuple(_advice(decided, shown)) if decided else (),
    )


def _is_shown(row: Row) -> bool:
    """Return whether a reader would choose it, or wants to know why it has no number."""
    backend = row.cell.backend
    if backend.is_control or backend.role is Role.COLD_START or row.cell.cpus == 1:
        return False
    return bool(row.n) or cells.status(row) not in ("skipped", "not measured yet")


def _line(row: Row, base: Row | None, decided: Decision | None) -> Line:
    best = decided is not None and decided.row is row and decided.advice in (Advice.DISTRIBUTE, Advice.WARM_ONLY)
    return Line(
        backend=row.cell.backend.name,
        cpus=row.cell.cpus,
        time=row.makespan,
        speedup=row.speedup,
        efficiency=row.efficiency,
        speedup_cold=row.speedup_cold,
        sooner=row.time_to_score,
        work_ratio=row.work_ratio,
        scores=tuple(_scores(row, base)) if row.time_to_score and base else (),
        best=best,
        note="" if row.n else cells.clip(f"{cells.status(row)}: {row.reason}", CHARS),
    )


def _scores(row: Row, base: Row) -> Iterator[str]:
    known = sorted(row.scores.keys() & base.scores.keys())
    for name in [*(name for name in SCORES if name in known), *known][:1]:
        before, after = base.scores[name].point, row.scores[name].point
        if before and abs(after / before - 1) > speedup.SAME_SCORE:
            yield texts_terminal.score_change(name, after / before - 1)


def _advice(decided: Decision, rows: Sequence[Row]) -> Iterator[str]:
    if decided.row is not None and decided.warm is not None and decided.advice in (Advice.DISTRIBUTE, Advice.WARM_ONLY):
        pays = decided.advice is Advice.DISTRIBUTE
        gains = (decided.warm, decided.cold)
        yield texts_terminal.distribute(decided.row.cell.backend.name, gains, decided.against, pays_cold=pays)
    else:
        yield texts_terminal.no_gain(str(decided.advice), cells.clip(decided.why))
    for row in rows:
        seconds = break_even(row)
        if seconds is not None:
            yield texts_terminal.pays_from(row.cell.backend.name, seconds)


def break_even(row: Row) -> float | None:
    """Return from how many seconds of sequential work on a backend pays that gains warm and loses cold.

    Start-up costs the same whatever the work; the warm speedup S is taken as that of longer work too:
    start-up / (1 - 1 / S).
    """
    warm, started = row.speedup, row.speedup_cold
    if warm is None or started is None or not (warm.low > 1 and started.high < 1):
        return None
    if row.cold is None or row.makespan is None or row.base is None or row.base_cold is None:
        return None
    costs = (row.cold.point - row.makespan.point) - (row.base_cold.point - row.base.point)
    return costs / (1 - 1 / warm.point) if costs > 0 else None


def _status(plan: Plan, data: Dataset, rows: Sequence[Row], judged: ControlReport) -> Iterator[str]:
    if not plan.verdicts:
        yield texts.NO_VERDICTS
        return
    if not plan.controls:
        yield texts.NO_CONTROLS
        return
    if judged.reasons:
        yield from (texts.trust(judged.trust, reason) for reason in judged.reasons)
        return
    counts = [row.n for row in rows if row.n]
    host = texts_terminal.BUSY if any(of.busy for of in data.cells) else texts_terminal.QUIET
    blocks = texts.blocks(min(counts), max(counts)) if counts else ""
    yield texts_terminal.trusted(host, blocks, judged.floor if judged.pooled else None)


def _missing(data: Dataset, rows: Sequence[Row], facts: Mapping[str, Any] | None) -> Iterator[str]:
    """Say for how much longer a study would have to run that its budget stopped."""
    if data.plan.verdicts and stops_short(data) and (need := needed(data, rows, facts=facts)) is not None:
        yield texts.needs(need)


def _clusters(plan: Plan) -> Iterator[str]:
    """Say on which nodes cells of Ray ran, where these were started for them."""
    for cluster in dict.fromkeys(job.cluster for job in plan.jobs if job.cluster.nodes and needs_ray(job.cell)):
        yield texts_terminal.on_nodes(cluster.name, cluster.nodes, plan.usable_cpus)


# --- text -----------------------------------------------------------------------------------------


def _fields(line: Line, beside: Sequence[Line]) -> tuple[str, ...]:
    name = line.backend if len({other.cpus for other in beside}) == 1 else f"{line.backend} P={line.cpus}"
    if line.time is None:
        return (name, line.note)
    if line.sooner is not None:
        return (name, _seconds(line.time), texts_terminal.sooner(line.sooner.point, line.work_ratio, line.scores))
    if line.speedup is None:
        return (name, _seconds(line.time), "no baseline to compare with")
    gain = f"{units.plain(line.speedup.point)}x {units.within(stats.half_width(line.speedup))}".strip()
    efficiency = f"E {line.efficiency.point:.2f}" if line.efficiency else ""
    cold = f"with start-up {units.plain(line.speedup_cold.point)}x" if line.speedup_cold else ""
    return (name, _seconds(line.time), gain, efficiency, cold, BEST if line.best else "")


def _columns(rows: Sequence[tuple[str, ...]], width: int) -> list[str]:
    """Set rows in columns: name, time and numbers. The last field of a shorter row is a sentence that runs on."""
    most = max(map(len, rows), default=0)
    sizes = [max((len(row[i]) for row in rows if _has_column(row, i, most)), default=0) for i in range(most)]
    gap = "   " if 2 + sum(sizes) + 3 * (most - 1) <= width else " "
    return [f"  {gap.join(_pad(row, sizes, most))}".rstrip() for row in rows]


def _has_column(row: tuple[str, ...], i: int, most: int) -> bool:
    return i < (len(row) if len(row) == most else len(row) - 1)


def _pad(row: tuple[str, ...], sizes: Sequence[int], most: int) -> Iterator[str]:
    for i, text in enumerate(row):
        if not _has_column(row, i, most):
            yield text
        else:
            yield text.rjust(sizes[i]) if i == 1 else text.ljust(sizes[i])


def _wrap(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    return textwrap.wrap(line, width, subsequent_indent=" " * 6, drop_whitespace=True, replace_whitespace=False)


def _seconds(estimate: Estimate | None) -> str:
    return units.duration(estimate.point) if estimate is not None else units.ABSENT
