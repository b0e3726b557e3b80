"""Held-out predictions of a small study, each number worked out by hand."""

from dataclasses import replace

import pytest

from made_claims import JOBLIB, RAY, named, run
from made_study import CEILING, WORKLOAD, cell, planned, series, stamps
from raybench.analysis.analyze import analyse
from raybench.analysis.held_out import HeldOut, LeftOut
from raybench.model.measurement import Measurement
from raybench.model.plan import Cell, Role, Spec

ALONE = stamps([(1, 0.0, 4.0), (1, 4.0, 8.0)])  # two tasks of 4 s
SLOWER = stamps([(1, 0.0, 5.0), (2, 0.0, 5.0)])  # the same beside each other: 1.25 times as long
EMPTY = named("noop", "none")
OTHER = named("other", "compute", n=9)


def held_out(*measured: tuple[Cell, float, tuple]) -> HeldOut:
    """Predict a study of six blocks. measured : cell, makespan, stamps."""
    lines: list[Measurement] = []
    for where, seconds, tasks in measured:
        lines += series(where, [seconds] * 6, tasks=tasks, cpu_makespan_s=seconds)
    return analyse(run(planned([where for where, _, _ in measured], blocks=6), lines)).held_out


def empty(backend: Spec, cpus: int, seconds: float) -> tuple[Cell, float, tuple]:
    return cell(backend, cpus, workload=EMPTY), seconds, stamps([(1, 0.0, 0.0)] * 10)


BASE, RAY_2, JOBLIB_2 = cell(), cell(RAY, 2), cell(JOBLIB, 2)
STUDY = (
    (BASE, 8.0, ALONE),
    (RAY_2, 5.5, SLOWER),
    (JOBLIB_2, 5.2, SLOWER),
    empty(RAY, 2, 1.0),  # 0.1 s between two empty tasks
    empty(JOBLIB, 2, 0.1),
)


@pytest.mark.rule(37)
def test_without_the_cell_another_backend_tells_what_the_tasks_lose_side_by_side() -> None:
    found = held_out(*STUDY)
    joblib, ray = found.of(LeftOut.CELL)

    # the second task is handed out after 0.2 s, takes 1.25 x 4 s and its worker 2 x 0.1 s
    assert ray.span.seconds == pytest.approx(0.2 + 5.0 + 0.2)
    assert ray.error == pytest.approx(5.4 / 5.5 - 1)
    assert ray.formula_error == pytest.approx(8 / 1.6 / 5.5 - 1)
    assert joblib.span.seconds == pytest.approx(0.02 + 5.0 + 0.02)
    assert joblib.error == pytest.approx(5.04 / 5.2 - 1)
    errors = found.errors(LeftOut.CELL)
    assert errors is not None
    assert errors.mean == pytest.approx((0.1 / 5.5 + 0.16 / 5.2) / 2)
    assert errors.worst == pytest.approx(0.16 / 5.2)
    assert errors.bias == pytest.approx(-errors.mean)
    assert errors.coverage == 1.0


@pytest.mark.rule(37)
def test_without_the_workload_nothing_of_its_own_parallel_cells_is_known() -> None:
    _, ray = held_out(*STUDY).of(LeftOut.WORKLOAD)

    assert ray.span.seconds == pytest.approx(0.2 + 4.0 + 0.2)


def test_without_the_workload_others_tell_what_computing_tasks_lose() -> None:
    others = (
        (cell(workload=OTHER), 8.0, ALONE),
        (cell(RAY, 2, workload=OTHER), 6.0, stamps([(1, 0.0, 6.0), (2, 0.0, 6.0)])),
    )
    ray = next(one for one in held_out(*STUDY, *others).of(LeftOut.WORKLOAD) if one.cell == RAY_2)

    assert ray.span.seconds == pytest.approx(0.2 + 1.5 * 4.0 + 0.2)


@pytest.mark.rule(37)
def test_without_its_p_a_cell_is_predicted_from_other_numbers_of_cores_alone() -> None:
    one = ((cell(RAY, 1), 8.3, ALONE), empty(RAY, 1, 2.0))
    found = {held.cell.cpus: held for held in held_out(*STUDY, *one).of(LeftOut.CORES)}

    # P = 2 from P = 1: 0.2 s between two empty tasks of one worker, no loss seen
    assert found[2].span.seconds == pytest.approx(0.4 + 4.0 + 0.2)
    # P = 1 from P = 2: 0.1 s in the driver, 0.2 s in the worker for each task, none beside it
    assert found[1].span.seconds == pytest.approx(0.1 + 2 * (4.0 + 0.2))
    assert not held_out(*STUDY).of(LeftOut.CORES)


def test_bare_processes_tell_more_than_another_backend() -> None:
    bare = (cell(CEILING, 2), 4.4, stamps([(1, 0.0, 4.4), (2, 0.0, 4.4)]))
    ray = next(one for one in held_out(*STUDY, bare).of(LeftOut.CELL) if one.cell == RAY_2)

    assert ray.span.seconds == pytest.approx(0.2 + 1.1 * 4.0 + 0.2)


def test_a_choice_is_judged_by_what_was_measured() -> None:
    (choice,) = held_out(*STUDY).choices

    assert (choice.workload, choice.cpus, choice.chosen) == (WORKLOAD.name, 2, "joblib")
    assert (choice.loss, choice.joblib_loss) == (0.0, 0.0)
    slow = tuple((where, 9.0 if where == JOBLIB_2 else seconds, tasks) for where, seconds, tasks in STUDY)
    (choice,) = held_out(*slow).choices
    assert choice.loss == pytest.approx(9.0 / 5.5 - 1)


def test_only_useful_work_by_processes_is_predicted() -> None:
    control = replace(RAY, name="ray_control", role=Role.CONTROL)
    planted, sweep = named("planted", "faults"), named("ladder", "granularity_sweep")
    rest = (
        (cell(control, 2), 5.0, SLOWER),
        empty(control, 2, 1.0),
        (cell(workload=planted), 8.0, ALONE),
        (cell(RAY, 2, workload=planted), 5.0, SLOWER),
        (cell(workload=sweep), 8.0, ALONE),
        (cell(RAY, 2, workload=sweep), 5.0, SLOWER),
    )

    assert {one.cell.key for one in held_out(*STUDY, *rest).held} == {RAY_2.key, JOBLIB_2.key}


def test_predictions_pass_where_all_errors_keep_the_limits() -> None:
    assert held_out(*STUDY[:3], *STUDY[3:]).passes is False  # without the workload: 4.4 s for 5.5 s
    exact = tuple((where, seconds, ALONE if tasks is SLOWER else tasks) for where, seconds, tasks in STUDY)
    near = {RAY_2.key: 4.4, JOBLIB_2.key: 4.05}
    assert held_out(*((where, near.get(where.key, seconds), tasks) for where, seconds, tasks in exact)).passes
    assert not HeldOut().passes
