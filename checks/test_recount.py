"""Every number of the committed RESULTS.md, computed again by pandas from the committed raw lines."""

from pathlib import Path

import pytest

from checkout import RECORDED, ROOT
from recount.reading import mutations
from recount.reports import Told, rebuilt, told

EVERY = 61  # digits


@pytest.fixture(scope="module")
def results(reports: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    if reports == RECORDED.resolve():
        return rebuilt(reports, tmp_path_factory.mktemp("recount"))
    return told((ROOT / "RESULTS.md").read_text(encoding="utf-8"), reports)


def test_every_number_of_the_committed_report_is_what_pandas_finds(results: Told) -> None:
    assert results.faults() == []


@pytest.mark.timeout(600)
def test_no_digit_of_the_committed_report_can_be_changed_without_being_found(results: Told) -> None:
    assert [text for text in mutations(results.text, every=EVERY) if not results.faults(text)] == []
