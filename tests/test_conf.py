"""The contract of every file in conf/workload and conf/backend: YAML and class together; a new file needs no test."""

import os
import pickle

import pytest

from raybench.backends.base import Resources
from raybench.config import settings
from raybench.execution.measure import load_backend, load_workload, measure
from raybench.model.errors import BackendFailed
from raybench.model.plan import Cell, Job, Limits, Role, Spec, Status, Tag
from raybench.planning.planner import NEEDS
from raybench.workloads import files
from raybench.workloads.base import answer_hash

SEED = 7
TINY = settings.load(["study=everything"]).study
SIZES = {size: settings.load(["study=quick", f"size={size}"]).study for size in ("quick", "full", "source")}
LOOP = TINY.backends["sequential"]
LIAR = Spec(name="liar", target="toys.backends.Liar", tags=(Tag.SERIAL, Tag.ENDS_TASKS))


def on(backend: Spec, workload: Spec, **limits: float) -> Job:
    affinity = tuple(sorted(os.sched_getaffinity(0)))  # this process loaded its libraries with all their threads
    cell = Cell(workload=workload, backend=backend, workers=1, cpus_per_task=len(affinity))
    return Job(cell=cell, block=0, order=0, seed=SEED, affinity=affinity, limits=Limits(**limits))  # type: ignore[arg-type]


def here(name: str) -> Spec:
    """Return a workload at its tiny size, or skip with the reason why this machine cannot run it."""
    spec = TINY.workloads[name]
    for data in spec.requires.data:
        if reason := files.unavailable(data):
            pytest.skip(reason)
    if spec.requires.gpus:
        pytest.skip("needs a GPU")
    for tag in (Tag.KILLS, Tag.GPU):
        if tag in spec.tags:
            pytest.skip(NEEDS[tag][1])
    return spec


@pytest.mark.parametrize("name", TINY.workloads)
def test_a_workload_s_yaml_and_class_say_the_same(name: str):
    spec = TINY.workloads[name]
    workload = load_workload(spec)
    tasks = workload.tasks(SEED)

    assert pickle.loads(pickle.dumps(workload)).tasks(SEED)[0].index == 0
    assert [task.index for task in tasks] == list(range(len(tasks)))
    assert {task.steps is not None for task in tasks} == {spec.stepped}
    assert bool(workload.sweep(SEED)) == (Tag.GRANULARITY_SWEEP in spec.tags)
    assert spec.about
    if Tag.HPO in spec.tags:
        assert workload.baseline(SEED) is not None


@pytest.mark.parametrize("name", TINY.workloads)
def test_a_workload_draws_equal_tasks_for_equal_seeds(name: str):
    first, second = (load_workload(TINY.workloads[name]).tasks(SEED) for _ in range(2))

    assert answer_hash([dict(t.params) for t in first]) == answer_hash([dict(t.params) for t in second])


@pytest.mark.parametrize("name", TINY.workloads)
def test_a_workload_runs_checked_in_the_plain_loop(name: str):
    found = measure(on(LOOP, here(name), task_timeout_s=2.0))

    assert found.status is Status.OK, found.reason


@pytest.mark.parametrize("name", TINY.workloads)
def test_a_wrong_answer_planted_in_any_workload_turns_its_cell_to_failed(name: str):
    found = measure(on(LIAR, here(name), task_timeout_s=2.0))

    assert found.status is Status.FAILED
    assert found.reason.startswith("WrongAnswer: "), found.reason


@pytest.mark.parametrize("name", TINY.backends)
def test_a_backend_s_yaml_and_class_say_the_same(name: str):
    spec = TINY.backends[name]
    workers = 1 if Tag.SERIAL in spec.tags or spec.role is Role.THREADED_BASELINE else 2
    try:
        backend = load_backend(spec, Resources(workers=workers))
    except BackendFailed as error:
        if "No module named" in str(error):
            pytest.skip(str(error))
        raise

    serial, parallel = (tag in spec.tags for tag in (Tag.SERIAL, Tag.PARALLEL))
    assert serial + parallel + (spec.role is Role.THREADED_BASELINE) == 1
    assert not spec.variant_of or spec.variant_of in TINY.backends
    assert backend.adaptive == spec.stepped
    assert spec.about


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", TINY.workloads)
def test_every_named_size_builds_the_workload(name: str, size: str):
    """Sizes are reached by parameters, not by other code."""
    load_workload(SIZES[size].workloads[name])
