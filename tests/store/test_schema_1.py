"""A run that was recorded with schema 1 is read as if today's raybench had taken it: one line of each kind."""

from pathlib import Path

import pytest

from raybench.model.errors import BadStore
from raybench.model.measurement import HeadUse
from raybench.store import store

RECORDED = Path(__file__).parent / "schema_1"
LINES = (RECORDED / "measurements.jsonl").read_text(encoding="utf-8").splitlines()


def test_every_detail_of_the_notes_has_found_its_type() -> None:
    _, loaded = store.read_run(RECORDED)
    details = [m.details for m in loaded.measurements]

    assert [len(d.copies_s) for d in details if d.copies_s] == [2]
    assert any(d.batches and all(isinstance(size, int) for size in d.batches) for d in details)
    assert [round(d.injected_s, 2) for d in details if d.injected_s is not None] == [0.05]
    assert all(len(d.fit.workers_first_start_s) == len(d.fit.trials_per_worker) for d in details if d.fit)
    assert any(d.fit and d.fit.whole_s > d.fit.to_first_trial_s > 0 for d in details)
    assert any(d.bytes_used for d in details)
    assert any(d.failures and d.failures.tries > 0 for d in details)
    assert [d.gpu.devices for d in details if d.gpu] == ["LOGICAL"]
    assert any(d.search and d.search.steps_run > d.search.steps_repeated for d in details)


def test_what_a_workload_said_by_its_own_names_stays_and_nothing_is_lost() -> None:
    _, loaded = store.read_run(RECORDED)
    assert {name for m in loaded.measurements for name in m.facts} >= {"object_bytes", "way", "share"}
    assert not {"head", "head_start_s", "fit", "tries"} & {name for m in loaded.measurements for name in m.facts}
    assert any(m.head and m.head.use is HeadUse.SHARED and m.head.start_s > 0 for m in loaded.measurements)
    assert any(m.sweep for m in loaded.measurements)
    assert len(loaded.measurements) + len(loaded.qualities) == len(LINES)


def test_stamps_that_were_cut_behind_their_last_news_are_whole() -> None:
    _, loaded = store.read_run(RECORDED)
    (bare,) = [m for m in loaded.measurements if m.details.copies_s]
    assert {(t.error, t.tries) for t in bare.tasks} == {("", 1)}
    assert all(t.ended > t.started >= 0 for t in bare.tasks)


def test_cells_keep_the_keys_that_their_lines_name() -> None:
    plan, loaded = store.read_run(RECORDED)
    assert {m.cell for m in loaded.measurements} == {cell.key for cell in plan.cells}
    assert store.read_environment(RECORDED).identity["lock"]


def test_an_edited_cell_of_schema_1_is_refused(tmp_path: Path) -> None:
    text = (RECORDED / store.PLAN).read_text(encoding="utf-8")
    (tmp_path / store.PLAN).write_text(text.replace('"workers": 2', '"workers": 3'), encoding="utf-8")
    with pytest.raises(BadStore, match="it was edited"):
        store.read_plan(tmp_path)


def test_wrong_types_are_refused_in_old_lines_too(tmp_path: Path) -> None:
    path = tmp_path / store.MEASUREMENTS
    path.write_text(LINES[0].replace('"block":', '"block":"three","was":') + "\n")
    with pytest.raises(BadStore, match=r"measurements\.jsonl:1: .*`int`, got `str`"):
        store.Store(path).load()
