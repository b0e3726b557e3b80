"""Raw data for other tools: one row per measurement as parquet or csv, and the JSON schema of a raw line."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from raybench.model.errors import BadSettings
from raybench.model.measurement import Measurement, Phases
from raybench.model.plan import SCHEMA, Cell, Plan
from raybench.model.serialize import to_json
from raybench.store.raw_line import KINDS

FORMATS = ("parquet", "csv")
PHASES = tuple(f.name for f in dataclasses.fields(Phases) if f.name != "start_parts")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the export: its name, pandas type and meaning."""

    name: str
    dtype: str
    about: str


COLUMNS = (
    Column(name="workload", dtype="string", about="name of the workload"),
    Column(name="backend", dtype="string", about="name of the backend"),
    Column(name="cpus", dtype="int64", about="P: cores granted to the whole process tree"),
    Column(name="workers", dtype="int64", about="workers asked for"),
    Column(name="cpus_per_task", dtype="int64", about="cores asked for per task"),
    Column(name="gpus", dtype="float64", about="GPUs granted to the whole cell"),
    Column(name="cell", dtype="string", about="key of the cell: 12 hex digits over everything in it"),
    Column(name="block", dtype="int64", about="pass through all cells, from 0"),
    Column(name="replica", dtype="int64", about="2 is the second of an A/A pair"),
    Column(name="attempt", dtype="int64", about="2 and 3 repeat a disturbed measurement"),
    Column(name="status", dtype="string", about="ok, skipped, failed, timed_out or disturbed"),
    Column(name="reason", dtype="string", about="why it is not ok, or ''"),
    Column(name="order", dtype="int64", about="place within the block"),
    Column(name="index", dtype="int64", about="running number within the run"),
    Column(name="extra", dtype="bool", about="of a top-up block, added after the planned blocks"),
    Column(name="began_s", dtype="float64", about="seconds since the run began"),
    *(Column(name=f"{name}_s", dtype="float64", about=f"seconds of the phase {name}") for name in PHASES),
    Column(name="cold_s", dtype="float64", about="all phases but data and check, in seconds"),
    Column(name="start_parts", dtype="string", about="parts of start-up in seconds, as JSON"),
    Column(name="cpu_s", dtype="float64", about="CPU seconds of the whole process tree"),
    Column(name="cpu_makespan_s", dtype="float64", about="the same, within the makespan"),
    Column(name="cpu_source", dtype="string", about="where the CPU seconds were read"),
    Column(name="peak_rss_bytes", dtype="Int64", about="largest resident set of the tree, bytes"),
    Column(name="memory_source", dtype="string", about="where the memory was read"),
    Column(name="tasks", dtype="int64", about="tasks with stamps"),
    Column(name="busy_s", dtype="float64", about="sum of the tasks' own seconds"),
    Column(name="tasks_hash", dtype="string", about="over the task list; equal for every backend"),
    Column(name="answers_hash", dtype="string", about="over the answers"),
    Column(name="steps_asked", dtype="int64", about="steps of all tasks in full"),
    Column(name="steps_done", dtype="int64", about="steps done; fewer means stopped early"),
    Column(name="workers_seen", dtype="int64", about="worker processes that answered"),
    Column(name="nodes_seen", dtype="int64", about="nodes on which tasks ran"),
    Column(name="scores", dtype="string", about="scores by name, as JSON"),
    Column(name="notes", dtype="string", about="what workload and backend added, as JSON"),
    Column(name="foreign_before", dtype="float64", about="CPU share of others just before, 0 to 1"),
    Column(name="foreign_during", dtype="float64", about="CPU share of others meanwhile, 0 to 1"),
    Column(name="steal", dtype="float64", about="share of CPU time that the hypervisor took, 0 to 1"),
    Column(name="throttled", dtype="Int64", about="control-group periods throttled meanwhile"),
    Column(name="swapped_in", dtype="Int64", about="pages swapped in meanwhile"),
    Column(name="disturbance", dtype="string", about="why it counts as disturbed, or ''"),
    Column(name="backend_version", dtype="string", about="library and version"),
)  # fmt: skip


