"""A trace tells the same story as the raw line: phases in order, tasks on their workers."""

import itertools
import json

import pytest

from raybench.model.errors import BadSettings
from raybench.report import trace
from report import made_run


def asha(block: int = 0):
    jobs = list(enumerate(made_run.plan().jobs))
    index, job = next((i, j) for i, j in jobs if j.cell.backend.name == "ray_tune_asha" and j.block == block)
    return job.cell, made_run.measurement(job, index)


def test_phases_follow_each_other_and_tasks_lie_within_the_makespan():
    cell, m = asha()
    events = json.loads(
        trace.text(cell, m, [made_run.measurement(job, i) for i, job in enumerate(made_run.plan().jobs)])
    )["traceEvents"]
    phases = [e for e in events if e.get("cat") == "phase"]
    assert [e["name"] for e in phases] == [
        "interpreter", "imports", "data", "start-up", "warm-up", "makespan", "shutdown", "check",
    ]  # fmt: skip
    for before, after in itertools.pairwise(phases):
        assert before["ts"] + before["dur"] == pytest.approx(after["ts"], abs=0.2)
    makespan = next(e for e in phases if e["name"] == "makespan")
    assert makespan["ts"] == pytest.approx((0.05 + 0.5 + 0.1 + 6.5 + 0.3) * 1e6)
    tasks = [e for e in events if e["name"].startswith("task ") and e["ph"] == "X"]
    assert len(tasks) == made_run.TASKS
    assert all(makespan["ts"] <= e["ts"] and e["ts"] + e["dur"] <= makespan["ts"] + makespan["dur"] + 1 for e in tasks)
    assert {e["tid"] for e in tasks} == {1, 2}
    assert sorted(e["cat"] for e in tasks) == ["done"] * 4 + ["fewer steps"] * 4


def test_every_report_of_a_task_is_an_instant():
    cell, m = asha()
    events = trace.trace(cell, m)["traceEvents"]
    assert sum(e["ph"] == "i" for e in events) == sum(len(task.points) for task in m.tasks)


def test_the_median_measurement_is_chosen_unless_a_block_is_named():
    cell, _ = asha()
    plan = made_run.plan()
    lines = [made_run.measurement(job, index) for index, job in enumerate(plan.jobs)]
    mine = sorted((m for m in lines if m.cell == cell.key), key=lambda m: m.phases.makespan)
    assert trace.choose(plan, lines, cell.key) == mine[3]
    assert trace.choose(plan, lines, cell.key[:8], block=0).block == 0


@pytest.mark.parametrize(("key", "words"), [("zzz", "names 0 cells"), ("", "names 0 cells")])
def test_an_unknown_cell_is_refused_with_keys_that_exist(key, words):
    with pytest.raises(BadSettings, match=words):
        trace.choose(made_run.plan(), [], key)


def test_a_cell_without_stamps_is_refused():
    cell, m = asha()
    with pytest.raises(BadSettings, match="no measurement with task stamps in block 9"):
        trace.choose(made_run.plan(), [m], cell.key, block=9)
