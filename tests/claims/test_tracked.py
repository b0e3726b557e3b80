"""Claims about tracking are judged from the check beside the raw data, and say what is missing without it."""

from dataclasses import replace

import pytest

from checkout import CONF
from made_claims import RAY, run
from made_study import cell, planned, series
from raybench.analysis.analyze import analyse
from raybench.analysis.dataset import RunData
from raybench.analysis.results import ClaimLine
from raybench.claims.judge import verdicts
from raybench.claims.reading import read_file
from raybench.model.estimate import VerdictKind
from raybench.model.plan import Spec
from raybench.model.tracking import Counted, LoadedModel, TrackingCheck

CREDIT, FOREST = (Spec(name=name, target="x:W", tags=("compute",)) for name in ("german_credit", "rf_hpo"))
LOOP, PAIR, SEARCH = cell(workload=CREDIT), cell(RAY, 2, workload=CREDIT), cell(RAY, 2, workload=FOREST)
ALL = {"trials": 8, "metrics": 40}


def study(check: TrackingCheck | None) -> RunData:
    lines = [line for of in (LOOP, PAIR, SEARCH) for line in series(of, [1.0] * 3)]
    return replace(run(planned([LOOP, PAIR, SEARCH], blocks=3), lines), tracking=check)


def counted(*found: dict[str, int]) -> TrackingCheck:
    """Make a check of these cells, in the order of the study."""
    cells = zip((LOOP, PAIR, SEARCH), found, strict=False)
    return TrackingCheck(
        checked="20261201T000000Z",
        tracker="mlflow 3.17.0",
        counted=tuple(Counted(cell=of.key, expected=ALL, found=there) for of, there in cells),
    )


def loaded(**changes: object) -> TrackingCheck:
    model = LoadedModel(workload="rf_hpo", uri="models:/rf_hpo@champion", version="2", better=0, rows=89, equal=89)
    return replace(counted(), loaded=(replace(model, **changes),))


def judged(check: TrackingCheck | None, claim: str) -> ClaimLine:
    made = study(check)
    (line,) = verdicts(made, analyse(made), [read_file(CONF / "claim" / f"{claim}.yaml")])
    return line


@pytest.mark.parametrize("claim", ["c08", "c32", "c42"])
def test_without_a_check_a_claim_says_what_is_missing(claim: str):
    found = judged(None, claim)

    assert found.verdict is VerdictKind.UNTESTABLE
    assert "pip install 'raybench[mlflow]', then raybench" in found.note.partition("\n")[0]
    assert found.meant


def test_counts_that_agree_in_every_cell_support():
    found = judged(counted(ALL, ALL), "c32")

    assert found.verdict is VerdictKind.SUPPORTED
    assert "8 of 8 trials, 40 of 40 metrics in mlflow 3.17.0" in found.note


@pytest.mark.parametrize(
    ("there", "share"), [({"trials": 8, "metrics": 30}, 0.75), ({"trials": 16, "metrics": 40}, 0.5), ({}, 0.0)]
)
def test_an_entry_missing_or_too_many_in_one_cell_refutes(there: dict[str, int], share: float):
    found = judged(counted(ALL, there), "c32")

    assert found.verdict is VerdictKind.REFUTED
    assert found.value.point == share


def test_a_measured_cell_that_nobody_looked_for_refutes():
    found = judged(counted(ALL), "c32")

    assert found.verdict is VerdictKind.REFUTED
    assert "not in mlflow 3.17.0" in found.note


def test_trials_of_the_search_are_judged_apart():
    assert judged(counted(ALL, {}, ALL), "c42").verdict is VerdictKind.SUPPORTED


def test_a_promoted_model_that_predicts_alike_supports():
    found = judged(loaded(), "c08")

    assert found.verdict is VerdictKind.SUPPORTED
    assert "models:/rf_hpo@champion, version 2" in found.note


@pytest.mark.parametrize("changes", [{"equal": 88}, {"better": 1}])
def test_one_other_prediction_or_a_better_trial_refutes(changes: dict[str, int]):
    assert judged(loaded(**changes), "c08").verdict is VerdictKind.REFUTED


def test_a_model_of_another_workload_decides_nothing():
    assert judged(loaded(workload="xgb_hpo"), "c08").verdict is VerdictKind.UNTESTABLE
