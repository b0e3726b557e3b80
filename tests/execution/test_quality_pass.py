"""The quality pass compares every variant with the baseline on the same untouched rows."""

from dataclasses import replace

import numpy as np
import pytest

from raybench.backends.base import execute
from raybench.execution.quality_pass import quality_pass, replay
from raybench.model.measurement import Point, Quality, Task, TaskResult
from raybench.model.serialize import from_json, to_json
from raybench.workloads.noop import Noop
from raybench.workloads.rf_hpo import RfHpo
from raybench.workloads.xgb_hpo import XgbHpo

SPACE = {"n_estimators": [5, 20], "max_depth": [2, 4], "learning_rate": [0.05, 0.3], "subsample": [0.5, 1.0]}
WORKLOAD = XgbHpo(configurations=4, space=SPACE, rungs=[2, 6, 18], source="friedman", rows=300, test_rows=40)


@pytest.fixture(scope="module")
def lines() -> list[Quality]:
    return list(quality_pass("friedman", WORKLOAD, 2, 11))


def test_every_pair_has_every_variant_once(lines: list[Quality]) -> None:
    assert [(q.pair, q.variant) for q in lines] == [
        (p, a) for p in range(2) for a in ("tuned", "asha", "mean", "default")
    ]


def test_errors_by_row_give_the_stated_errors(lines: list[Quality]) -> None:
    for line in lines:
        assert len(line.tuned_errors) == len(line.baseline_errors) == 40
        assert np.sqrt(np.mean(line.tuned_errors)) == pytest.approx(line.tuned_test, rel=1e-5)
        assert np.sqrt(np.mean(line.baseline_errors)) == pytest.approx(line.baseline_test, rel=1e-5)


def test_all_variants_of_a_pair_share_the_baseline_and_pairs_do_not(lines: list[Quality]) -> None:
    assert len({line.baseline_errors for line in lines}) == 2
    assert {line.baseline for line in lines} == {"n_estimators 300, learning_rate 0.05, max_depth 5, subsample 1.0"}


def test_the_tuned_variant_is_the_choice_by_validation(lines: list[Quality]) -> None:
    tuned = lines[0]
    assert tuned.chosen["index"] in range(4)
    assert tuned.scores["stopped"] == 0
    assert tuned.scores["steps_done"] == tuned.scores["steps_asked"]
    asha = lines[1]
    assert asha.scores["steps_done"] <= tuned.scores["steps_done"] == asha.scores["steps_asked"]
    assert asha.tuned_validation >= tuned.tuned_validation, "a part of the candidates has no better best"


def test_errors_keep_six_significant_digits(lines: list[Quality]) -> None:
    assert all(float(f"{error:.6g}") == error for line in lines for error in line.tuned_errors)


def test_a_line_survives_json(lines: list[Quality]) -> None:
    assert from_json(Quality, to_json(lines[0])) == lines[0]


def test_the_same_seed_gives_the_same_lines(lines: list[Quality]) -> None:
    assert next(quality_pass("friedman", WORKLOAD, 1, 11)) == lines[0]
    assert next(quality_pass("friedman", WORKLOAD, 1, 12)) != lines[0]


def test_a_workload_without_a_baseline_has_no_quality() -> None:
    assert list(quality_pass("noop", Noop(n=2), 3, 0)) == []


def test_a_random_split_is_the_luckiest_of_several() -> None:
    space = {"n_estimators": [5, 8], "max_depth": [2, 4], "min_samples_split": [2, 3]}
    workload = RfHpo(configurations=1, space=space, rungs=[4], resplits=3)
    line = list(quality_pass("rf_hpo", workload, 1, 5))[-1]
    tests = [line.scores[f"split_{i}"] for i in range(3)]
    assert line.variant == "random_split"
    assert line.tuned_test == min(tests) == tests[line.chosen["split"]]
    assert len(set(tests)) == 3
    assert line.baseline == "n_estimators 100, max_depth None, min_samples_split 2"
    assert line.tuned_errors == ()


def result(index: int, *losses: float, budget: int = 30) -> tuple[Task, TaskResult]:
    steps = [s for s in (3, 9, 27) if s < budget] + [budget]
    points = tuple(Point(steps=s, loss=loss, at=0.0) for s, loss in zip(steps, losses, strict=True))
    task = Task(index=index, params={}, steps=budget)
    whole = TaskResult(
        index=index, answer="whole", started=0, ended=1, pid=1, steps=budget, loss=losses[-1], points=points
    )
    return task, whole


def test_the_replayed_rule_stops_what_is_above_the_lowest_third_of_those_before() -> None:
    """Worked by hand: cutoff = 1/3 quantile, linearly between neighbours, of the losses recorded before at the rung."""
    pairs = [
        result(0, 8.0, 5.0, 4.0, 3.0),  # first at every rung: goes on
        result(1, 9.0, 1.0, 1.0, 1.0),  # 9 > 8: stops at 3
        result(2, 8.0, 6.0, 1.0, 1.0),  # rung 3 holds 8, 9: cutoff 8.33, goes on; 6 > 5 at rung 9: stops
        result(3, 7.0, 4.0, budget=5),  # below; its own budget ends it before rung 9
    ]
    kept = replay([task for task, _ in pairs], [full for _, full in pairs], (3, 9, 27))
    assert [(r.steps, r.loss, r.answer) for r in kept] == [
        (30, 3.0, "whole"),
        (3, 9.0, None),
        (9, 6.0, None),
        (5, 4.0, "whole"),
    ]


def test_a_better_model_has_smaller_errors_than_the_mean(lines: list[Quality]) -> None:
    by_variant = {line.variant: line.tuned_test for line in lines if line.pair == 0}
    assert by_variant["tuned"] < by_variant["mean"]
    context = WORKLOAD.prepare(WORKLOAD.data(1))
    assert execute(WORKLOAD, replace(WORKLOAD.tasks(1)[0], index=0), context).answer is not None
