"""The contract of conf/backend and of the peers, YAML and class together, on two workers and tiny task sets."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import task_sets

from checkout import PEERS
from raybench.backends.base import Backend, Resources
from raybench.config import settings
from raybench.execution.measure import load_backend
from raybench.model.errors import BackendFailed, RaybenchError
from raybench.model.measurement import TaskResult
from raybench.model.plan import Cluster, Role, Spec, Tag
from toys.quirks import Quirk

ABLATED = "_without_"  # see test_ablated.py
BACKENDS = {
    name: spec
    for name, spec in settings.load(["study=everything"], conf=[PEERS]).study.backends.items()
    if ABLATED not in name
}


def is_ray(spec: Spec) -> bool:
    return "ray" in spec.requires.packages


def is_tune(spec: Spec) -> bool:
    return "ray_tune" in spec.target


def distinct() -> list[Any]:
    """List each backend as a parameter; one that differs from another only by its head is the same code."""
    seen, found = set(), []
    for name, spec in BACKENDS.items():
        params = {key: value for key, value in spec.params.items() if key != "flags"}
        code = (spec.target, str(params), Tag.SERIAL in spec.tags)
        if code not in seen and spec.role is not Role.THREADED_BASELINE and not spec.is_control:
            marks = [pytest.mark.ray] if is_ray(spec) else []
            marks += [pytest.mark.slow] if is_tune(spec) and spec.role is Role.DOCUMENTED else []
            marks += [pytest.mark.mlflow] if "mlflow" in spec.requires.packages else []
            found.append(pytest.param(name, id=name, marks=marks))
        seen.add(code)
    return found


@pytest.fixture(scope="module", params=distinct())
def entered(request: pytest.FixtureRequest) -> Iterator[tuple[str, Backend]]:
    """Enter a backend once for all tests of this file; a failed set of tasks must leave it fit for the next one."""
    name = request.param
    skip_without_packages(BACKENDS[name])
    address = request.getfixturevalue("ray_head") if is_ray(BACKENDS[name]) else None
    resources = Resources(workers=wanted(name), cluster=Cluster(address=address))
    with load_backend(BACKENDS[name], resources) as backend:
        yield name, backend


def skip_without_packages(spec: Spec) -> None:
    for package in spec.requires.packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


def wanted(name: str) -> int:
    spec = BACKENDS[name]
    return 1 if Tag.SERIAL in spec.tags or spec.role is Role.THREADED_BASELINE else 2


def tasks_for(name: str, **options: Any) -> task_sets.Squares:
    """Return Tune and the other searchers trials with steps, the others plain tasks."""
    return (task_sets.Steps if Tag.HPO in BACKENDS[name].requires.tags else task_sets.Squares)(**options)


def workers_of(results: list[TaskResult]) -> set[int]:
    return {result.seen.pid for result in results if result.seen is not None}


def assert_only_an_adaptive_backend_stopped_trials(
    adaptive: bool, budgets: list[int | None], results: list[TaskResult]
) -> None:
    whole = [result.steps == budget for budget, result in zip(budgets, results, strict=True)]
    assert whole[0], "the best trial is never stopped"
    # the fourth's loss is above the first three's at each rung, and with two workers it cannot be the first to report
    assert whole[3] is not adaptive
    assert all(result.points[-1].steps == result.steps for result in results)
    assert all(result.steps in (1, 3) for result, done in zip(results, whole, strict=True) if not done)


def test_every_task_comes_back_once_in_order_from_all_workers_with_the_data_brought_once(
    entered: tuple[str, Backend], tmp_path: Path
) -> None:
    name, backend = entered
    spec = BACKENDS[name]
    slow = is_tune(spec)
    workload = tasks_for(name, n=4 if slow else 12, folder=str(tmp_path), seconds=0.1 if slow else 0.01)
    tasks, data = workload.tasks(0), workload.data(0)
    before = data["x"].copy()
    assert backend.version()
    warm = backend.warm(workload, workload.warm_up(0), data)
    results = backend.run(workload, tasks, data)
    if not slow:
        again = backend.run(workload, tasks[::-1], data)
        assert [r.index for r in again] == [t.index for t in tasks][::-1]
    assert backend.run(workload, [], data) == []
    assert [r.index for r in results] == [t.index for t in tasks]
    workload.check(tasks, results, 0)
    assert all(r.error == "" and r.started <= r.ended for r in results)
    assert np.array_equal(data["x"], before)
    if isinstance(workload, task_sets.Steps):
        assert_only_an_adaptive_backend_stopped_trials(spec.stepped, [task.steps for task in tasks], results)
    if spec.role is not Role.DOCUMENTED:
        answered = results if name == "optuna_parallel" else warm + results  # Optuna: new threads in each study
        assert len(workers_of(answered)) == wanted(name)
        assert len({r.pid for r in answered}) == wanted(name)
        assert len(list(tmp_path.glob("prepared-*"))) == (1 if Tag.THREADS_POOL in spec.tags else wanted(name))


def test_a_task_that_raises_fails_the_run_and_is_named(entered: tuple[str, Backend], tmp_path: Path) -> None:
    name, backend = entered
    if is_tune(BACKENDS[name]) and name != "ray_tune_fifo":
        pytest.skip("the same code as ray_tune_fifo")
    always, later = task_sets.Raises(n=4, folder=str(tmp_path)), tasks_for(name, n=4)
    with pytest.raises(BackendFailed, match="task 3 raised ValueError: planted failure"):
        backend.run(always, always.tasks(0), always.data(0))
    later.check(later.tasks(0), backend.run(later, later.tasks(0), later.data(0)), 0)


def test_failures_are_results_where_the_workload_collects_them_and_retries_are_counted(
    entered: tuple[str, Backend], tmp_path: Path
) -> None:
    name, backend = entered
    if is_tune(BACKENDS[name]) or BACKENDS[name].stepped:
        pytest.skip("trials are not retried")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    collects = task_sets.Raises(folder=str(tmp_path / "a"), collect=True, retries=1)
    recovers = task_sets.Raises(folder=str(tmp_path / "b"), times=2, retries=2)
    results = backend.run(collects, collects.tasks(0), collects.data(0))
    recovered = backend.run(recovers, recovers.tasks(0), recovers.data(0))
    assert [r.error for r in results] == [*[""] * 3, "task 3 raised ValueError: planted failure", *[""] * 4]
    assert results[3].tries == 2
    recovers.check(recovers.tasks(0), recovered, 0)
    assert [r.tries for r in recovered] == [3 if i == 3 else 1 for i in range(8)]


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("own error in prepare", "OwnError: 7: in prepare"),
        ("exit", "task 3 raised SystemExit: 3"),
        ("in place", "task . raised ValueError: output array is read-only"),
        ("own error", "task 3 raised OwnError: 7: in run"),
        ("interrupt", "task 3 raised KeyboardInterrupt"),
        ("returns", r"task .: `run` returned . \(int\); it must yield Progress"),
        ("relative path", "task . raised FileNotFoundError"),
        ("answers with a lambda", r"task 3: its answer, .* \(function\), cannot be sent back: pickling it raised"),
    ],
)
def test_what_user_code_does_wrong_is_named_alike_on_every_backend(
    entered: tuple[str, Backend], mode: str, said: str
) -> None:
    name, backend = entered
    if is_tune(BACKENDS[name]) and (BACKENDS[name].stepped or mode not in ("own error in prepare", "exit", "in place")):
        pytest.skip("a fit takes long, and its tasks run by the same code")
    quirk, later = Quirk(mode=mode), tasks_for(name, n=4)
    with pytest.raises(BackendFailed, match=said):
        backend.run(quirk, quirk.tasks(0), quirk.data(0))
    if not is_tune(BACKENDS[name]):
        later.check(later.tasks(0), backend.run(later, later.tasks(0), later.data(0)), 0)


def test_a_trial_whose_loss_is_nan_at_a_rung_is_stopped_there(entered: tuple[str, Backend]) -> None:
    name, backend = entered
    if not BACKENDS[name].stepped:
        pytest.skip("runs every trial in full")
    quirk = Quirk(mode="loss is NaN")
    results = backend.run(quirk, quirk.tasks(0), quirk.data(0))
    assert results[0].steps == 9, "the best trial is never stopped"
    assert [results[1].steps, results[3].steps] == [1, 1]


def test_a_loss_of_numpy_is_a_float_on_every_backend(entered: tuple[str, Backend]) -> None:
    name, backend = entered
    if is_tune(BACKENDS[name]) and not BACKENDS[name].stepped:
        pytest.skip("a fit takes long, and its tasks run by the same code")
    quirk = Quirk(mode="loss of numpy, 32")
    results = backend.run(quirk, quirk.tasks(0), quirk.data(0))
    assert {type(of) for r in results for of in (r.loss, *(p.loss for p in r.points))} == {float}


@pytest.mark.parametrize("times", [1, 99], ids=["killed once", "killed always"])
def test_a_killed_worker_costs_no_result_or_fails_the_run(
    entered: tuple[str, Backend], times: int, tmp_path: Path
) -> None:
    name, backend = entered
    spec = BACKENDS[name]
    if {Tag.SERIAL, Tag.THREADS_POOL} & set(spec.tags):
        pytest.skip("its tasks run in the driver's own process")
    if is_tune(spec) and name != "ray_tune_fifo":
        pytest.skip("the same code as ray_tune_fifo")
    workload = task_sets.Kills(n=4 if is_tune(spec) else 8, folder=str(tmp_path), times=times, driver=os.getpid())
    tasks = workload.tasks(0)
    try:
        results = backend.run(workload, tasks, workload.data(0))
    except RaybenchError as error:
        failure: RaybenchError | None = error
    else:
        failure = None
        workload.check(tasks, results, 0)
    if failure is not None:
        assert isinstance(failure, BackendFailed)
        assert str(failure)
    elif times > 1:
        pytest.fail("results came back although one task kills every worker")


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_s_yaml_builds_its_class_and_says_how_it_is_laid_out(name: str) -> None:
    spec = BACKENDS[name]
    skip_without_packages(spec)
    load_backend(spec, Resources(workers=wanted(name)))
    serial, parallel = (tag in spec.tags for tag in (Tag.SERIAL, Tag.PARALLEL))
    assert serial + parallel + (spec.role is Role.THREADED_BASELINE) == 1
    assert not spec.variant_of or spec.variant_of in BACKENDS
    assert spec.about
    assert all(isinstance(value, str) for value in spec.params.get("flags", {}).values())


def test_backends_that_share_a_head_have_the_same_flags() -> None:
    flags = [spec.params["flags"] for spec in BACKENDS.values() if Tag.SHARED_HEAD in spec.tags]
    assert flags
    assert all(each == flags[0] for each in flags)
