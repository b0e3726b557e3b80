"""Cross-validate a classifier on the iris data: one task per fold, in one or more repeats with other folds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from raybench.model.errors import BadSettings
from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.answers import demand_equal, remember
from raybench.workloads.base import Workload, spawn_seeds, threads
from raybench.workloads.tuning import model_seed

MODELS: Mapping[str, Callable[..., ClassifierMixin]] = MappingProxyType(
    {
        "random_forest": lambda seed, trees: RandomForestClassifier(trees, random_state=seed, n_jobs=threads()),
        "logistic_regression": lambda seed, trees: make_pipeline(StandardScaler(), LogisticRegression()),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The whole table: with cross-validation every label trains some fold, so none can be kept from the workers."""

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class KfoldIris(Workload):
    """Predict each held-out fold.

    model : `random_forest` (of `trees` trees) or `logistic_regression` (on scaled columns).
    repeats : cross-validations, each with folds of its own; the source system has one.
    """

    model: str = "random_forest"
    trees: int = 100
    folds: int = 5
    repeats: int = 1

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise BadSettings(f"kfold_iris: model {self.model!r} does not exist; choose from {', '.join(MODELS)}")

    def tasks(self, seed: int) -> list[Task]:
        """List the folds of every repeat; the folds of one repeat share its seed, as cross_val_predict does."""
        seeds = [model_seed(np.random.default_rng(child)) for child in spawn_seeds(seed, self.repeats)]
        folds = [(repeat, fold) for repeat in range(self.repeats) for fold in range(self.folds)]
        return [
            Task(index=i, params={"repeat": repeat, "fold": fold, "seed": seeds[repeat]})
            for i, (repeat, fold) in enumerate(folds)
        ]

    def data(self, seed: int) -> Table:
        return Table(**dict(zip(("x", "y"), load_iris(return_X_y=True), strict=True)))

    def run(self, task: Task, context: Table) -> Iterator[Progress]:
        train, held_out = list(self._folds(task.params["seed"]).split(context.x, context.y))[task.params["fold"]]
        model = MODELS[self.model](task.params["seed"], self.trees)
        model.fit(context.x[train], context.y[train])
        yield Progress(answer=model.predict(context.x[held_out]))

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Compare every fold with scikit-learn's own cross-validation."""
        expected = remember(self, seed, ("scikit-learn",), lambda: self._predicted(seed))
        held_out = self._held_out(tasks)
        rows = [expected[t.params["repeat"]][rows] for t, rows in zip(tasks, held_out, strict=True)]
        demand_equal("kfold_iris", results, rows)

    def score(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> dict[str, float]:
        """Score the mean over folds, as `cross_val_score(...).mean()`."""
        y = self.data(seed).y
        by_fold = [accuracy_score(y[rows], r.answer) for rows, r in zip(self._held_out(tasks), results, strict=True)]
        return {"accuracy": float(np.mean(by_fold))}

    def _folds(self, seed: int) -> StratifiedKFold:
        return StratifiedKFold(n_splits=self.folds, shuffle=True, random_state=seed)

    def _held_out(self, tasks: Sequence[Task]) -> list[npt.NDArray[np.int64]]:
        table = self.data(0)
        splits = {s: list(self._folds(s).split(table.x, table.y)) for s in {t.params["seed"] for t in tasks}}
        return [splits[t.params["seed"]][t.params["fold"]][1] for t in tasks]

    def _predicted(self, seed: int) -> npt.NDArray[Any]:
        """Cross-validate in one call per repeat: (repeats, rows) labels."""
        table = self.data(seed)
        seeds = [t.params["seed"] for t in self.tasks(seed) if t.params["fold"] == 0]
        return np.stack(
            [cross_val_predict(MODELS[self.model](s, self.trees), table.x, table.y, cv=self._folds(s)) for s in seeds]
        )
