"""Fit a random-forest classifier for every point of a grid, on a made classification table."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.answers import demand_equal, remember
from raybench.workloads.base import Workload, threads

FEATURES, INFORMATIVE = 20, 15
TEST_SHARE = 0.2


@dataclass(frozen=True, kw_only=True)
class RfGrid(Workload):
    """Try trees x depths x splits configurations, one per task (3 x 3 x 3 is 27); an answer is the test predictions."""

    rows: int
    trees: Sequence[int]
    depths: Sequence[int | None]
    splits: Sequence[int]

    def tasks(self, seed: int) -> list[Task]:
        grid = itertools.product(self.trees, self.depths, self.splits)
        return [
            Task(index=i, params={"n_estimators": t, "max_depth": d, "min_samples_split": s, "random_state": seed})
            for i, (t, d, s) in enumerate(grid)
        ]

    def data(self, seed: int) -> dict[str, npt.NDArray[Any]]:
        """Make the table and split it. x : (rows, 20) float64, y : (rows,) int64."""
        table = self._split(seed)
        return {"x": table[0], "y": table[2], "x_test": table[1]}

    def run(self, task: Task, context: Mapping[str, npt.NDArray[Any]]) -> Iterator[Progress]:
        model = self.fit(task, context["x"], context["y"])
        model.set_params(n_jobs=1)  # threads would add the trees' votes in the order in which they finish
        yield Progress(answer=model.predict(context["x_test"]).astype(np.uint8))

    def fit(self, task: Task, x: Any, y: npt.NDArray[Any]) -> RandomForestClassifier:
        return RandomForestClassifier(**task.params, n_jobs=threads()).fit(x, y)

    def columns(self) -> list[str]:
        return [f"x{i}" for i in range(FEATURES)]

    def parts(self, seed: int) -> dict[str, tuple[Any, Any]]:
        x, x_test, y, y_test = self._split(seed)
        return {"train": (x, y), "test": (x_test, y_test)}

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Compare with forests fitted in a driver, one after another, once per machine."""

        def refit() -> npt.NDArray[Any]:
            data = self.data(seed)
            return np.stack([next(self.run(task, data)).answer for task in tasks])

        demand_equal("rf_grid", results, list(remember(self, seed, ["scikit-learn"], refit)))

    def score(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> dict[str, float]:
        """Return accuracies on the test rows; the best of many is flattered by having been chosen there."""
        truth = self._split(seed)[3]
        accuracies = [float(np.mean(r.answer == truth)) for r in results]
        return {"accuracy_best": max(accuracies), "accuracy_mean": float(np.mean(accuracies))}

    def warm_up(self, seed: int) -> list[Task]:
        params = {"n_estimators": 1, "max_depth": 1, "min_samples_split": 2, "random_state": seed}
        return [Task(index=0, params=params)]

    def facts(self, tasks: Sequence[Task], results: Sequence[TaskResult]) -> dict[str, Any]:
        return {"configurations": len(tasks)}

    def _split(self, seed: int) -> list[npt.NDArray[Any]]:
        x, y = make_classification(
            n_samples=self.rows, n_features=FEATURES, n_informative=INFORMATIVE, random_state=seed
        )
        return list(train_test_split(x, y, test_size=TEST_SHARE, random_state=seed, stratify=y))
