"""The rules of the checklist that made plans and configuration files can show to be kept, by number.

Those about numbers are in `test_checklist_numbers`; those that need a recorded study in `test_checklist_run` and
`test_checklist_report`; those that no program checks, in METHODOLOGY.md.
"""

import inspect
import pickle

from made_claims import RAY, loop_and, named
from made_study import POOL, WORKLOAD, cell, series
from raybench.analysis.analyze import analyse
from raybench.analysis.dataset import Dataset
from raybench.analysis.speedup import rows
from raybench.backends.base import execute
from raybench.backends.joblib_loky import JoblibLoky
from raybench.claims.judge import judge
from raybench.config import settings
from raybench.execution.measure import load_workload
from raybench.model.estimate import VerdictKind
from raybench.model.plan import GridRow, Study
from raybench.model.stats import Resampler
from raybench.planning.planner import Machine, plan
from raybench.workloads.monte_carlo import MonteCarlo

DRAWS = Resampler(resamples=999)


def machine(cpus: int = 6) -> Machine:
    return Machine(
        usable_cpus=cpus,
        cpus_for=lambda count: tuple(range(count)),
        gpus=0,
        missing_data=lambda name: "",
        missing_package=lambda name: False,
    )


def test_rule_05_one_core_and_all_usable_cores_are_on_the_grid() -> None:
    """Of the full study's scaling row; six usable cores are no power of two."""
    study = settings.load(["study=full"]).study
    (scaled,) = [row for row in study.grid if "powers" in row.cpus]
    made = plan(study, machine(6))
    parallel = [name for name in scaled.backends if "parallel" in study.backends[name].tags]
    assert len(parallel) >= 4
    for name in parallel:
        found = {c.cpus for c in made.cells if c.backend.name == name and c.workload.name in scaled.workloads}
        assert found == {1, 2, 4, 6}, name


def test_rule_25_seeds_belong_to_task_indices_and_not_to_workers_or_order() -> None:
    workload = MonteCarlo(points=1_000, chunk=100)
    tasks = workload.tasks(7)
    forwards = {task.index: execute(workload, task, None).answer for task in tasks}
    backwards = {task.index: execute(workload, task, None).answer for task in reversed(workload.tasks(7))}
    assert forwards == backwards
    assert len({tuple(task.params["spawn_key"]) for task in tasks}) == 10
    assert MonteCarlo(points=2_000, chunk=100).tasks(7)[:10] == tasks  # more tasks leave the first as they were


def test_rule_34_joblib_runs_with_its_own_batches_and_with_batches_of_one() -> None:
    study = settings.load(["study=metg"]).study
    arms = {c.backend.name: c.backend for c in plan(study, machine(2)).cells if c.workload.name == "granularity"}
    assert inspect.signature(JoblibLoky).parameters["batch_size"].default == "auto"
    assert "batch_size" not in arms["joblib"].params
    assert arms["joblib_b1"].params["batch_size"] == 1
    assert arms["joblib"].target == arms["joblib_b1"].target


def test_rule_36_more_workers_than_cores_are_tagged() -> None:
    grid = GridRow(workloads=("work",), backends=("pool",), cpus=(2,), workers=(2, 8))
    study = Study(
        name="s", grid=(grid,), workloads={"work": WORKLOAD}, backends={"pool": POOL}, blocks=6, seed=1,
        budget_min=1, controls=False, quality_pairs=0,
    )  # fmt: skip
    made = plan(study, machine(2))
    lines = [m for where in made.cells for m in series(where, [1.0] * 6)]
    tagged = {row.cell.workers: "OVERSUBSCRIBED" in row.flags for row in rows(Dataset(made, lines), DRAWS)}
    assert tagged == {2: False, 8: True}


def test_rule_38_more_cores_than_were_measured_are_never_supported() -> None:
    """Sentences about 25 cores, put to two."""
    made = loop_and((cell(RAY, 2, workload=named("primes", "compute")), 4.0))
    verdicts = {line.id: line.verdict for line in judge(made, analyse(made))}
    assert {verdicts[f"C{number}"] for number in range(21, 26)} <= {VerdictKind.PREDICTED, VerdictKind.UNTESTABLE}


def test_rule_39_the_workers_never_hold_the_labels_of_the_test_rows() -> None:
    """The bytes of the labels are looked for in all that a worker is sent."""
    study = settings.load(["study=quick", "size=tiny", "workloads=[xgb_hpo_friedman]"]).study
    workload = load_workload(study.workloads["xgb_hpo_friedman"])
    split = workload.split(3)
    sent = pickle.dumps((workload, workload.tasks(3), workload.data(3)))
    assert split.rows.y_validation.tobytes() in sent
    assert split.rows.x_test.tobytes() in sent
    assert split.y_test.tobytes() not in sent
