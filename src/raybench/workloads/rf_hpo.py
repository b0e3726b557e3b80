"""Tune a random forest on scikit-learn's diabetes data: one task grows one drawn configuration.

A configuration's n_estimators is its budget in steps; the forest grows by warm start from rung to rung.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor

from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads import tuning
from raybench.workloads.base import Workload, spawn_seeds, threads
from raybench.workloads.tuning import Answer, Floats, Rows, Split

LIBRARY_TREES = 100  # of the library's default forest, the baseline; its other defaults are left alone


@dataclass(frozen=True, kw_only=True)
class RfHpo(Workload):
    """Grow `configurations` drawn forests and choose by validation error.

    space : bounds of n_estimators, max_depth and min_samples_split, all whole numbers.
    """

    configurations: int
    space: Mapping[str, Sequence[float]]
    rungs: Sequence[int]
    resplits: int = 0

    def tasks(self, seed: int) -> list[Task]:
        return [self._drawn(i, child) for i, child in enumerate(spawn_seeds(seed, self.configurations))]

    def data(self, seed: int) -> Rows:
        return self.split(seed).rows

    def run(self, task: Task, context: Rows) -> Iterator[Progress]:
        assert task.steps is not None
        forest = _forest(task, warm_start=True)
        sums = {"validation": np.zeros(len(context.x_validation)), "test": np.zeros(len(context.x_test))}
        done = 0
        for stop in tuning.stops(self.rungs, task.steps):
            forest.set_params(n_estimators=stop).fit(context.x_train, context.y_train)
            for tree in forest.estimators_[done:]:  # the new trees only, else validating costs rungs x trees
                sums["validation"] += tree.predict(context.x_validation, check_input=False)
                sums["test"] += tree.predict(context.x_test, check_input=False)
            done = stop
            loss = tuning.rmse(context.y_validation, sums["validation"] / done)
            answer = {part: total / done for part, total in sums.items()} if done == task.steps else None
            yield Progress(steps=done, loss=loss, answer=answer)

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        tuning.check(self, tasks, results, seed)

    def score(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> dict[str, float]:
        return tuning.score(self, tasks, results, seed)

    def warm_up(self, seed: int) -> list[Task]:
        return [Task(index=0, params={"max_depth": 2, "min_samples_split": 2, "seed": 0}, steps=2)]

    def baseline(self, seed: int) -> Task:
        rng = np.random.default_rng(spawn_seeds(seed, 1, stream=tuning.BASELINE)[0])
        params = {"n_estimators": LIBRARY_TREES, "max_depth": None, "min_samples_split": 2}
        return Task(index=0, params={**params, "seed": tuning.model_seed(rng)}, steps=LIBRARY_TREES)

    def parts(self, seed: int) -> dict[str, tuple[Floats, Floats]]:
        return tuning.parts(self.split(seed))

    def row_errors(self, answer: Answer, seed: int) -> npt.NDArray[np.float64]:
        return tuning.row_errors(self, answer, seed)

    def reference_models(self, seed: int) -> dict[str, Task]:
        return {}

    def split(self, seed: int) -> Split:
        x, y = load_diabetes(return_X_y=True)
        return tuning.divide(x, y, seed)

    def fit(self, task: Task, x: Any, y: Floats) -> RandomForestRegressor:
        return _forest(task, warm_start=False).set_params(n_estimators=task.steps).fit(x, y)

    def columns(self) -> list[str]:
        return list(load_diabetes().feature_names)

    def train_at_once(self, task: Task, rows: Rows) -> Answer:
        forest = self.fit(task, rows.x_train, rows.y_train)
        return {"validation": forest.predict(rows.x_validation), "test": forest.predict(rows.x_test)}

    def _drawn(self, index: int, child: np.random.SeedSequence) -> Task:
        rng = np.random.default_rng(child)
        names = ("n_estimators", "max_depth", "min_samples_split")
        drawn = {name: tuning.whole(rng, self.space[name]) for name in names}
        return Task(index=index, params={**drawn, "seed": tuning.model_seed(rng)}, steps=drawn["n_estimators"])


def _forest(task: Task, *, warm_start: bool) -> RandomForestRegressor:
    return RandomForestRegressor(
        max_depth=task.params["max_depth"],
        min_samples_split=task.params["min_samples_split"],
        random_state=task.params["seed"],
        n_jobs=threads(),
        warm_start=warm_start,
    )
