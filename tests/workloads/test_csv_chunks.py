"""The CSV: its formulas by hand, its index, and two ways of reading that agree."""

from pathlib import Path

import numpy as np
import pytest

from raybench.backends.base import execute
from raybench.model.errors import BadSettings
from raybench.workloads import csv_chunks
from raybench.workloads.csv_chunks import CsvChunks, columns_of


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYBENCH_CACHE", str(tmp_path))


def test_the_file_begins_as_its_formulas_say() -> None:
    lines = Path(CsvChunks(rows=3, chunk=2).data(1)["path"]).read_text(encoding="utf-8").splitlines()
    assert lines == [
        "row,region,quantity,price_cents,weight",
        "0,north,1,0,0.0",
        "1,east,32,7919,1.625",
        "2,south,63,5838,3.25",
    ]


def test_over_full_periods_every_value_appears_equally_often() -> None:
    columns = columns_of(np.arange(10_000))
    assert columns["price_cents"].sum() == 10_000 * 9_999 // 2
    assert np.bincount(columns["region"]).tolist() == [2_500] * 4
    assert columns["weight"][:800].sum() == 800 * 799 / 2 / 8
    assert columns["quantity"][:97].sum() == 97 * 98 // 2


def test_the_index_says_where_each_chunk_begins() -> None:
    data = CsvChunks(rows=5, chunk=2).data(1)
    raw = Path(data["path"]).read_bytes()
    first_words = [raw[b : raw.index(b",", b)] for b in data["begins"][:-1]]
    assert first_words == [b"0", b"2", b"4"]
    assert data["begins"][-1] == len(raw)


def test_blocks_of_writing_and_scanning_leave_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = CsvChunks(rows=50, chunk=7).data(1)
    monkeypatch.setenv("RAYBENCH_CACHE", str(tmp_path / "another"))
    monkeypatch.setattr(csv_chunks, "WRITE_ROWS", 6)
    monkeypatch.setattr(csv_chunks, "SCAN_BYTES", 11)
    parts = CsvChunks(rows=50, chunk=7).data(1)
    assert Path(parts["path"]).read_bytes() == Path(whole["path"]).read_bytes()
    assert parts["begins"].tolist() == whole["begins"].tolist()


def test_a_chunk_of_three_rows_answers_as_counted_by_hand() -> None:
    workload = CsvChunks(rows=3, chunk=3)
    answer = execute(workload, workload.tasks(1)[0], workload.data(1)).answer
    # totals: 0, 32 x 7919 = 253408 (kept: above 250000, east), 63 x 5838 = 367794 (kept: south)
    assert answer == {"rows": 3, "price_cents": 13757, "weight": 4.875, "kept": 2, "kept_cents": 621202}


def test_bytes_and_skiprows_read_the_same_rows() -> None:
    ways = [CsvChunks(rows=60, chunk=13, reading=reading) for reading in ("bytes", "skiprows")]
    answers = [[execute(w, t, w.data(1)).answer for t in w.tasks(1)] for w in ways]
    assert answers[0] == answers[1]


def test_an_unknown_reading_is_refused() -> None:
    with pytest.raises(BadSettings, match="choose bytes or skiprows"):
        CsvChunks(rows=3, chunk=3, reading="arrow")
