"""plan.json: each cell, each set of limits and each cluster once, each job as one row that refers to them."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from raybench.model.errors import BadStore
from raybench.model.plan import SCHEMA, Cell, Cluster, Job, Limits, Plan, Skip
from raybench.model.serialize import digest, from_json, to_json
from raybench.store import json_file
from raybench.store.schema_1 import SCHEMA_1, modernise_cell, modernise_limits

PLAN = "plan.json"
JOB_FIELDS = tuple(f.name for f in dataclasses.fields(Job))
REFERENCES = ("cell", "limits", "cluster")  # fields of a job that its row only refers to
SEAL = "sha256"  # over the rest of the document, so that an edited plan is noticed


def write_plan(folder: Path, plan: Plan) -> None:
    """Write plan.json with the hash of its own content."""
    limits: list[Any] = []
    clusters: list[Any] = []
    rows = [_job_row(job, limits, clusters) for job in plan.jobs]
    document = to_json(dataclasses.replace(plan, jobs=(), skips=()))
    document |= {
        "cells": {cell.key: to_json(cell) for cell in plan.cells},
        "clusters": clusters,
        "job_fields": list(JOB_FIELDS),
        "jobs": rows,
        "limits": limits,
        "skips": [{"cell": skip.cell.key, "reason": skip.reason} for skip in plan.skips],
    }
    document |= {SEAL: digest(document), "jobs": "@jobs"}
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    text = json_file.pretty(document).replace('"@jobs"', f"[\n{lines}\n ]" if rows else "[]", 1)
    json_file.write_text(folder / PLAN, text)


def read_plan(folder: Path) -> Plan:
    """Read plan.json; BadStore if it is absent, damaged, edited, or of a schema that is not understood."""
    path = folder / PLAN
    document = json_file.read_document(path)
    try:
        if document["schema"] == SCHEMA and document.pop(SEAL, None) != digest(document):
            raise ValueError("its content and its hash differ: it was edited")
        return _plan(document)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, RecursionError) as error:
        said = f"lacks {error}" if isinstance(error, KeyError) else error
        raise BadStore(f"{path}: not a plan ({said}); restore the file from version control") from error


def _plan(document: dict[str, Any]) -> Plan:
    old = document["schema"] == SCHEMA_1
    cells = {key: _cell(key, value, old=old) for key, value in document.pop("cells").items()}
    limits = [from_json(Limits, modernise_limits(value) if old else value) for value in document.pop("limits")]
    clusters = [from_json(Cluster, value) for value in document.pop("clusters")]
    names = document.pop("job_fields")
    jobs = []
    for row in document.pop("jobs"):
        named = dict(zip(names, row, strict=True))
        cell, limit, cluster = (named[name] for name in REFERENCES)
        jobs.append(dataclasses.replace(_job(named), cell=cells[cell], limits=limits[limit], cluster=clusters[cluster]))
    skips = tuple(Skip(cell=cells[skip["cell"]], reason=skip["reason"]) for skip in document.pop("skips"))
    plan = from_json(Plan, document | {"jobs": (), "skips": (), "schema": SCHEMA})
    return dataclasses.replace(plan, jobs=tuple(jobs), skips=skips)


def _cell(key: str, value: Any, *, old: bool) -> Cell:
    cell = modernise_cell(key, value) if old else from_json(Cell, value)
    if cell.key != key:
        raise ValueError(f"cell {key} has the key {cell.key}: it was edited, or written by another version")
    return cell


_ANY_CELL = {"workload": {"name": "", "target": ""}, "backend": {"name": "", "target": ""}, "workers": 1}


def _job(named: dict[str, Any]) -> Job:
    """Check a job's own values; what it refers to is put in by the caller."""
    own = {name: value for name, value in named.items() if name not in REFERENCES}
    return from_json(Job, own | {"cell": _ANY_CELL})


def _job_row(job: Job, limits: list[Any], clusters: list[Any]) -> list[Any]:
    values = {name: to_json(getattr(job, name)) for name in JOB_FIELDS if name not in REFERENCES}
    values |= {
        "cell": job.cell.key,
        "limits": _place(to_json(job.limits), limits),
        "cluster": _place(_public(job.cluster), clusters),
    }
    return [values[name] for name in JOB_FIELDS]


def _public(cluster: Cluster) -> Any:
    """Return a cluster without its address: raw data are public, and whoever goes on with a run has its own plan."""
    return to_json(dataclasses.replace(cluster, address="<address>" if cluster.address else None))


def _place(value: Any, known: list[Any]) -> int:
    if value not in known:
        known.append(value)
    return known.index(value)
