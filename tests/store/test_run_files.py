"""What stands beside the raw lines of a run: its plan, environment and lock, and which run is the current one."""

import dataclasses
import os
import subprocess
import sys

import pytest

from raybench.model.errors import BadStore, StoreInUse
from raybench.model.measurement import Environment
from raybench.model.plan import Cell, Job, Limits, Plan, Requires, Skip, Spec
from raybench.store import store


def planned() -> Plan:
    workload = Spec(name="w", target="m:W", params={"n": 3}, tags=("compute",), requires=Requires(packages=("numpy",)))
    cells = [
        Cell(workload=workload, backend=Spec(name=name, target="m:B"), workers=workers)
        for name, workers in (("sequential", 1), ("ray_tasks", 2))
    ]
    jobs = tuple(
        Job(cell=cell, block=block, order=order, seed=7, affinity=(0, 1), limits=Limits(cell_timeout_s=30.0))
        for block in range(3)
        for order, cell in enumerate(cells)
    )
    gpu = Cell(workload=workload, backend=Spec(name="ray_tasks", target="m:B"), workers=1, gpus=1)
    skips = (Skip(cell=gpu, reason="no GPU here"),)
    return Plan(study="s", seed=7, blocks=3, usable_cpus=2, jobs=jobs, skips=skips, controls=True, verdicts=False)


def test_a_plan_comes_back_equal(tmp_path):
    store.write_plan(tmp_path, planned())
    assert store.read_plan(tmp_path) == planned()


def test_a_plan_without_jobs_comes_back_equal(tmp_path):
    empty = dataclasses.replace(planned(), jobs=())
    store.write_plan(tmp_path, empty)
    assert store.read_plan(tmp_path) == empty


def test_a_plan_names_each_cell_once(tmp_path):
    store.write_plan(tmp_path, planned())
    text = (tmp_path / "plan.json").read_text()
    assert text.count('"name": "sequential"') == 1
    assert text.count('"cell_timeout_s"') == 1


@pytest.mark.rule(1)
def test_an_edited_cell_is_refused(tmp_path):
    store.write_plan(tmp_path, planned())
    path = tmp_path / "plan.json"
    path.write_text(path.read_text().replace('"n": 3', '"n": 4'))
    with pytest.raises(BadStore, match="it was edited"):
        store.read_plan(tmp_path)


@pytest.mark.parametrize("text", ["[]", "{", '{"schema": 9}', '{"schema": 2}'])
def test_a_foreign_plan_is_refused(tmp_path, text):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(BadStore, match=r"plan\.json: "):
        store.read_plan(tmp_path)


def test_an_absent_plan_is_named(tmp_path):
    with pytest.raises(BadStore, match=r"plan\.json: does not exist"):
        store.read_plan(tmp_path)


def test_an_environment_comes_back_equal(tmp_path):
    environment = Environment(
        machine="m", identity={"source": "ab"}, began="20260101T000000Z", facts={"cpu": {"model": "x"}}, command="c"
    )
    store.write_environment(tmp_path, environment)
    assert store.read_environment(tmp_path) == environment
    (tmp_path / "environment.json").write_text('{"schema": 2, "machine": "m"}')
    with pytest.raises(BadStore, match="not an environment"):
        store.read_environment(tmp_path)


def test_a_second_writer_is_refused_and_the_next_is_let_in(tmp_path):
    with store.lock(tmp_path), pytest.raises(StoreInUse, match="another raybench run"), store.lock(tmp_path):
        pass
    with store.lock(tmp_path):
        pass


def test_the_lock_of_a_killed_writer_is_free(tmp_path):
    holder = (
        "import sys, pathlib; from raybench.store import store\n"
        "with store.lock(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert child.stdout.readline() == "held\n"
    with pytest.raises(StoreInUse), store.lock(tmp_path):
        pass
    child.kill()
    child.communicate()
    with store.lock(tmp_path):
        pass


def test_runs_are_found_and_the_current_one_is_remembered(tmp_path):
    folders = [tmp_path / "raw" / "m" / study / "r1" for study in ("quick", "full")]
    for folder in folders:
        store.write_plan(folder, planned())
    (tmp_path / "raw" / "m" / "quick" / "no-plan").mkdir()

    assert store.runs(tmp_path) == sorted(folders)
    assert store.current(tmp_path) is None
    store.set_current(tmp_path, folders[0])
    assert (tmp_path / "current").read_text() == "raw/m/quick/r1\n"
    assert store.current(tmp_path) == folders[0]


def test_a_current_run_that_is_gone_is_named(tmp_path):
    (tmp_path / "current").write_text("raw/m/quick/gone\n")
    with pytest.raises(BadStore, match="gone"):
        store.current(tmp_path)


def test_the_current_run_may_lie_anywhere(tmp_path):
    run = tmp_path / "elsewhere" / "raw" / "m" / "quick" / "r1"
    store.write_plan(run, planned())
    store.set_current(tmp_path / "reports", run)
    assert (tmp_path / "reports" / "current").read_text() == "../elsewhere/raw/m/quick/r1\n"
    assert store.current(tmp_path / "reports").resolve() == run
