"""Every number of RESULTS.md is computed again by pandas from the raw lines, and none goes without."""

import pytest

from checkout import RECORDED
from recount.reading import mutations
from recount.reports import Told, rebuilt

EVERY = 7  # digits


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return rebuilt(RECORDED, tmp_path_factory.mktemp("recount"))


def test_every_number_of_the_report_is_what_pandas_finds_in_the_raw_lines(recorded: Told) -> None:
    assert recorded.faults() == []


@pytest.mark.timeout(300)
def test_no_digit_can_be_changed_without_being_found(recorded: Told) -> None:
    changed = mutations(recorded.text, every=EVERY)
    assert len(changed) > 50
    assert [text for text in changed if not recorded.faults(text)] == []
