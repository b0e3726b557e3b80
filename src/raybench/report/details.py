"""What the page shows of one cell: raw samples, one measurement's stamps, the command that repeats it; as JSON."""

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from raybench.analysis.dataset import RunData
from raybench.analysis.results import Durations, Findings
from raybench.analysis.timelines import Budgets, budgets, ending, middle
from raybench.model import units
from raybench.model.estimate import Row
from raybench.model.measurement import Measurement
from raybench.model.plan import Cell, Role, Status
from raybench.model.visible import visible
from raybench.report import cells
from raybench.report.charts import rounded

SAMPLE_FIELDS = (
    "block", "replica", "attempt", "status", "order", "data", "start-up", "warm-up", "makespan", "shutdown", "cold",
    "CPU", "peak MiB", "reason",
)  # fmt: skip
MOST_STEPS = 25  # of a distribution: finer ones are below a pixel
MOST_TASKS = 600  # of a chart: more would be thinner than a pixel


def details(run: RunData, findings: Findings) -> dict[str, Any]:
    """Return everything that a click on a cell shows, by cell key."""
    lines: dict[str, list[Measurement]] = {}
    for m in run.measurements:
        lines.setdefault(m.cell, []).append(m)
    full = budgets(run.measurements)
    return {
        "fields": SAMPLE_FIELDS,
        "durations": _durations(findings.durations),
        "cells": {row.cell.key: _detail(run, row, lines.get(row.cell.key, []), full) for row in findings.rows},
    }


def embed_json(value: Any) -> str:
    """Write JSON that may stand in a script element: no markup, no NaN."""
    text = json.dumps(_finite(value), separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def repeat_command(run: RunData, cell: Cell) -> str:
    """Write the command that measures a cell and its base again."""
    backends = ",".join(dict.fromkeys(("sequential", cell.backend.name)))
    words = ["raybench", "run", f"study={run.plan.study}", f"workloads=[{cell.workload.name}]"]
    words += [f"backends=[{backends}]", f"cpus=[{cell.cpus}]"]
    if cell.gpus:
        words.append(f"gpus=[{units.plain(cell.gpus)}]")
    return " ".join(map(shlex.quote, words))


def _detail(run: RunData, row: Row, lines: Sequence[Measurement], full: Budgets) -> dict[str, Any]:
    cell = row.cell
    good = [m for m in lines if m.status is Status.OK]
    shown = middle(good) or next(iter(good), None)
    return {
        "title": f"{cell.workload.name} on {cell.backend.name}, P = {cells.cores(cell)}",
        "workload": cell.workload.name,
        "about": [text for text in (cell.workload.about, cell.backend.about) if text],
        "parameters": {"workload": dict(cell.workload.params), "backend": dict(cell.backend.params)},
        "target": [cell.workload.target, cell.backend.target],
        "version": shown.backend_version if shown else "",
        "status": cells.note(row, chars=4000),
        "command": repeat_command(run, cell),
        "numbers": _numbers(row),
        "samples": [_sample(m) for m in sorted(lines, key=lambda m: m.key)],
        "chart": _chart(shown, full) if shown and shown.tasks else None,
    }


def _numbers(row: Row) -> list[tuple[str, str]]:
    found = [
        ("time, warm", units.seconds(row.makespan)),
        (f"base ({row.base_kind})", units.seconds(row.base)),
        ("speedup, warm", units.ratio(row.speedup)),
        ("efficiency, warm", units.share(row.efficiency)),
        ("hardware ceiling of the efficiency", units.share(row.ceiling)),
        (
            "largest efficiency that so many equal tasks allow",
            units.ABSENT if row.cap is None else units.plain(row.cap),
        ),
        ("Karp-Flatt serial fraction", units.share(row.karp_flatt)),
        ("base / time, less work", units.ratio(row.time_to_score)),
        ("gain over the threaded baseline", units.ratio(row.gain)),
        ("against itself on one core (S_rel)", units.ratio(row.relative)),
        ("time, cold", units.seconds(row.cold)),
        ("speedup, cold", units.ratio(row.speedup_cold)),
        ("CPU time", units.seconds(row.cpu)),
        ("utilisation", units.share(row.utilisation)),
        ("peak memory", units.size(row.peak_rss)),
        *((name, units.number(value)) for name, value in sorted(row.scores.items())),
    ]
    return [(name, text) for name, text in found if text != units.ABSENT]


def _sample(m: Measurement) -> list[Any]:
    phases = m.phases
    seconds = (phases.data, phases.start_up, phases.warm_up, phases.makespan, phases.shutdown, phases.cold)
    mib = None if m.peak_rss_bytes is None else round(m.peak_rss_bytes / 2**20, 1)
    cpu = None if m.cpu_s is None else round(m.cpu_s, 4)
    reason = m.reason or m.disturbance.reason
    head = [m.block, m.replica, m.attempt, str(m.status), m.order]
    return [*head, *(round(s, 4) for s in seconds), cpu, mib, reason]


def _chart(m: Measurement, full: Budgets) -> dict[str, Any]:
    workers = {worker: lane for lane, worker in enumerate(sorted({task.worker for task in m.tasks}))}
    tasks = sorted(m.tasks, key=lambda t: (t.started, t.index))
    return {
        "block": m.block,
        "before": round(m.phases.start_up + m.phases.warm_up, 4),
        "makespan": round(m.phases.makespan, 4),
        "lanes": len(workers),
        "left out": max(0, len(tasks) - MOST_TASKS),
        "tasks": [
            [t.index, workers[t.worker], round(t.started, 5), round(t.ended, 5), ending(t, m, full), t.tries]
            for t in tasks[:MOST_TASKS]
        ],
    }


def _durations(found: Sequence[Durations]) -> dict[str, list[Any]]:
    """Return by workload the distribution of task times of each cell: key, name, steps, whether the baseline.

    steps : share of the tasks, and the seconds in which it had ended.
    """
    lines: dict[str, list[Any]] = {}
    for line in found:
        last = len(line.seconds) - 1
        ranks = sorted({round(last * step / (MOST_STEPS - 1)) for step in range(MOST_STEPS)})
        steps = [[rounded((rank + 1) / (last + 1)), rounded(line.seconds[rank])] for rank in ranks]
        is_base = line.cell.backend.role is Role.BASELINE
        name = f"{line.cell.backend.name}, P = {cells.cores(line.cell)}"
        lines.setdefault(line.cell.workload.name, []).append([line.cell.key, name, steps, is_base])
    return lines


def _finite(value: Any) -> Any:
    """Replace what JSON does not know (NaN, infinities) by null, and neutralise control characters of texts."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
