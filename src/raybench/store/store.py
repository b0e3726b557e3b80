"""The raw data of a run: append-only JSON Lines, the plan, the environment, and which run is current.

The form of a raw line is in `rawline`. Nothing here knows statistics.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raybench.model.errors import BadStore, StoreInUse
from raybench.model.measurement import Environment, Measurement, Quality
from raybench.model.plan import SCHEMA, Cell, Cluster, Job, Limits, Plan, Skip
from raybench.model.serialize import from_json, to_json
from raybench.store.raw_line import Key, decode, describe, encode
from raybench.store.schema_1 import SCHEMA_1

JOB_FIELDS = tuple(f.name for f in dataclasses.fields(Job))
MEASUREMENTS, PLAN, ENVIRONMENT, CURRENT = "measurements.jsonl", "plan.json", "environment.json", "current"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a store holds, in the order of its lines. `torn`: the last line was cut off and is not counted."""

    measurements: tuple[Measurement, ...]
    qualities: tuple[Quality, ...]
    torn: bool = False


class Store:
    """One file of raw lines. A line that is written is never changed; a torn last one makes way for the next."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: set[Key] | None = None  # None: not read yet
        self._size = 0  # of the file when last seen
        self._end = 0  # bytes of whole lines
        self._newline_missing = False

    def append(self, line: Measurement | Quality) -> None:
        """Write one line with one system call, so that a killed writer leaves at most one torn line."""
        if self._keys is None:
            self.load()
        assert self._keys is not None
        if line.key in self._keys:
            raise BadStore(f"{self.path}: {describe(line.key)} is already there; a finished line is never replaced")
        text = encode(line) + "\n"
        data = ("\n" + text if self._newline_missing else text).encode()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            if os.fstat(descriptor).st_size != self._size:
                raise BadStore(f"{self.path}: somebody else writes to it; hold the run's lock, then read it again")
            if self._end < self._size:
                os.ftruncate(descriptor, self._end)  # drops a torn line, nothing else
            written = os.write(descriptor, data)
            if written < len(data):
                os.ftruncate(descriptor, self._end)
                raise BadStore(f"{self.path}: only {written} of {len(data)} bytes fit; make room on the disk")
        finally:
            os.close(descriptor)
        self._end = self._size = self._end + len(data)
        self._newline_missing = False
        self._keys.add(line.key)

    def load(self) -> Loaded:
        """Read every line; an absent file is an empty store.

        Raises BadStore with file and line for a damaged line that is not the last one, a duplicate key,
        a foreign schema.
        """
        data = self.path.read_bytes() if self.path.exists() else b""
        lines = data.split(b"\n")
        whole = len(lines) if lines[-1] else len(lines) - 1  # a file that ends well ends with an empty piece
        seen: dict[Key, int] = {}
        measurements: list[Measurement] = []
        qualities: list[Quality] = []
        torn = False
        end = 0
        for number, text in enumerate(lines[:whole], start=1):
            try:
                record = json.loads(text)
            except ValueError as error:
                if number != whole:
                    raise BadStore(
                        f"{self.path}:{number}: not a JSON line ({error}); restore the file from version control"
                    ) from error
                torn = True
                break
            line = decode(record, where=f"{self.path}:{number}")
            if line.key in seen:
                raise BadStore(
                    f"{self.path}:{number}: {describe(line.key)} stands in line {seen[line.key]} already; "
                    "two runs were mixed, restore the file from version control"
                )
            seen[line.key] = number
            if isinstance(line, Measurement):
                measurements.append(line)
            else:
                qualities.append(line)
            end += len(text) + 1
        self._newline_missing = not torn and end > len(data)
        self._size, self._end = len(data), min(end, len(data))
        self._keys = set(seen)
        return Loaded(measurements=tuple(measurements), qualities=tuple(qualities), torn=torn)


# --- plan and environment -------------------------------------------------------------------------


def write_plan(folder: Path, plan: Plan) -> None:
    """Write plan.json: each cell, each set of limits and each cluster once, each job as one row that refers to them."""
    limits: list[Any] = []
    clusters: list[Any] = []
    rows = [_job_row(job, limits, clusters) for job in plan.jobs]
    document = to_json(dataclasses.replace(plan, jobs=(), skips=()))
    document |= {
        "cells": {cell.key: to_json(cell) for cell in plan.cells},
        "clusters": clusters,
        "job_fields": list(JOB_FIELDS),
        "jobs": "@jobs",
        "limits": limits,
        "skips": [{"cell": skip.cell.key, "reason": skip.reason} for skip in plan.skips],
    }
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    _write(folder / PLAN, _pretty(document).replace('"@jobs"', f"[\n{lines}\n ]" if rows else "[]", 1))


def read_plan(folder: Path) -> Plan:
    """Read plan.json; BadStore if it is absent, damaged, or of another schema."""
    path = folder / PLAN
    document = _read(path)
    try:
        cells = {key: from_json(Cell, value) for key, value in document.pop("cells").items()}
        for key, cell in cells.items():
            if cell.key != key:
                raise ValueError(f"cell {key} has the key {cell.key}: it was edited, or written by another version")
        limits = [from_json(Limits, value) for value in document.pop("limits")]
        clusters = [from_json(Cluster, value) for value in document.pop("clusters")]
        names = document.pop("job_fields")
        jobs = []
        for row in document.pop("jobs"):
            named = dict(zip(names, row, strict=True))
            named["cell"], named["limits"] = cells[named["cell"]], limits[named["limits"]]
            named["cluster"], named["affinity"] = clusters[named["cluster"]], tuple(named["affinity"])
            jobs.append(Job(**named))
        skips = tuple(Skip(cell=cells[skip["cell"]], reason=skip["reason"]) for skip in document.pop("skips"))
        plan = from_json(Plan, document | {"jobs": (), "skips": ()})
        return dataclasses.replace(plan, jobs=tuple(jobs), skips=skips)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise BadStore(f"{path}: not a plan ({error}); restore the file from version control") from error


def write_environment(folder: Path, environment: Environment) -> None:
    """Write environment.json."""
    _write(folder / ENVIRONMENT, _pretty(to_json(environment)))


def read_environment(folder: Path) -> Environment:
    """Read environment.json; BadStore if it is absent, damaged, or of another schema."""
    document = _read(folder / ENVIRONMENT)
    try:
        return from_json(Environment, document)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadStore(f"{folder / ENVIRONMENT}: not an environment ({error}); restore it") from error


def _job_row(job: Job, limits: list[Any], clusters: list[Any]) -> list[Any]:
    values = {name: getattr(job, name) for name in JOB_FIELDS} | {
        "cell": job.cell.key,
        "limits": _place(to_json(job.limits), limits),
        "cluster": _place(to_json(job.cluster), clusters),
    }
    return list(values.values())


def _place(value: Any, known: list[Any]) -> int:
    if value not in known:
        known.append(value)
    return known.index(value)


def _pretty(document: Any) -> str:
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".draft")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)  # a reader sees the old file or the new one, never half of it


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise BadStore(f"{path}: does not exist; a run's folder holds {PLAN}, {ENVIRONMENT} and {MEASUREMENTS}")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadStore(f"{path}: not JSON ({error}); restore the file from version control") from error
    if not isinstance(document, dict) or document.get("schema") not in (SCHEMA_1, SCHEMA):
        found = document.get("schema") if isinstance(document, dict) else None
        raise BadStore(f"{path}: schema {found!r}, expected {SCHEMA}; read it with the raybench that wrote it")
    return document | {"schema": SCHEMA}


# --- folders --------------------------------------------------------------------------------------


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold a run's folder against other writers; the kernel lets go of it when this process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)  # the folder itself: no lock file is left behind
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreInUse(f"{folder}: another raybench run writes here; wait for it, or end it first") from error
        yield
    finally:
        os.close(descriptor)


def runs(reports: Path) -> list[Path]:
    """Find the runs below `reports/raw/<machine>/<study>/<run>`, by path; the last run of a study is the newest."""
    return sorted(path.parent for path in reports.glob(f"raw/*/*/*/{PLAN}"))


def current(reports: Path) -> Path | None:
    """Return the run that the report shows, or None where none is named; BadStore if the named one is gone."""
    pointer = reports / CURRENT
    if not pointer.is_file():
        return None
    named = reports / pointer.read_text(encoding="utf-8").strip()
    if not (named / PLAN).is_file():
        raise BadStore(f"{pointer}: names {named}, which holds no {PLAN}; name a run below {reports / 'raw'}")
    return named


def set_current(reports: Path, run: Path) -> None:
    """Name the run that the report shows, by its path relative to `reports`."""
    try:
        relative = run.resolve().relative_to(reports.resolve())
    except ValueError as error:
        raise BadStore(f"{run}: lies outside {reports}; a report shows only runs below it") from error
    _write(reports / CURRENT, relative.as_posix() + "\n")
