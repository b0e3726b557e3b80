"""Items: every form of SPEC, refusals in one sentence, and samples from all over the list."""

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from raybench.model.errors import BadSettings
from raybench.trial import inputs


def test_an_expression_gives_its_items() -> None:
    assert inputs.read("range(3)") == [0, 1, 2]
    assert [len(a) for a in inputs.read("[np.zeros(2), np.zeros(3)]")] == [2, 3]


def test_each_kind_of_file_gives_one_item_per_row(tmp_path: Path) -> None:
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    (tmp_path / "i.json").write_text(json.dumps(rows))
    (tmp_path / "i.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "i.csv").write_text("a,b\n1,x\n2,y\n")
    pd.DataFrame(rows).to_csv(tmp_path / "i2.csv", index=False)
    np.save(tmp_path / "i.npy", np.arange(6).reshape(3, 2))

    for name in ("i.json", "i.jsonl", "i.csv", "i2.csv"):
        assert inputs.read(str(tmp_path / name)) == rows
    assert [row.tolist() for row in inputs.read(str(tmp_path / "i.npy"))] == [[0, 1], [2, 3], [4, 5]]


def test_a_parquet_file_gives_one_item_per_row(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    pd.DataFrame(rows).to_parquet(tmp_path / "i.parquet")

    assert inputs.read(str(tmp_path / "i.parquet")) == rows


@pytest.mark.parametrize("suffix", [".json", ".csv", ".parquet", ".npy"])
def test_a_file_that_is_something_else_is_one_sentence(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"i{suffix}"
    path.write_bytes(b"\xff\xfe\x00nothing of the kind")

    with pytest.raises(BadSettings, match="cannot be read as") as caught:
        inputs.read(str(path))

    assert "\n" not in str(caught.value)


def test_a_callable_and_a_generator_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "makes_items.py").write_text("def items():\n    yield from (1, 2)\n")
    monkeypatch.syspath_prepend(tmp_path)

    assert inputs.read("makes_items:items") == [1, 2]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("[]", "no items"),
        ("7", "expected several items"),
        ("'abc'", "expected several items"),
        ("ragne(3)", "NameError"),
        ("missing.csv", "no such file"),
        ("no.module:items", "gave no items"),
    ],
)
def test_a_bad_spec_is_one_sentence(spec: str, told: str) -> None:
    with pytest.raises(BadSettings, match=told) as caught:
        inputs.read(spec)

    assert "\n" not in str(caught.value)


def test_a_torn_file_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "i.jsonl").write_text('{"a": 1}\n{"a"\n')

    with pytest.raises(BadSettings, match="line 2"):
        inputs.read(str(tmp_path / "i.jsonl"))


def test_an_endless_generator_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MOST_ITEMS", 100)

    with pytest.raises(BadSettings, match="more than 100 items"):
        inputs.collect(itertools.count(), "inputs")


@pytest.mark.parametrize("seed", range(20))
def test_a_sample_meets_every_part_of_the_list(seed: int) -> None:
    drawn = inputs.sample(range(1000), 10, seed=seed)

    assert sorted(i // 100 for i in drawn) == list(range(10))
    assert sorted(inputs.sample(range(5), 10, seed=seed)) == [0, 1, 2, 3, 4]
