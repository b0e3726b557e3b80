"""Carrying a run through: after the planned blocks only the width of an interval asks for more."""

from dataclasses import replace
from pathlib import Path

import pytest

from checkout import TOYS
from raybench.config import settings
from raybench.config.settings import Settings
from raybench.execution.adaptive import pursue, wide_cells
from raybench.execution.run_folder import Run, identity, note_stop, open_run, plan_study, why_finished
from raybench.model.measurement import Environment, Measurement, Phases
from raybench.model.plan import Cell, Job, Plan, Role, Spec, Status, Stop, Tag
from raybench.store import store

WORK = Spec(name="w", target="x.W")
LOOP = Cell(
    workload=WORK, backend=Spec(name="sequential", target="x.S", role=Role.BASELINE, tags=(Tag.SERIAL,)), workers=1
)
POOL = Cell(workload=WORK, backend=Spec(name="pool", target="x.P", tags=("parallel",)), workers=2)


def made(cell_seconds: dict[str, list[float]]) -> tuple[Plan, store.Loaded]:
    cells = {cell.key: cell for cell in (LOOP, POOL)}
    blocks = len(next(iter(cell_seconds.values())))
    jobs = [Job(cell=cells[key], block=b, order=0, seed=1) for b in range(blocks) for key in cell_seconds]
    lines = [
        Measurement(cell=key, block=b, replica=1, attempt=1, status=Status.OK, phases=Phases(makespan=seconds))
        for key, values in cell_seconds.items()
        for b, seconds in enumerate(values)
    ]
    plan = Plan(
        study="s", seed=1, blocks=blocks, usable_cpus=2, jobs=tuple(jobs), skips=(), controls=True, verdicts=True
    )
    return plan, store.Loaded(measurements=tuple(lines), qualities=())


def opened(asked: Settings) -> Run:
    plan = plan_study(asked)

    def collect(plan_digest: str, command: str) -> Environment:
        return Environment(machine="toy", identity=identity(plan), began="r", facts={}, command=command)

    return open_run(asked, plan, command="test", collect=collect)


def test_a_narrow_interval_asks_for_nothing_whatever_its_verdict():
    plan, loaded = made({LOOP.key: [2.0, 2.01, 2.0, 2.01, 2.0, 2.01], POOL.key: [1.0, 1.01, 1.0, 1.01, 1.0, 1.01]})

    assert wide_cells(plan, loaded) == []


def test_a_wide_interval_asks_for_its_cell():
    plan, loaded = made({LOOP.key: [2.0] * 6, POOL.key: [1.0, 2.0, 1.5, 1.0, 2.5, 1.2]})

    assert wide_cells(plan, loaded) == [POOL.key]
    assert wide_cells(replace(plan, target_half_width=9.0), loaded) == []


def test_a_cell_that_was_disturbed_each_time_asks_for_more():
    plan, loaded = made({LOOP.key: [2.0] * 6, POOL.key: [1.0] * 6})
    restless = tuple(
        replace(line, status=Status.DISTURBED) if line.cell == POOL.key else line for line in loaded.measurements
    )

    assert wide_cells(plan, replace(loaded, measurements=restless)) == [POOL.key]


def test_mini_blocks_hold_the_cell_its_base_and_the_replica(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("raybench.execution.adaptive.MOST_BLOCKS", 7)
    asked = settings.load(
        [
            "study=smoke", f"reports={tmp_path}", "workloads=[toy_none]", "backends=[sequential,joblib]", "cpus=[1]",
            "blocks=6", "study.controls=true", "study.verdicts=true", "budget_min=9", "study.target_half_width=0.001",
        ],
        conf=[TOYS],
    )  # fmt: skip
    run = opened(asked)
    plan = run.plan
    done = pursue(run, asked, lambda event: None)

    lines = store.Store(run.folder / store.MEASUREMENTS).load().measurements
    extra = [m for m in lines if m.extra]
    assert done.stopped is Stop.MOST_BLOCKS
    assert {m.block for m in lines if not m.extra} == set(range(6))
    assert {m.block for m in extra} == {6}
    assert {(m.cell, m.replica) for m in extra} == {
        (cell.key, replica) for cell in plan.cells for replica in ((1, 2) if "serial" in cell.backend.tags else (1,))
    }


def test_a_budget_that_ends_between_blocks_leaves_the_quality_pass_to_be_taken(tmp_path: Path):
    asked = settings.load(
        [
            "study=smoke", f"reports={tmp_path}", "workloads=[xgb_hpo_friedman]", "backends=[sequential]", "cpus=[1]",
            "size=tiny", "blocks=2", "budget_min=0.001", "study.quality_pairs=1",
        ]
    )  # fmt: skip
    run = opened(asked)
    done = pursue(run, asked, lambda event: None)

    loaded = store.Store(run.folder / store.MEASUREMENTS).load()
    assert done.stopped is Stop.BUDGET
    assert {m.block for m in loaded.measurements} == {0}
    assert {q.workload for q in loaded.qualities} == {"xgb_hpo_friedman"}


def test_a_run_is_finished_when_it_said_so_and_nothing_was_added_since(tmp_path: Path):
    plan, _ = made({LOOP.key: [1.0] * 6})
    run = Run(folder=tmp_path, plan=plan, resumed=True, note="")
    assert why_finished(run, budget_min=10) == ""

    note_stop(run, "budget", budget_min=10)
    assert why_finished(run, budget_min=10) == ""

    note_stop(run, "complete", budget_min=10)
    assert why_finished(run, budget_min=10) == "complete"

    (tmp_path / store.MEASUREMENTS).write_text("{}\n", encoding="utf-8")
    assert why_finished(run, budget_min=10) == ""


def test_planned_blocks_are_a_finished_study_unless_a_larger_budget_is_given(tmp_path: Path):
    plan, _ = made({LOOP.key: [1.0] * 6})
    run = Run(folder=tmp_path, plan=plan, resumed=True, note="")

    note_stop(run, Stop.PLANNED, budget_min=10)

    assert why_finished(run, budget_min=10).startswith("all planned blocks are there")
    assert why_finished(run, budget_min=10.5) == ""
