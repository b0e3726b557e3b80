"""tracking.json: what a check of the tracker found comes back equal, and the report is made anew from it."""

from pathlib import Path

import pytest

from raybench.model.errors import BadStore
from raybench.model.tracking import Counted, LoadedModel, TrackingCheck
from raybench.report import build, stale
from raybench.store.tracking_file import TRACKING, read_tracking, record_counts, record_loaded
from report import made_run

COUNTS = (Counted(cell="0a1b2c3d4e5f", expected={"trials": 8}, found={"trials": 8}),)
MODEL = LoadedModel(workload="rf_hpo", uri="models:/rf_hpo@champion", version="1", better=0, rows=9, equal=9)
WHEN, WITH = "20261201T000000Z", "mlflow 3.17.0"


def test_a_run_that_was_never_tracked_has_no_check(tmp_path: Path):
    assert read_tracking(tmp_path) is None


def test_counts_and_promoted_models_stand_side_by_side(tmp_path: Path):
    record_loaded(tmp_path, MODEL, checked=WHEN, tracker=WITH)
    record_counts(tmp_path, COUNTS, checked=WHEN, tracker=WITH)

    assert read_tracking(tmp_path) == TrackingCheck(checked=WHEN, tracker=WITH, counted=COUNTS, loaded=(MODEL,))


def test_a_new_check_takes_the_place_of_the_old_one(tmp_path: Path):
    for version in ("1", "2"):
        model = LoadedModel(workload="rf_hpo", uri=MODEL.uri, version=version, better=0, rows=9, equal=9)
        record_loaded(tmp_path, model, checked=WHEN, tracker=WITH)
        record_counts(tmp_path, COUNTS, checked=WHEN, tracker=WITH)

    found = read_tracking(tmp_path)
    assert found is not None
    assert ([model.version for model in found.loaded], found.counted) == (["2"], COUNTS)


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 9}', '{"schema": 2}', '{"schema": 2, "checked": 1}'])
def test_a_damaged_check_is_refused_with_its_name(tmp_path: Path, text: str):
    (tmp_path / TRACKING).write_text(text)

    with pytest.raises(BadStore, match=TRACKING):
        read_tracking(tmp_path)


def test_a_check_makes_the_report_stale_and_reaches_it(tmp_path: Path):
    folder = made_run.write(tmp_path)
    before = stale.data_hash(folder)
    record_counts(folder, COUNTS, checked=WHEN, tracker=WITH)

    assert stale.data_hash(folder) != before
    assert build.read(folder, tmp_path).tracking == read_tracking(folder)
