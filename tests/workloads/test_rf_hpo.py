"""The forest search: growing by warm start gives the forest that one fit gives, and the running sum its predictions."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor

from raybench.backends.base import execute
from raybench.model.errors import WrongAnswer
from raybench.model.measurement import TaskResult
from raybench.workloads.rf_hpo import RfHpo

SEED = 3
WORKLOAD = RfHpo(
    configurations=3,
    space={"n_estimators": [16, 20], "max_depth": [2, 20], "min_samples_split": [2, 10]},
    rungs=[5, 15, 45],
)
TASKS = WORKLOAD.tasks(SEED)


@pytest.fixture(scope="module")
def ran() -> list[TaskResult]:
    context = WORKLOAD.prepare(WORKLOAD.data(SEED))
    return [execute(WORKLOAD, task, context) for task in TASKS]


def test_a_stepped_forest_equals_the_forest_of_one_fit(ran: list[TaskResult]) -> None:
    rows = WORKLOAD.data(SEED)
    for task, result in zip(TASKS, ran, strict=True):
        forest = RandomForestRegressor(
            n_estimators=task.params["n_estimators"],
            max_depth=task.params["max_depth"],
            min_samples_split=task.params["min_samples_split"],
            random_state=task.params["seed"],
        ).fit(rows.x_train, rows.y_train)
        assert np.allclose(result.answer["validation"], forest.predict(rows.x_validation), rtol=1e-12)
        assert np.allclose(result.answer["test"], forest.predict(rows.x_test), rtol=1e-12)
        assert [p.steps for p in result.points] == [5, 15, task.steps]


def test_the_loss_at_a_rung_is_that_of_a_forest_of_so_many_trees(ran: list[TaskResult]) -> None:
    rows = WORKLOAD.data(SEED)
    forest = WORKLOAD.train_at_once(replace(TASKS[0], steps=15), rows)
    expected = np.sqrt(np.mean((rows.y_validation - forest["validation"]) ** 2))
    assert ran[0].points[1].loss == pytest.approx(expected, rel=1e-12)


def test_two_threads_give_the_same_forest(ran: list[TaskResult], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    again = execute(WORKLOAD, TASKS[0], WORKLOAD.prepare(WORKLOAD.data(SEED)))
    assert np.array_equal(again.answer["test"], ran[0].answer["test"])


def test_right_answers_pass_and_a_wrong_one_names_its_task(ran: list[TaskResult]) -> None:
    WORKLOAD.check(TASKS, ran, SEED)
    wrong = [*ran[:2], replace(ran[2], answer={part: x + 1 for part, x in ran[2].answer.items()})]
    with pytest.raises(WrongAnswer, match="task 2"):
        WORKLOAD.check(TASKS, wrong, SEED)


def test_the_score_is_that_of_the_smallest_validation_loss(ran: list[TaskResult]) -> None:
    best = min(ran, key=lambda r: r.loss)
    scores = WORKLOAD.score(TASKS, ran, SEED)
    assert scores["chosen"] == best.index
    assert scores["rmse"] == pytest.approx(np.sqrt(np.mean(WORKLOAD.row_errors(best.answer, SEED))), rel=1e-12)


def test_the_baseline_is_the_librarys_default_forest() -> None:
    rows = WORKLOAD.data(SEED)
    task = WORKLOAD.baseline(SEED)
    got = execute(WORKLOAD, task, WORKLOAD.prepare(rows)).answer["test"]
    default = RandomForestRegressor(random_state=task.params["seed"]).fit(rows.x_train, rows.y_train)
    assert np.allclose(got, default.predict(rows.x_test), rtol=1e-12)


def test_all_rows_of_the_diabetes_data_are_used_once() -> None:
    split = WORKLOAD.split(SEED)
    labels = np.concatenate([split.rows.y_train, split.rows.y_validation, split.y_test])
    assert sorted(labels) == sorted(load_diabetes().target)
