"""Cross-validation on iris, fold by fold, equals scikit-learn's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from raybench.backends.base import execute
from raybench.model.errors import BadSettings, WrongAnswer
from raybench.model.measurement import TaskResult
from raybench.workloads.kfold_iris import KfoldIris

SEED = 5
FOREST = KfoldIris(trees=3, repeats=2)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYBENCH_CACHE", str(tmp_path))


def ran(workload: KfoldIris) -> list[TaskResult]:
    context = workload.prepare(workload.data(SEED))
    return [execute(workload, task, context) for task in workload.tasks(SEED)]


def test_every_row_is_held_out_once_in_each_repeat() -> None:
    tasks = FOREST.tasks(SEED)
    assert [t.index for t in tasks] == list(range(10))
    held_out = FOREST._held_out(tasks)
    for repeat in range(2):
        assert sorted(np.concatenate(held_out[5 * repeat : 5 * repeat + 5])) == list(range(150))
    assert not np.array_equal(held_out[0], held_out[5]), "repeats have other folds"


@pytest.mark.parametrize("workload", [FOREST, KfoldIris(model="logistic_regression")])
def test_right_folds_pass(workload: KfoldIris) -> None:
    workload.check(workload.tasks(SEED), ran(workload), SEED)


@pytest.mark.parametrize("index", [0, 9])
def test_one_wrong_label_names_its_task(index: int) -> None:
    results = ran(FOREST)
    wrong = results[index].answer.copy()
    wrong[0] = (wrong[0] + 1) % 3
    results[index] = replace(results[index], answer=wrong)
    with pytest.raises(WrongAnswer, match=f"task {index}"):
        FOREST.check(FOREST.tasks(SEED), results, SEED)


def test_the_accuracy_is_that_of_cross_val_score() -> None:
    workload = KfoldIris(model="logistic_regression")
    tasks = workload.tasks(SEED)
    folds = StratifiedKFold(5, shuffle=True, random_state=tasks[0].params["seed"])
    model = make_pipeline(StandardScaler(), LogisticRegression())
    expected = cross_val_score(model, *load_iris(return_X_y=True), cv=folds).mean()
    assert workload.score(tasks, ran(workload), SEED)["accuracy"] == pytest.approx(expected, rel=1e-12)


def test_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(BadSettings, match="choose from random_forest, logistic_regression"):
        KfoldIris(model="svm")
