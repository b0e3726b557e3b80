"""The store of raw lines survives a killed writer, refuses what cannot be trusted, and gives back what was put in."""

import dataclasses
import json
import os

import pytest

from raybench.model.errors import BadStore
from raybench.model.measurement import (
    Details,
    Disturbance,
    GpuUse,
    HeadUse,
    HeadUsed,
    Measurement,
    Phases,
    Quality,
    SweepTiming,
    TaskStamp,
    WorkerSeen,
)
from raybench.model.plan import Status
from raybench.store import store


def measured(block: int = 0, **changes: object) -> Measurement:
    """Return a measurement with something in every field that has a shape of its own."""
    whole = Measurement(
        cell="0123456789ab",
        block=block,
        replica=1,
        attempt=1,
        status=Status.OK,
        phases=Phases(start_up=0.5, start_parts={"head": 0.25}, makespan=2.0),
        tasks=(
            TaskStamp(index=0, started=0.0, ended=0.5, worker=11),
            TaskStamp(index=1, started=0.1, ended=0.9, worker=12, steps=8, loss=0.5, points=((4, 0.75, 0.3),)),
            TaskStamp(index=2, started=0.5, ended=0.6, worker=11, error="boom\n| <b>", tries=2),
        ),
        sweep=(SweepTiming(work=8, tasks=200, wall_s=1.5, busy_s=2.5, workers=2),),
        workers_seen=(WorkerSeen(pid=11, node="n", threads=1, affinity=2, nice=0, omp="1"),),
        nodes_seen=("n",),
        scores={"rmse": 3.5},
        head=HeadUsed(use=HeadUse.SHARED, start_s=2.5),
        details=Details(batches=(1, 2), gpu=GpuUse(devices="LOGICAL", most_at_once=2)),
        facts={"bytes": 7},
        disturbance=Disturbance(steal=0.01),
    )
    return dataclasses.replace(whole, **changes)


def quality(pair: int) -> Quality:
    return Quality(
        workload="w",
        variant="tuned",
        pair=pair,
        metric="rmse",
        baseline="default",
        baseline_test=2.0,
        tuned_validation=1.5,
        tuned_test=1.75,
        baseline_errors=(4.0, 4.0),
        tuned_errors=(3.0, 3.125),
        chosen={"depth": 3},
    )


def test_what_is_appended_is_loaded_in_the_same_order(tmp_path):
    path = tmp_path / "measurements.jsonl"
    writer = store.Store(path)
    for line in (measured(0), quality(0), measured(1, status=Status.FAILED, reason="x"), quality(1)):
        writer.append(line)

    loaded = store.Store(path).load()

    assert loaded.measurements == (measured(0), measured(1, status=Status.FAILED, reason="x"))
    assert loaded.qualities == (quality(0), quality(1))
    assert not loaded.torn


def test_every_line_names_its_kind_and_its_schema(tmp_path):
    path = tmp_path / "m.jsonl"
    writer = store.Store(path)
    writer.append(measured())
    writer.append(quality(0))
    heads = [(record["kind"], record["schema"]) for record in map(json.loads, path.read_text().splitlines())]
    assert heads == [("measurement", 2), ("quality", 2)]


def test_task_stamps_are_rows(tmp_path):
    path = tmp_path / "m.jsonl"
    store.Store(path).append(measured())
    assert json.loads(path.read_text())["tasks"] == [
        [0, 0.0, 0.5, 11, 0, None, [], "", 1],
        [1, 0.1, 0.9, 12, 8, 0.5, [[4, 0.75, 0.3]], "", 1],
        [2, 0.5, 0.6, 11, 0, None, [], "boom\n| <b>", 2],
    ]


def test_an_absent_file_is_an_empty_store(tmp_path):
    loaded = store.Store(tmp_path / "none.jsonl").load()
    assert loaded == store.Loaded(measurements=(), qualities=(), torn=False)


@pytest.mark.parametrize("cut", [1, 2, 40, 200])
def test_a_torn_last_line_is_ignored_and_makes_way_for_the_next(tmp_path, cut):
    path = tmp_path / "m.jsonl"
    writer = store.Store(path)
    writer.append(measured(0))
    whole = path.read_bytes()
    writer.append(measured(1))
    path.write_bytes(path.read_bytes()[: len(whole) + cut])

    again = store.Store(path)
    assert again.load() == store.Loaded(measurements=(measured(0),), qualities=(), torn=True)
    again.append(measured(2))

    assert path.read_bytes().startswith(whole)
    assert store.Store(path).load() == store.Loaded(measurements=(measured(0), measured(2)), qualities=())


def test_a_last_line_that_lacks_only_its_newline_is_kept(tmp_path):
    path = tmp_path / "m.jsonl"
    store.Store(path).append(measured(0))
    path.write_bytes(path.read_bytes()[:-1])

    store.Store(path).append(measured(1))

    assert store.Store(path).load() == store.Loaded(measurements=(measured(0), measured(1)), qualities=())


def test_garbage_at_the_very_end_is_torn_even_with_a_newline(tmp_path):
    path = tmp_path / "m.jsonl"
    store.Store(path).append(measured(0))
    with path.open("ab") as file:
        file.write(b"\0\0\0\0\n")
    assert store.Store(path).load().torn
    store.Store(path).append(measured(1))
    assert [m.block for m in store.Store(path).load().measurements] == [0, 1]


def test_a_damaged_line_in_the_middle_is_refused_with_file_and_line(tmp_path):
    path = tmp_path / "m.jsonl"
    for block in range(3):
        store.Store(path).append(measured(block))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:50], lines[2]]) + "\n")
    with pytest.raises(BadStore, match=r"m\.jsonl:2: not a JSON line .*restore"):
        store.Store(path).load()


def test_a_duplicate_key_is_refused_with_both_lines(tmp_path):
    path = tmp_path / "m.jsonl"
    store.Store(path).append(measured(4))
    path.write_text(path.read_text() * 2)
    with pytest.raises(BadStore, match=r"m\.jsonl:2: measurement \(cell 0123456789ab, block 4.* line 1; "):
        store.Store(path).load()


def test_a_key_that_is_there_is_not_appended_again(tmp_path):
    path = tmp_path / "m.jsonl"
    store.Store(path).append(measured(0))
    before = path.read_bytes()
    with pytest.raises(BadStore, match="already there"):
        store.Store(path).append(measured(0, status=Status.FAILED))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": 3}, "schema 3, expected 2"),
        ({"kind": "verdict"}, "kind measurement, sample or quality"),
        ({"status": "okay"}, "Invalid enum value 'okay'"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_foreign_line_is_refused(tmp_path, change, words):
    path = tmp_path / "m.jsonl"
    store.Store(path).append(measured(0))
    path.write_text(json.dumps(json.loads(path.read_text()) | change) + "\n")
    with pytest.raises(BadStore, match=rf"m\.jsonl:1: .*{words}"):
        store.Store(path).load()


def test_a_file_that_somebody_else_wrote_to_is_not_cut(tmp_path):
    path = tmp_path / "m.jsonl"
    first, second = store.Store(path), store.Store(path)
    first.append(measured(0))
    second.append(measured(1))
    before = path.read_bytes()
    with pytest.raises(BadStore, match="somebody else"):
        first.append(measured(2))
    assert path.read_bytes() == before


def test_a_full_disk_leaves_whole_lines_only(tmp_path, monkeypatch):
    path = tmp_path / "m.jsonl"
    writer = store.Store(path)
    writer.append(measured(0))
    before = path.read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:10]))
    with pytest.raises(BadStore, match="make room"):
        writer.append(measured(1))
    assert path.read_bytes() == before
