"""Tables as CSV: the tasks of one measurement, and the models of a workload side by side."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from raybench.analysis.kinds import Kind, kind_of
from raybench.model.measurement import Measurement
from raybench.model.plan import Cell
from raybench.tracking.recorded import Recorded, Tasks, shown
from raybench.tracking.values import scores_of

TOLD_ONE_BY_ONE = (Kind.SEARCH, Kind.TRAINING)  # kinds of work whose tasks are trials or models


def has_models(cell: Cell) -> bool:
    """Return whether the tasks of a cell are trials or models, told one by one."""
    return kind_of(cell.workload) in TOLD_ONE_BY_ONE and not cell.backend.is_control


def tasks(m: Measurement) -> bytes:
    """Write a row per task: when it ran, on which worker, and how it ended."""
    names = ("index", "worker", "started", "ended", "seconds", "steps", "loss", "tries", "error")
    rows = [
        (t.index, t.worker, t.started, t.ended, round(t.ended - t.started, 6), t.steps, t.loss, t.tries, t.error)
        for t in m.tasks
    ]
    return _csv(names, rows)


def models(run: Recorded, known: Tasks) -> dict[str, bytes]:
    """Write a table per workload with models: a row per model, its seconds on each backend, its scores."""
    by_workload: dict[str, list[tuple[Cell, Measurement]]] = {}
    for cell in run.plan.cells:
        m = shown(run.lines(cell))
        if m is not None and has_models(cell):
            by_workload.setdefault(cell.workload.name, []).append((cell, m))
    return {f"models/{name}.csv": _models(found, known) for name, found in by_workload.items()}


def _models(found: Sequence[tuple[Cell, Measurement]], known: Tasks) -> bytes:
    cell, first = found[0]
    params = {index: task.params for index, task in known.of(cell.workload, first).items()}
    rows: dict[int, dict[str, Any]] = {t.index: {"task": t.index, **params.get(t.index, {})} for t in first.tasks}
    for index, row in rows.items():
        row |= scores_of(first, params.get(index, {}))
    for of, m in found:
        place = f"{of.backend.name} P={of.cpus}"
        for t in m.tasks:
            row = rows.setdefault(t.index, {"task": t.index})
            row[f"seconds {place}"] = round(t.ended - t.started, 6)
            if t.steps:
                row |= {f"steps {place}": t.steps, f"loss {place}": t.loss}
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    return _csv(names, [[row.get(name, "") for name in names] for row in rows.values()])


def _csv(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue().encode()