def frame(plan: Plan, measurements: Sequence[Measurement]) -> pd.DataFrame:
    """Return one row per raw line, in their order, with the columns of COLUMNS."""
    cells = {cell.key: cell for cell in plan.cells}
    rows = [_row(cells[m.cell], m) for m in measurements]
    table = pd.DataFrame.from_records(rows, columns=[column.name for column in COLUMNS])
    return table.astype({column.name: column.dtype for column in COLUMNS})


def write(plan: Plan, measurements: Sequence[Measurement], path: Path) -> Path:
    """Write the rows as the suffix of `path` says (.parquet or .csv); columns.json and schema.json beside it."""
    kind = path.suffix.removeprefix(".")
    if kind not in FORMATS:
        raise BadSettings(f"{path}: cannot export as {path.suffix or 'no suffix'!r}; choose from {', '.join(FORMATS)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    table = frame(plan, measurements)
    if kind == "parquet":
        table.to_parquet(path, index=False, engine="pyarrow")
    else:
        table.to_csv(path, index=False, lineterminator="\n")
    documented = [dataclasses.asdict(column) for column in COLUMNS]
    path.with_name("columns.json").write_text(json.dumps(documented, indent=1) + "\n", encoding="utf-8")
    path.with_name("schema.json").write_text(json.dumps(schema(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def _row(cell: Cell, m: Measurement) -> dict[str, Any]:
    disturbance = m.disturbance
    return {
        "workload": cell.workload.name, "backend": cell.backend.name, "cpus": cell.cpus, "workers": cell.workers,
        "cpus_per_task": cell.cpus_per_task, "gpus": cell.gpus, "cell": m.cell, "block": m.block,
        "replica": m.replica, "attempt": m.attempt, "status": str(m.status), "reason": m.reason, "order": m.order,
        "index": m.index, "extra": m.extra, "began_s": m.began,
        **{f"{name}_s": getattr(m.phases, name) for name in PHASES},
        "cold_s": m.phases.cold, "start_parts": _json(m.phases.start_parts), "cpu_s": m.cpu_s,
        "cpu_makespan_s": m.cpu_makespan_s, "cpu_source": m.cpu_source, "peak_rss_bytes": m.peak_rss_bytes,
        "memory_source": m.memory_source, "tasks": len(m.tasks), "busy_s": sum(t.ended - t.started for t in m.tasks),
        "tasks_hash": m.tasks_hash, "answers_hash": m.answers_hash, "steps_asked": m.steps_asked,
        "steps_done": m.steps_done, "workers_seen": len(m.workers_seen), "nodes_seen": len(m.nodes_seen),
        "scores": _json(m.scores), "notes": _notes(m), "foreign_before": disturbance.background_before,
        "foreign_during": disturbance.background_during, "steal": disturbance.steal, "throttled": disturbance.throttled,
        "swapped_in": disturbance.swapped_in, "disturbance": disturbance.reason, "backend_version": m.backend_version,
    }  # fmt: skip


def _notes(m: Measurement) -> str:
    told = {name: value for name, value in to_json(m.details).items() if value not in (None, [])}
    return _json({**m.facts, **told, **({"head": to_json(m.head)} if m.head else {})})


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


# --- the JSON schema of a raw line ----------------------------------------------------------------


def schema() -> dict[str, Any]:
    """Return the JSON schema (2020-12) of a line of measurements.jsonl, made from the model's own types."""
    lines, parts = msgspec.json.schema_components(KINDS.values(), ref_template="#/$defs/{name}")
    for part in parts.values():
        if "properties" in part:
            part["additionalProperties"] = False  # the reader refuses what it does not know
    for name, kind in KINDS.items():
        described = parts[kind.__name__]
        described["properties"] |= {"kind": {"const": name}, "schema": {"const": SCHEMA}}
        described["required"] = sorted({*described["required"], "kind", "schema"})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "a raw line of raybench",
        "oneOf": list(lines),
        "$defs": parts,
    }
