"""The contract of every file in conf/workload, YAML and class together; a new file needs no test of its own."""

import multiprocessing
import os
import pickle
import signal
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from raybench.backends.base import execute
from raybench.config import settings
from raybench.execution.measure import load_workload, measure
from raybench.model.errors import WrongAnswer
from raybench.model.measurement import Task, TaskResult
from raybench.model.plan import Cell, Job, Limits, Spec, Status, Tag
from raybench.workloads import files, flaky, gpu_queue
from raybench.workloads.base import Workload, answer_hash

SEED = 7
TINY = settings.load(["study=everything"]).study
SIZES = {size: settings.load(["study=everything", f"size={size}"]).study for size in ("quick", "full", "source")}
LOOP = TINY.backends["sequential"]
LIAR = Spec(name="liar", target="toys.backends.Liar", tags=(Tag.SERIAL, Tag.ENDS_TASKS))
SEARCHES = [name for name, spec in TINY.workloads.items() if Tag.HPO in spec.tags]
PLAIN = [name for name in TINY.workloads if name not in SEARCHES]
CHEAP_TASKS = [name for name in TINY.workloads if not name.endswith("_value")]  # those tasks carry megabytes
A_MILLION_TASKS = ("map_array_one_per_task", "source")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setattr(gpu_queue, "pause", lambda seconds: None)


class EndedByTimeOut(Exception):
    """Stands for a backend that ends a hanging task."""


def tiny(name: str) -> Spec:
    """Return a workload at its tiny size, on the CPU, or skip with the reason why this machine lacks its data."""
    spec = TINY.workloads[name]
    if missing := [why for file in spec.requires.data if (why := files.unavailable(file))]:
        pytest.skip(missing[0])
    if spec.params.get("device") in ("cuda", "granted"):  # the same code without the GPU
        spec = replace(spec, params={**spec.params, "device": "cpu"})
    return spec


def measured_on(backend: Spec, name: str) -> Any:
    """Measure a tiny workload on a serial backend in this process, or skip where only other backends run it."""
    spec = tiny(name)
    if {Tag.KILLS, Tag.GPU} & set(spec.tags):
        pytest.skip("its tasks kill their worker or ask for GPUs; the sequential baseline offers neither")
    affinity = tuple(sorted(os.sched_getaffinity(0)))  # this process loaded its libraries with all their threads
    cell = Cell(workload=spec, backend=backend, workers=1, cpus_per_task=len(affinity))
    return measure(Job(cell=cell, block=0, order=0, seed=SEED, affinity=affinity, limits=Limits(task_timeout_s=2.0)))


def run_tasks(workload: Workload, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Task], list[TaskResult]]:
    """Run the tasks in this process, as a loop that retries and collects errors where the workload allows it."""

    def end(seconds: float) -> None:
        raise EndedByTimeOut(f"over its time-out, ended after {seconds} s")

    monkeypatch.setattr(flaky, "pause", end)
    tasks = workload.tasks(SEED)
    context = pickle.loads(pickle.dumps(workload)).prepare(workload.data(SEED))
    for warming in workload.warm_up(SEED):
        execute(workload, warming, context)
    return tasks, [run_one(workload, task, context) for task in tasks]


def run_one(workload: Workload, task: Task, context: Any) -> TaskResult:
    error = ""
    for number in range(1 + getattr(workload, "retries", 0)):
        if task.params.get("fails") == "kill" and number == 0:
            process = multiprocessing.get_context("spawn").Process(target=execute, args=(workload, task, context))
            process.start()
            process.join()
            assert process.exitcode == -signal.SIGKILL
            continue
        try:
            return replace(execute(workload, task, context), tries=number + 1)
        except (flaky.PlantedFailure, EndedByTimeOut) as failure:
            error = f"task {task.index}: {failure}"
    assert getattr(workload, "collect_errors", False), error
    return TaskResult(index=task.index, answer=None, started=0.0, ended=0.0, pid=os.getpid(), error=error)


