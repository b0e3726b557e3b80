"""The JSON form of a raw line; reading it is by name, because a report reads ten thousand of them.

A line is `{"kind": "measurement" | "quality", "schema": 1, ...fields of the model}`. Task stamps are rows
`[index, started, ended, worker, steps, loss, points, error, tries]`, cut after the last field that is not
its default: a bag of 200 tasks then takes 6 kB instead of 25. `export` writes the JSON schema of it.
"""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from raybench.model.errors import BadStore
from raybench.model.measurement import (
    Details,
    Disturbance,
    HeadUsed,
    LadderPoint,
    Measurement,
    Phases,
    Quality,
    TaskStamp,
    WorkerSeen,
)
from raybench.model.plan import SCHEMA, Status
from raybench.model.serialize import from_json, to_json
from raybench.store.schema_1 import SCHEMA_1, modernise_line

STAMP_FIELDS = tuple(f.name for f in dataclasses.fields(TaskStamp))
STAMP_DEFAULTS = tuple(f.default for f in dataclasses.fields(TaskStamp))

Key = tuple[str, int, int, int] | tuple[str, str, int]


def encode(line: Measurement | Quality) -> str:
    """Write a line as compact JSON without the newline; fields keep the order of the model."""
    record: dict[str, Any] = {"kind": "measurement" if isinstance(line, Measurement) else "quality"}
    record["schema"] = line.schema
    if isinstance(line, Measurement):
        record |= to_json(dataclasses.replace(line, tasks=()))
        record["tasks"] = [_stamp_row(stamp) for stamp in line.tasks]
    else:
        record |= to_json(line)
    return json.dumps(record, separators=(",", ":"))


def decode(record: Any, *, where: str) -> Measurement | Quality:
    """Rebuild a line; `where` is file and line for the message of BadStore."""
    if not isinstance(record, dict) or record.get("kind") not in ("measurement", "quality"):
        raise BadStore(f"{where}: no line of raybench; expected an object with kind measurement or quality")
    if record.get("schema") == SCHEMA_1:
        record = modernise_line(record) | {"schema": SCHEMA}
    if record.get("schema") != SCHEMA:
        raise BadStore(
            f"{where}: schema {record.get('schema')!r}, expected {SCHEMA}; "
            "read it with the version of raybench that wrote it (commit in environment.json)"
        )
    fields = {name: value for name, value in record.items() if name != "kind"}
    try:
        return _measurement(fields) if record["kind"] == "measurement" else _quality(fields)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise BadStore(
            f"{where}: not a {record['kind']} line ({error}); restore the file from version control"
        ) from error


def _stamp_row(stamp: TaskStamp) -> list[Any]:
    row = [getattr(stamp, name) for name in STAMP_FIELDS]
    while row[-1] == STAMP_DEFAULTS[len(row) - 1]:
        row.pop()
    return row


def _stamp(row: Sequence[Any]) -> TaskStamp:
    if len(row) > len(STAMP_FIELDS):
        raise ValueError(f"a task stamp has at most {len(STAMP_FIELDS)} fields, not {len(row)}")
    named = dict(zip(STAMP_FIELDS, row, strict=False))
    if "points" in named:
        named["points"] = tuple((steps, loss, at) for steps, loss, at in named["points"])
    return TaskStamp(**named)


def _measurement(fields: dict[str, Any]) -> Measurement:
    """Build by name: `from_json` walks annotations and takes several times as long."""
    fields["status"] = Status(fields["status"])
    fields["tasks"] = tuple(map(_stamp, fields.get("tasks", ())))
    fields["ladder"] = tuple(LadderPoint(**point) for point in fields.get("ladder", ()))
    fields["workers_seen"] = tuple(WorkerSeen(**seen) for seen in fields.get("workers_seen", ()))
    fields["nodes_seen"] = tuple(fields.get("nodes_seen", ()))
    fields["phases"] = Phases(**fields.get("phases", {}))
    fields["disturbance"] = Disturbance(**fields.get("disturbance", {}))
    if fields.get("head") is not None:
        fields["head"] = from_json(HeadUsed, fields["head"])
    fields["details"] = from_json(Details, fields.get("details", {}))
    return Measurement(**fields)


def _quality(fields: dict[str, Any]) -> Quality:
    for name in ("baseline_errors", "tuned_errors"):
        fields[name] = tuple(fields.get(name, ()))
    return Quality(**fields)


def describe(key: Key) -> str:
    """Name a line by its key, for messages."""
    if len(key) == 4:
        return "measurement (cell {}, block {}, replica {}, attempt {})".format(*key)
    return "quality (workload {}, arm {}, pair {})".format(*key)
