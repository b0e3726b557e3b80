"""Damaged raw data are refused with file and line, or set aside: no traceback, and nothing passes silently."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raybench.model.errors import BadStore
from raybench.model.measurement import Disturbance, Measurement, TaskStamp
from raybench.model.plan import Cell, Job, Plan, Spec, Status
from raybench.store import raw_line, store

CELL = Cell(workload=Spec(name="w", target="x:W"), backend=Spec(name="b", target="x:B"), workers=2)
PLAN = Plan(
    study="s",
    seed=1,
    blocks=2,
    usable_cpus=2,
    jobs=tuple(Job(cell=CELL, block=block, order=0, seed=1) for block in range(3)),
    skips=(),
    controls=False,
    verdicts=False,
)


def measured(block: int) -> Measurement:
    return Measurement(
        cell=CELL.key,
        block=block,
        replica=1,
        attempt=1,
        status=Status.OK,
        tasks=(TaskStamp(index=0, started=0.0, ended=0.5, worker=7, loss=0.5, points=((1, 0.5, 0.25),)),),
        scores={"rmse": 1.0},
        facts={"way": "value"},
        disturbance=Disturbance(steal=0.01),
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    store.write_plan(tmp_path, PLAN)
    writer = store.Store(tmp_path / store.MEASUREMENTS)
    for block in range(3):
        writer.append(measured(block))
    return tmp_path


def damage(run: Path, text: bytes, line: int = 1) -> None:
    path = run / store.MEASUREMENTS
    lines = path.read_bytes().split(b"\n")
    lines[line] = text
    path.write_bytes(b"\n".join(lines))


def changed(**changes: Any) -> bytes:
    return json.dumps(json.loads(raw_line.encode(measured(1))) | changes).encode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (changed(block="three"), "Expected `int`, got `str` - at `$.block`"),
        (changed(block=-1), "`int` >= 0 - at `$.block`"),
        (changed(block=True), "Expected `int`, got `bool`"),
        (changed(block=1.5), "Expected `int`, got `float`"),
        (changed(attempt=0), "`int` >= 1 - at `$.attempt`"),
        (changed(cell=7), "Expected `str`, got `int` - at `$.cell`"),
        (changed(cell="ffffffffffff"), "is of no cell of plan.json"),
        (changed(status="okay"), "Invalid enum value 'okay'"),
        (changed(reason=None), "Expected `str`, got `null` - at `$.reason`"),
        (changed(phases={"makespan": -1.0}), "`float` >= 0.0 - at `$.phases.makespan`"),
        (changed(phases={"makespan": "1"}), "Expected `float`, got `str`"),
        (changed(phases={"makespam": 1.0}), "unknown field `$.phases.makespam`"),
        (changed(phases={"makespan": float("nan")}), "NaN is no number of JSON"),
        (changed(phases={"makespan": float("inf")}), "Infinity is no number of JSON"),
        (changed(phases=[]), "got `array` - at `$.phases`"),
        (changed(tasks={"a": 1}), "got `object` - at `$.tasks`"),
        (changed(tasks=[[0, 0.0, "late", 7]]), "got `str` - at `$.tasks[0][2]`"),
        (changed(tasks=[[0, 0.0]]), "at least length 4"),
        (changed(tasks=[[0, 0.0, 0.5, 7, 0, None, [], "", 1, "more"]]), "at most length 9"),
        (changed(scores={"rmse": None}), "Expected `float`, got `null`"),
        (changed(details={"fit": {"whole_s": 1.0}}), "missing required field"),
        (changed(colour="red"), "unknown field `$.colour`"),
        (changed(kind="verdict"), "kind measurement, sample or quality"),
        (changed(schema=9), "schema 9, expected 2"),
        (changed(schema=True), "schema True, expected 2"),
        (changed(block=0), "is already in line 1"),
        (b"[]", "no line of raybench"),
        (b"null", "no line of raybench"),
        (b"", "not a JSON line"),
        (b"{", "not a JSON line"),
        (b"\xff\xfe", "not a JSON line"),
        (b"\0\0\0", "not a JSON line"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (changed()[:-1] + b',"block":1}', "appears twice"),
        (changed(facts={"deep": json.loads("[" * 100 + "]" * 100)}), ""),  # a workload's own business
    ],
)
def test_a_damaged_line_is_refused_with_file_and_line(run: Path, text: bytes, words: str) -> None:
    damage(run, text)
    if not words:
        assert len(store.read_run(run)[1].measurements) == 3
        return
    with pytest.raises(BadStore) as refused:
        store.read_run(run)
    assert f"{store.MEASUREMENTS}:2: " in str(refused.value)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_pipe_in_place_of_a_file_does_not_hang(run: Path) -> None:
    (run / store.MEASUREMENTS).unlink()
    os.mkfifo(run / store.MEASUREMENTS)
    with pytest.raises(BadStore, match="no file"):
        store.read_run(run)
    (run / store.PLAN).unlink()
    os.mkfifo(run / store.PLAN)
    with pytest.raises(BadStore, match="is no file"):
        store.read_plan(run)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"blocks": 2', '"blocks": 9'),
        ('"seed": 1', '"seed": 2'),
        ('"usable_cpus": 2', '"usable_cpus": "many"'),
        ('"verdicts": false', '"verdicts": true'),
        ('"schema": 2', '"schema": 2, "colour": "red"'),
    ],
)
def test_an_edited_plan_is_refused(run: Path, old: str, new: str) -> None:
    path = run / store.PLAN
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(BadStore, match=r"plan\.json: not a plan .*edited"):
        store.read_run(run)


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"{}", b"[" * 100_000, b'{"schema": [2]}', b'{"schema": 2}'])
@pytest.mark.parametrize("name", [store.PLAN, store.ENVIRONMENT])
def test_a_damaged_file_beside_the_lines_is_refused(run: Path, name: str, text: bytes) -> None:
    (run / name).write_bytes(text)
    with pytest.raises(BadStore, match=name):
        (store.read_plan if name == store.PLAN else store.read_environment)(run)


@pytest.mark.parametrize("text", [b"\xff\xfe", b"raw/none", b"\0", b"x" * 5000, b""])
def test_a_damaged_name_of_the_current_run_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / store.CURRENT).write_bytes(text)
    with pytest.raises(BadStore, match="current"):
        store.current(tmp_path)


def test_a_number_that_json_has_no_word_for_is_not_stored(run: Path) -> None:
    writer = store.Store(run / store.MEASUREMENTS)
    with pytest.raises(BadStore, match=r"is not stored: .*\$\.scores"):
        writer.append(
            Measurement(cell=CELL.key, block=9, replica=1, attempt=1, status=Status.OK, scores={"a": float("nan")})
        )
    assert len(store.read_run(run)[1].measurements) == 3


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
FIELDS = sorted(json.loads(raw_line.encode(measured(1))))


def as_expected(text: bytes) -> None:
    """Read a line: it is whole and comes back as it went in, or it is refused in one line, or it is no JSON."""
    refused = ""
    try:
        line = raw_line.decode(text, where="m.jsonl:1")
        assert raw_line.decode(raw_line.encode(line), where="again") == line
    except BadStore as error:
        refused = str(error)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - any: what matters is that Python agrees
            json.loads(text)
    assert not refused or (refused.startswith("m.jsonl:1: ") and "\n" not in refused)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(field=st.sampled_from(FIELDS), value=VALUES)
def test_any_value_in_any_field_is_read_or_refused(field: str, value: Any) -> None:
    as_expected(changed(**{field: value}))


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(start=st.integers(0, 700), length=st.integers(0, 20), patch=st.binary(max_size=8))
def test_any_bytes_in_any_place_are_read_or_refused(start: int, length: int, patch: bytes) -> None:
    whole = raw_line.encode(measured(1))
    as_expected((whole[:start] + patch + whole[start + length :]).replace(b"\n", b" "))
