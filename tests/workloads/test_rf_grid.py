"""The grid: 27 points, no labels in the data, and answers that are computed once and then remembered."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from checkout import CONF
from raybench.workloads.answers import remember
from raybench.workloads.rf_grid import RfGrid


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYBENCH_CACHE", str(tmp_path))


def small(rows: int = 100) -> RfGrid:
    return RfGrid(rows=rows, trees=[1], depths=[2, None], splits=[2])


@pytest.mark.parametrize("size", ["quick", "full", "source"])
def test_three_by_three_by_three_is_27(size: str) -> None:
    told = yaml.safe_load((CONF / "workload" / "rf_grid.yaml").read_text(encoding="utf-8"))
    tasks = RfGrid(**told["sizes"][size]).tasks(1)
    assert len(tasks) == 27
    assert len({tuple(sorted(t.params.items(), key=str)) for t in tasks}) == 27


def test_the_source_size_is_10000_rows_of_20_features() -> None:
    told = yaml.safe_load((CONF / "workload" / "rf_grid.yaml").read_text(encoding="utf-8"))
    data = RfGrid(**told["sizes"]["source"]).data(1)
    assert (data["x"].shape, data["x_test"].shape) == ((8_000, 20), (2_000, 20))


def test_test_labels_stay_out_of_the_data() -> None:
    assert set(small().data(1)) == {"x", "y", "x_test"}


def test_right_answers_are_computed_once_and_then_read() -> None:
    calls: list[int] = []

    def compute() -> np.ndarray[Any, Any]:
        calls.append(1)
        return np.array([[1, 0]], dtype=np.uint8)

    for _ in range(2):
        assert remember(small(), 1, ["scikit-learn"], compute).tolist() == [[1, 0]]
    assert len(calls) == 1


def test_other_parameters_seeds_and_tables_have_answers_of_their_own(tmp_path: Path) -> None:
    table = tmp_path / "table"
    table.write_text("a", encoding="utf-8")

    def answer(value: int, workload: RfGrid, seed: int, file: Path | None) -> int:
        return int(remember(workload, seed, [], lambda: np.array([value]), file=file)[0])

    assert answer(1, small(), 1, None) == 1
    assert answer(2, small(rows=200), 1, None) == 2
    assert answer(3, small(), 2, None) == 3
    assert answer(4, small(), 1, table) == 4
    table.write_text("b", encoding="utf-8")
    assert answer(5, small(), 1, table) == 5
    assert answer(6, small(), 1, None) == 1
