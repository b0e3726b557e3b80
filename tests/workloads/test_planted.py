"""Workloads of conf/workload at their tiny sizes: right answers pass the check, a wrong one in any task does not."""

import importlib
import multiprocessing
import os
import pickle
import signal
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import yaml

from checkout import CONF
from raybench.backends.base import execute
from raybench.model.errors import WrongAnswer
from raybench.model.measurement import Task, TaskResult
from raybench.workloads import files, flaky, gpu_queue
from raybench.workloads.base import Workload, answer_hash

WORKLOADS = CONF / "workload"
SEED = 20_240
MINE = (
    *("primes", "square", "square_one_per_task", "map_array", "map_array_one_per_task", "monte_carlo", "rf_grid"),
    *("gpu_queue", "gpu_queue_half", "gpu_queue_cuda", "german_credit", "stateful", "stateful_reload"),
    *("csv_chunks", "csv_chunks_skiprows", "csv_chunks_fine", "csv_chunks_coarse", "io_bound_http", "io_bound_files"),
    *("transfer", "transfer_value", "transfer_file", "transfer_frame", "transfer_frame_value"),
    *(f"transfer_slices_{size}" for size in ("1kb", "100kb", "1mb", "10mb", "100mb", "1gb")),
    *("flaky", "flaky_none", "flaky_errors", "flaky_killed", "flaky_hangs"),
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setattr(gpu_queue, "pause", lambda seconds: None)


class EndedByTimeOut(Exception):
    """Stands for a backend that ends a hanging task."""


def entry(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((WORKLOADS / f"{name}.yaml").read_text(encoding="utf-8")))


def workload_of(name: str, size: str) -> Workload:
    told = entry(name)
    if missing := [why for file in told["requires"]["data"] if (why := files.unavailable(file))]:
        pytest.skip(missing[0])
    params = {**told["params"], **told["sizes"][size]}
    if params.get("device") == "cuda":
        params["device"] = "cpu"  # the same code without the GPU
    module, _, kind = told["_target_"].rpartition(".")
    return getattr(importlib.import_module(module), kind)(**params)


def run_tasks(workload: Workload, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Task], list[TaskResult]]:
    """Run the tasks in this process, as a loop that retries and collects errors where the workload allows it."""

    def end(seconds: float) -> None:
        raise EndedByTimeOut(f"over its time-out, ended after {seconds} s")

    monkeypatch.setattr(flaky, "pause", end)
    tasks = workload.tasks(SEED)
    context = pickle.loads(pickle.dumps(workload)).prepare(workload.data(SEED))
    for tiny in workload.warm_up(SEED):
        execute(workload, tiny, context)
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
    else:
        yield answer + 1


@pytest.mark.parametrize("name", MINE)
def test_right_answers_pass_and_a_wrong_one_in_any_task_does_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    workload = workload_of(name, "tiny")
    with workload.services():
        tasks, results = run_tasks(workload, monkeypatch)
        workload.check(tasks, results, SEED)
        workload.facts(tasks, results)
        assert all(np.isfinite(value) for value in workload.score(tasks, results, SEED).values())
        for place, result in enumerate(results):
            for wrong in damaged(result.answer if result.answer is not None else 0):
                planted = [*results]
                planted[place] = replace(result, answer=wrong, error="")
                with pytest.raises(WrongAnswer):
                    workload.check(tasks, planted, SEED)


@pytest.mark.parametrize("name", MINE)
def test_two_runs_of_equal_seeds_answer_alike(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    workload = workload_of(name, "tiny")
    hashes = []
    for _ in range(2):
        with workload.services():
            _, results = run_tasks(workload, monkeypatch)
            hashes.append([answer_hash(r.answer) for r in results])
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("name", [name for name in MINE if not name.endswith("_value")])  # those tasks carry megabytes
@pytest.mark.parametrize("size", ["quick", "full", "source"])
def test_every_size_builds_its_task_list(name: str, size: str) -> None:
    told = entry(name)
    told["sizes"]["quick"] = {}
    module, _, kind = told["_target_"].rpartition(".")
    workload = getattr(importlib.import_module(module), kind)(**{**told["params"], **told["sizes"][size]})
    if (name, size) == ("map_array_one_per_task", "source"):
        return  # a million tasks: building the workload is enough
    tasks = workload.tasks(SEED)
    assert [t.index for t in tasks] == list(range(len(tasks)))


def test_every_workload_here_is_in_the_folder_with_its_fields() -> None:
    for name in MINE:
        told = entry(name)
        assert set(told) == {"_target_", "about", "source", "tags", "stepped", "requires", "params", "sizes"}
        assert set(told["sizes"]) - {"quick"} == {"tiny", "full", "source"}  # the parameters are the quick size's
        assert set(told["requires"]) == {"packages", "data", "gpus"}
