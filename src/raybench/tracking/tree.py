"""The tree of a run: the study's run, a child per cell, a grandchild per trial or model of a search or a training."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from raybench.model.measurement import Measurement, Task, TaskStamp
from raybench.model.plan import Cell, Status
from raybench.model.serialize import digest, to_json
from raybench.tracking import tables
from raybench.tracking.entry import Entry, Value
from raybench.tracking.recorded import Recorded, Tasks, shown
from raybench.tracking.values import makespan_began, of_cell, of_qualities, of_task

FORM = 1  # raised where the same lines are to be told in another way
LONGEST = 500  # characters of a parameter or a tag: older stores take no more


def tree(run: Recorded, files: Mapping[str, bytes], known: Tasks) -> Entry:
    """Return the run as entries. files : of its report, path -> content."""
    cells = tuple(_cell(run, cell, known) for cell in run.plan.cells if run.lines(cell))
    lines = len(run.loaded.measurements) + len(run.loaded.samples) + len(run.loaded.qualities)
    end = run.at_ms(max((m.began + m.phases.cold for m in run.loaded.measurements), default=0.0))
    counts = [Value(name=name, value=value, step=lines, at_ms=end) for name, value in _counts(run, len(cells)).items()]
    plan = run.plan
    return Entry(
        key=run.key,
        name=run.folder.resolve().name,
        content=digest([FORM, lines, {name: _hash(data) for name, data in files.items()}]),
        began_ms=run.at_ms(),
        ended_ms=end,
        params=_texts({name: getattr(plan, name) for name in ("study", "seed", "blocks", "usable_cpus", "controls")}),
        values=(*counts, *of_qualities(run)),
        tags=_tags(run),
        files={**files, **tables.models(run, known)},
        children=cells,
    )


def _counts(run: Recorded, cells: int) -> dict[str, float]:
    lines = run.loaded.measurements
    return {
        "cells": float(cells),
        "cells/skipped": float(len(run.plan.skips)),
        "measurements": float(len(lines)),
        **{f"measurements/{status}": float(sum(m.status is status for m in lines)) for status in Status},
        "samples": float(len(run.loaded.samples)),
        "quality_pairs": float(len(run.loaded.qualities)),
    }


def _tags(run: Recorded) -> dict[str, str]:
    found = {
        "machine": run.environment.machine,
        "commit": commit_of(run),
        "command": run.environment.command,
        **{f"identity.{name}": value for name, value in run.environment.identity.items()},
    }
    return {f"raybench.{name}": value[:LONGEST] for name, value in found.items() if value}


def commit_of(run: Recorded) -> str:
    """Return the commit of the code that measured, or `unknown`."""
    return str(run.environment.facts.get("code", {}).get("commit", "unknown"))


def _cell(run: Recorded, cell: Cell, known: Tasks) -> Entry:
    lines = run.lines(cell)
    m = shown(lines)
    raw = run.raw.get(cell.key, b"")
    one_by_one = m is not None and tables.has_models(cell)
    tasks = known.of(cell.workload, m) if m is not None and one_by_one else {}
    files = {"lines.jsonl": raw} | ({"tasks.csv": tables.tasks(m)} if m is not None and not one_by_one else {})
    reasons = sorted({line.reason for line in lines if line.reason})
    return Entry(
        key=f"{run.key}/{cell.key}",
        name=f"{cell.workload.name} {cell.backend.name} P={cell.cpus}",
        content=digest([FORM, _hash(raw)]),
        began_ms=run.at_ms(min(line.began for line in lines)),
        ended_ms=run.at_ms(max(line.began + line.phases.cold for line in lines)),
        params=_params(cell),
        values=tuple(of_cell(run, cell)),
        tags={"raybench.cell": cell.key} | ({"raybench.reasons": "; ".join(reasons)[:LONGEST]} if reasons else {}),
        files=files,
        children=tuple(_trial(run, cell, m, stamp, tasks) for stamp in m.tasks) if m is not None and one_by_one else (),
    )


def _params(cell: Cell) -> dict[str, str]:
    shape = {name: getattr(cell, name) for name in ("workers", "cpus_per_task", "gpus", "cpus")}
    named = {"workload": cell.workload.name, "backend": cell.backend.name, "role": str(cell.backend.role), **shape}
    named |= {f"workload.{name}": value for name, value in cell.workload.params.items()}
    named |= {f"backend.{name}": value for name, value in cell.backend.params.items() if name != "flags"}
    return _texts(named)


def _trial(run: Recorded, cell: Cell, m: Measurement, stamp: TaskStamp, tasks: Mapping[int, Task]) -> Entry:
    task = tasks.get(stamp.index)
    params = dict(task.params) if task is not None else {}
    words = [value for value in params.values() if isinstance(value, str)]
    told = {"workload": cell.workload.name, "backend": cell.backend.name, "cpus": cell.cpus, "task": stamp.index}
    if task is not None and task.steps is not None:
        told["steps_asked"] = task.steps
    began_s = m.began + makespan_began(m)
    return Entry(
        key=f"{run.key}/{cell.key}/{stamp.index}",
        name=words[0] if len(words) == 1 else f"task {stamp.index}",
        content=digest([FORM, to_json(stamp), to_json(params)]),
        began_ms=run.at_ms(began_s + stamp.started),
        ended_ms=run.at_ms(began_s + stamp.ended),
        params=_texts(told | params),
        values=tuple(of_task(run, m, stamp, params)),
        tags={"raybench.cell": cell.key, "raybench.block": str(m.block)},
    )


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Write parameters as text: words as they are, all else as JSON."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    return {name: text[:LONGEST] for name, text in texts.items()}


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
