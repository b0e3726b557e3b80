"""German credit: eight models, the bad risk as the positive class, the cost matrix by hand."""

from pathlib import Path

import numpy as np
import pytest

from raybench.model.measurement import TaskResult
from raybench.workloads.german_credit import BAD, COLUMNS, NUMERIC, GermanCredit, cost


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYBENCH_CACHE", str(tmp_path))


def test_one_task_for_each_of_the_models() -> None:
    names = [t.params["model"] for t in GermanCredit(trees=3).tasks(1)]
    assert names == [
        *("logistic_regression", "decision_tree", "random_forest", "gradient_boosting"),
        *("svm", "nearest_neighbours", "naive_bayes", "xgboost"),
    ]


def test_accepting_a_bad_risk_costs_five_and_rejecting_a_good_one_costs_one() -> None:
    truth, answer = np.array([1, 1, 0, 0, 0]), np.array([0, 1, 1, 1, 0])
    assert cost(truth, answer) == (5 * 1 + 1 * 2) / 5


def test_there_are_20_attributes_of_which_7_are_numbers() -> None:
    assert (len(COLUMNS) - 1, len(NUMERIC), BAD) == (20, 7, 2)


def test_the_split_is_stratified_and_keeps_the_test_labels_out() -> None:
    data = GermanCredit(trees=3).data(5)
    assert set(data) == {"x", "y", "x_test"}
    rows = len(data["x"]) + len(data["x_test"])
    assert data["x"].shape == (rows * 8 // 10, 20)
    assert "risk" not in data["x_test"].columns
    assert data["y"].mean() == pytest.approx(0.3, abs=0.01)  # three bad risks among ten, in the made table as well


@pytest.mark.real_data
def test_the_published_table_has_1000_rows() -> None:
    data = GermanCredit(trees=3).data(5)
    assert (len(data["x"]), len(data["x_test"])) == (800, 200)


def test_scores_treat_the_bad_risk_as_positive() -> None:
    workload = GermanCredit(trees=3)
    tasks = workload.tasks(5)
    bad = np.ones(len(workload.data(5)["x_test"]), dtype=np.uint8)
    all_bad = [TaskResult(index=t.index, answer=bad, started=0.0, ended=2.0, pid=1) for t in tasks]
    scores = workload.score(tasks, all_bad, 5)
    share = scores["svm.precision"]  # calling everybody bad: precision is the share of bad risks
    assert share == pytest.approx(0.3, abs=0.01)
    assert scores["svm.recall"] == 1.0
    assert scores["svm.accuracy"] == share
    assert scores["svm.cost"] == pytest.approx(1 - share)  # every good risk rejected
    assert scores["svm.f1"] == pytest.approx(2 * share / (1 + share))
    assert len(scores) == 8 * 5
    assert workload.facts(tasks, all_bad)["training_s"]["svm"] == 2.0


def test_a_model_that_has_learnt_costs_less_than_accepting_everybody() -> None:
    workload = GermanCredit(trees=3)
    tasks, data = workload.tasks(5), workload.data(5)
    answer = next(workload.run(tasks[6], data)).answer
    results = [TaskResult(index=t.index, answer=answer, started=0.0, ended=1.0, pid=1) for t in tasks]
    assert workload.score(tasks, results, 5)["naive_bayes.cost"] < 0.3 * 5
