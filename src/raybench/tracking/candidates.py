"""Which configuration of a run is promoted: the best by validation error, fitted again, with its errors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pandas as pd
import xgboost as xgb
from sklearn.model_selection import train_test_split

from raybench.execution.measure import load_workload
from raybench.model.errors import BadSettings, raised_by
from raybench.model.measurement import Task
from raybench.model.plan import Cell, Spec
from raybench.model.serialize import digest
from raybench.tracking.recorded import Recorded, Tasks, shown
from raybench.workloads.base import answer_hash

VALIDATION_SHARE = 0.2  # of the training rows, where a workload has no validation rows of its own
TRAIN, VALIDATION, TEST = "train", "validation", "test"
Array = npt.NDArray[Any]


@runtime_checkable
class Promotable(Protocol):
    """What a workload must offer beside its tasks, so that one of its models can be promoted."""

    def fit(self, task: Task, x: Any, y: Array) -> Any:
        """Return the fitted model of a task: an estimator of scikit-learn or a booster of XGBoost."""
        ...

    def columns(self) -> list[str]:
        """Return the names of the columns of x."""
        ...

    def parts(self, seed: int) -> Mapping[str, tuple[Any, Array]]:
        """Return (x, y) of the rows of `train`, `test` and, if it has them, `validation`."""
        ...


class Error(StrEnum):
    """How predictions are judged; smaller is better."""

    RMSE = "rmse"
    ERROR_RATE = "error_rate"

    def of(self, y: Array, predicted: Array) -> float:
        """Compute the error: in units of the target, or as the share of wrong rows."""
        if self is Error.ERROR_RATE:
            return float(np.mean(np.asarray(predicted) != y))
        return float(np.sqrt(np.mean(np.square(np.asarray(predicted, dtype=np.float64) - y))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """One table in the parts `train`, `validation` and `test`. data : hash over all of it, split included."""

    x: Mapping[str, pd.DataFrame]
    y: Mapping[str, Array]
    error: Error
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The chosen configuration. recorded : its validation error in the raw lines; None where they hold none."""

    workload: Spec
    task: Task
    rows: Rows
    model: Any
    validation: float
    test: float
    recorded: float | None
    of: int  # configurations that it was chosen from

    @property
    def key(self) -> str:
        """Name the configuration and its rows: the same one is not registered twice."""
        return digest([self.workload.identity, dict(self.task.params), self.task.steps, self.rows.data])[:12]

    def predicted(self, x: pd.DataFrame) -> Array:
        """Return the fitted model's predictions."""
        return predict(self.model, x)


def choose(run: Recorded, name: str) -> Candidate:
    """Choose the best configuration of a workload by validation error and fit it on the training rows.

    The error is the recorded one where the run was a search; else every model is fitted and judged on validation rows
    that are carved out of the training rows. Raises BadSettings where there is nothing to choose.
    """
    cells = [cell for cell in run.plan.cells if cell.workload.name == name]
    if not cells:
        known = ", ".join(sorted({cell.workload.name for cell in run.plan.cells}))
        raise BadSettings(f"{run.key} has no workload {name!r}; it has {known}")
    workload = load_workload(cells[0].workload)
    if not isinstance(workload, Promotable):
        raise BadSettings(f"{name} trains no model that could be promoted; a workload that can offers fit and parts")
    tasks, losses = _recorded(run, cells)
    with raised_by(f"{name}: fitting"):
        rows = _rows(workload, run.plan.seed)
        fitted = _fitted(workload, tasks, losses, rows)
    task, model, validation = min(fitted, key=lambda one: (one[2], one[0].index))
    test = rows.error.of(rows.y[TEST], predict(model, rows.x[TEST]))
    return Candidate(
        workload=cells[0].workload,
        task=task,
        rows=rows,
        model=model,
        validation=validation,
        test=test,
        recorded=losses.get(task.index),
        of=len(losses) or len(tasks),
    )


def predict(model: Any, x: pd.DataFrame) -> Array:
    """Return a model's predictions; XGBoost's booster takes a matrix of its own."""
    return np.asarray(model.predict(xgb.DMatrix(x) if isinstance(model, xgb.Booster) else x))


def _recorded(run: Recorded, cells: Sequence[Cell]) -> tuple[Mapping[int, Task], dict[int, float]]:
    """Return the tasks, and the validation error of those that a good measurement trained in full."""
    known = Tasks(run.plan.seed)
    tasks: Mapping[int, Task] = {}
    losses: dict[int, float] = {}
    for cell in cells:
        m = shown(run.lines(cell))
        if m is None:
            continue
        tasks = known.of(cell.workload, m)
        full = {t.index: t.loss for t in m.tasks if t.index in tasks and t.steps == (tasks[t.index].steps or t.steps)}
        losses |= {index: loss for index, loss in full.items() if loss is not None}
    if known.faults:
        raise BadSettings(f"{known.faults[0]}; measure it anew")
    if not tasks:
        raise BadSettings(f"{run.key} has no good measurement of {cells[0].workload.name}; measure it first")
    return tasks, losses


def _fitted(
    workload: Promotable, tasks: Mapping[int, Task], losses: Mapping[int, float], rows: Rows
) -> Iterator[tuple[Task, Any, float]]:
    """Yield each configuration that is in question, fitted, with its validation error."""
    best = [min(losses, key=lambda index: (losses[index], index))] if losses else sorted(tasks)
    for index in best:
        model = workload.fit(tasks[index], rows.x[TRAIN], rows.y[TRAIN])
        yield tasks[index], model, rows.error.of(rows.y[VALIDATION], predict(model, rows.x[VALIDATION]))


def _rows(workload: Promotable, seed: int) -> Rows:
    names = workload.columns()
    parts = {part: (_frame(x, names), np.asarray(y)) for part, (x, y) in workload.parts(seed).items()}
    error = Error.RMSE if np.issubdtype(parts[TRAIN][1].dtype, np.floating) else Error.ERROR_RATE
    if VALIDATION not in parts:
        x, y = parts[TRAIN]
        stratify = y if error is Error.ERROR_RATE else None
        pieces = train_test_split(x, y, test_size=VALIDATION_SHARE, random_state=seed, stratify=stratify)
        parts |= {TRAIN: (pieces[0], pieces[2]), VALIDATION: (pieces[1], pieces[3])}
    hashes = {part: [pd.util.hash_pandas_object(x).to_numpy(), y] for part, (x, y) in parts.items()}
    return Rows(
        x={part: x for part, (x, _) in parts.items()},
        y={part: y for part, (_, y) in parts.items()},
        error=error,
        data=answer_hash(hashes),
    )


def _frame(x: Any, names: Sequence[str]) -> pd.DataFrame:
    """Name the columns; numbers as float64, which a request in JSON has too."""
    frame = pd.DataFrame(x, columns=list(names))
    return frame.astype({name: np.float64 for name in names if pd.api.types.is_numeric_dtype(frame[name])})
