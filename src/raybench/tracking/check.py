"""What of a run is in the tracking store, asked of the store again; kept beside the raw data, for the claims."""

from collections.abc import Sequence
from pathlib import Path

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Run

from raybench.model.clock import calendar_stamp
from raybench.model.tracking import Counted, LoadedModel
from raybench.store.tracking_file import record_counts, record_loaded
from raybench.tracking import model_file
from raybench.tracking.candidates import TEST, Candidate
from raybench.tracking.entry import Entry
from raybench.tracking.recorded import Recorded, shown

CELL = "raybench.cell"  # the tag of a cell and of its trials
FINISHED = "FINISHED"


def record_tracked(folder: Path, entry: Entry, runs: Sequence[Run]) -> None:
    """Record, cell by cell, what is expected of a run and what the store holds.

    runs : of this run, just read from it.
    """
    record_counts(folder, count(entry, runs), checked=calendar_stamp(), tracker=_tracker())


def count(entry: Entry, runs: Sequence[Run]) -> tuple[Counted, ...]:
    """Count the entries of each cell and of its trials or models; a run that is not finished does not count."""
    there: dict[str, list[Run]] = {}
    for run in runs:
        if run.info.status == FINISHED:
            there.setdefault(run.data.tags.get(CELL, ""), []).append(run)
    return tuple(_count(cell, there.get(cell.tags[CELL], [])) for cell in entry.children)


def _count(cell: Entry, runs: Sequence[Run]) -> Counted:
    entries = [cell, *cell.children]
    return Counted(
        cell=cell.tags[CELL],
        expected={
            "runs": len(entries),
            "parameters": sum(len(one.params) for one in entries),
            "metrics": sum(len({value.name for value in one.finite}) for one in entries),
        },
        found={
            "runs": len(runs),
            "parameters": sum(len(run.data.params) for run in runs),
            "metrics": sum(len(run.data.metrics) for run in runs),
        },
    )


def record_promoted(folder: Path, run: Recorded, candidate: Candidate, client: MlflowClient, alias: str) -> None:
    """Load the model that holds the alias and record on how many test rows it predicts what the promoted one does."""
    name = candidate.workload.name
    version = client.get_model_version_by_alias(name, alias)
    rows = candidate.rows.x[TEST]
    with model_file.opened(version) as model:
        again = np.asarray(model.predict(rows))
    found = LoadedModel(
        workload=name,
        uri=f"models:/{name}@{alias}",
        version=str(version.version),
        better=_better(run, candidate),
        rows=len(rows),
        equal=int(np.count_nonzero(again == candidate.predicted(rows))),
    )
    record_loaded(folder, found, checked=calendar_stamp(), tracker=_tracker())


def _better(run: Recorded, candidate: Candidate) -> int:
    """Count the configurations with a smaller validation error, over the measurements that ran all of them in full."""
    whole = [
        m
        for cell in run.plan.cells
        if cell.workload.name == candidate.workload.name
        and (m := shown(run.lines(cell)))
        and m.steps_done == m.steps_asked
    ]
    losses = {t.index: t.loss for m in whole for t in m.tasks if t.loss is not None}
    mine = losses.get(candidate.task.index)
    return 0 if mine is None else sum(loss < mine for loss in losses.values())


def _tracker() -> str:
    return f"mlflow {mlflow.__version__}"