def damaged(answer: Any) -> Iterator[Any]:
    """Yield wrong versions of an answer: one leaf changed, and nothing at all."""
    if answer is None:  # the right answer of a task that does nothing
        yield 1
        return
    yield None
    if isinstance(answer, np.ndarray):
        wrong = answer.copy()
        wrong.flat[-1] = 1 - wrong.flat[-1] if wrong.dtype == np.uint8 else wrong.flat[-1] + 1
        yield wrong
    elif isinstance(answer, dict):
        for key in answer:
            yield {**answer, key: answer[key] + 1}
    elif isinstance(answer, list):
        yield [*answer[:-1], answer[-1][::-1]]
    elif isinstance(answer, (bytes, str)):
        yield answer[::-1] + answer[:1]
    else:
        yield answer + 1


@pytest.mark.parametrize("name", TINY.workloads)
def test_a_workload_s_yaml_and_class_say_the_same(name: str) -> None:
    spec = TINY.workloads[name]
    workload = load_workload(spec)
    tasks = workload.tasks(SEED)

    assert pickle.loads(pickle.dumps(workload)).tasks(SEED)[0].index == 0
    assert [task.index for task in tasks] == list(range(len(tasks)))
    assert {task.steps is not None for task in tasks} == {spec.stepped}
    assert bool(workload.sweep(SEED)) == (Tag.GRANULARITY_SWEEP in spec.tags)
    assert spec.about
    assert (workload.baseline(SEED) is not None) >= (name in SEARCHES)


@pytest.mark.parametrize("name", TINY.workloads)
def test_a_workload_draws_equal_tasks_for_equal_seeds(name: str) -> None:
    first, second = (load_workload(TINY.workloads[name]).tasks(SEED) for _ in range(2))

    assert answer_hash([dict(t.params) for t in first]) == answer_hash([dict(t.params) for t in second])


@pytest.mark.rule(24)
@pytest.mark.parametrize("name", TINY.workloads)
def test_a_workload_runs_checked_on_the_baseline_and_answers_alike_each_time(name: str) -> None:
    first, second = (measured_on(LOOP, name) for _ in range(2))

    assert (first.status, second.status) == (Status.OK, Status.OK), first.reason or second.reason
    assert first.answers_hash == second.answers_hash


@pytest.mark.parametrize("name", SEARCHES)
def test_a_wrong_answer_planted_in_a_search_turns_its_cell_to_failed(name: str) -> None:
    found = measured_on(LIAR, name)

    assert found.status is Status.FAILED
    assert found.reason.startswith("WrongAnswer: "), found.reason


@pytest.mark.parametrize("name", PLAIN)
def test_right_answers_pass_and_a_wrong_one_in_any_task_does_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    workload = load_workload(tiny(name))
    with workload.services():
        tasks, results = run_tasks(workload, monkeypatch)
        workload.check(tasks, results, SEED)
        workload.facts(tasks, results)
        assert all(np.isfinite(value) for value in workload.score(tasks, results, SEED).values())
        for place, result in enumerate(results):
            for wrong in damaged(0 if result.error else result.answer):
                planted = [*results]
                planted[place] = replace(result, answer=wrong, error="")
                with pytest.raises(WrongAnswer):
                    workload.check(tasks, planted, SEED)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", CHEAP_TASKS)
def test_every_named_size_builds_its_task_list(name: str, size: str) -> None:
    """Sizes are reached by parameters, not by other code."""
    if SIZES[size].workloads[name].params.get("recorded"):
        pytest.skip("its lengths come from a run: test_replay.py")
    workload = load_workload(SIZES[size].workloads[name])
    if (name, size) == A_MILLION_TASKS:
        return
    tasks = workload.tasks(SEED)
    assert [t.index for t in tasks] == list(range(len(tasks)))
