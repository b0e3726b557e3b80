"""Train eight classifiers of credit risk on the German credit data, one task each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from raybench.model.errors import MissingData
from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.answers import demand_equal, remember
from raybench.workloads.base import Workload, threads
from raybench.workloads.files import path

NUMERIC = ("duration", "amount", "rate", "residence", "age", "credits", "people")
COLUMNS = (
    *("checking", "duration", "history", "purpose", "amount", "savings", "employment"),
    *("rate", "status", "debtors", "residence", "property", "age", "plans"),
    *("housing", "credits", "job", "people", "telephone", "foreign", "risk"),
)
BAD = 2  # the file's code of a bad risk; it is the positive class, 1, here
TEST_SHARE = 0.2
COST_ACCEPTED_BAD, COST_REJECTED_GOOD = 5, 1  # the data set's own cost matrix

# Each takes (trees, seed); the trees are those of the ensembles.
MODELS: Mapping[str, Callable[[int, int], Any]] = MappingProxyType(
    {
        "logistic_regression": lambda _trees, _seed: LogisticRegression(max_iter=1000),
        "decision_tree": lambda _trees, seed: DecisionTreeClassifier(random_state=seed),
        "random_forest": lambda trees, seed: RandomForestClassifier(trees, random_state=seed, n_jobs=threads()),
        "gradient_boosting": lambda trees, seed: GradientBoostingClassifier(n_estimators=trees, random_state=seed),
        "svm": lambda _trees, _seed: SVC(),
        "nearest_neighbours": lambda _trees, _seed: KNeighborsClassifier(n_jobs=threads()),
        "naive_bayes": lambda _trees, _seed: GaussianNB(),
        "xgboost": lambda trees, seed: XGBClassifier(
            n_estimators=trees, learning_rate=0.1, random_state=seed, n_jobs=threads()
        ),
    }
)


@dataclass(frozen=True, kw_only=True)
class GermanCredit(Workload):
    """Fit every model to the same stratified split; an answer is 1 (bad risk) or 0 for each test row.

    trees : of the random forest, of gradient boosting and of XGBoost.
    """

    trees: int

    def tasks(self, seed: int) -> list[Task]:
        return [
            Task(index=i, params={"model": name, "trees": self.trees, "random_state": seed})
            for i, name in enumerate(MODELS)
        ]

    def data(self, seed: int) -> dict[str, Any]:
        """Load and split the table. x, x_test : frames of 20 attributes; y : (800,) int64, 1 is a bad risk."""
        x, x_test, y, _ = _split(seed)
        return {"x": x, "y": y, "x_test": x_test}

    def run(self, task: Task, context: Mapping[str, Any]) -> Iterator[Progress]:
        pipeline = self.fit(task, context["x"], context["y"])
        yield Progress(answer=pipeline.predict(context["x_test"]).astype(np.uint8))

    def fit(self, task: Task, x: Any, y: npt.NDArray[Any]) -> Pipeline:
        model = MODELS[task.params["model"]](task.params["trees"], task.params["random_state"])
        return Pipeline([("columns", _columns()), ("model", model)]).fit(x, y)

    def columns(self) -> list[str]:
        return [name for name in COLUMNS if name != "risk"]

    def parts(self, seed: int) -> dict[str, tuple[Any, Any]]:
        x, x_test, y, y_test = _split(seed)
        return {"train": (x, y), "test": (x_test, y_test)}

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Compare with models fitted in a driver, one after another, once per machine."""

        def refit() -> npt.NDArray[Any]:
            data = self.data(seed)
            return np.stack([next(self.run(task, data)).answer for task in tasks])

        right = remember(self, seed, ["scikit-learn", "xgboost"], refit, file=path("german.data"))
        demand_equal("german_credit", results, list(right))

    def score(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> dict[str, float]:
        """Return `MODEL.MEASURE` on the test rows; F1, precision and recall are those of the bad risks.

        cost : mean per test row by the data set's cost matrix.
        """
        truth = _split(seed)[3]
        scores = {}
        for task, result in zip(tasks, results, strict=True):
            measures = {
                "accuracy": accuracy_score(truth, result.answer),
                "f1": f1_score(truth, result.answer, zero_division=0.0),
                "precision": precision_score(truth, result.answer, zero_division=0.0),
                "recall": recall_score(truth, result.answer, zero_division=0.0),
                "cost": cost(truth, result.answer),
            }
            scores.update({f"{task.params['model']}.{name}": float(value) for name, value in measures.items()})
        return scores

    def warm_up(self, seed: int) -> list[Task]:
        params = {"trees": 1, "random_state": seed}
        return [Task(index=i, params={"model": name, **params}) for i, name in enumerate(("naive_bayes", "xgboost"))]

    def facts(self, tasks: Sequence[Task], results: Sequence[TaskResult]) -> dict[str, Any]:
        """Return each model's seconds, fitting and predicting, by its worker's stamps."""
        seconds = {t.params["model"]: round(r.ended - r.started, 6) for t, r in zip(tasks, results, strict=True)}
        return {"training_s": seconds, "positive_class": "bad risk", "models": len(tasks)}


def cost(truth: npt.NDArray[Any], answer: npt.NDArray[Any]) -> float:
    """Return the mean cost per row: 5 for a bad risk that was accepted, 1 for a good one that was rejected."""
    accepted_bad = np.count_nonzero((truth == 1) & (answer == 0))
    rejected_good = np.count_nonzero((truth == 0) & (answer == 1))
    return float(COST_ACCEPTED_BAD * accepted_bad + COST_REJECTED_GOOD * rejected_good) / len(truth)


def _columns() -> ColumnTransformer:
    """Scale the numeric attributes and turn each coded one into columns of 0 and 1."""
    coded = [name for name in COLUMNS if name not in NUMERIC and name != "risk"]
    codes = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer([("numeric", StandardScaler(), list(NUMERIC)), ("coded", codes, coded)])


def _split(seed: int) -> list[Any]:
    """Split 80/20, stratified: x, x_test, y, y_test."""
    file = path("german.data")
    table = pd.read_csv(file, sep=" ", header=None)
    if table.shape[1] != len(COLUMNS):
        raise MissingData(f"{file}: {table.shape[1]} columns, expected {len(COLUMNS)}; fetch the file again")
    table.columns = pd.Index(COLUMNS)
    labels = (table.pop("risk") == BAD).to_numpy().astype(np.int64)
    return list(train_test_split(table, labels, test_size=TEST_SHARE, random_state=seed, stratify=labels))
