"""Backends that lie, importable by name."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from raybench.backends.base import Backend, Resources, execute
from raybench.backends.sequential import Sequential
from raybench.model.errors import TaskTimedOut
from raybench.model.measurement import Details, Task, TaskResult, WorkerSeen
from raybench.workloads.base import Workload


def facts(*, pid: int, threads: int = 1, affinity: int | None = None) -> WorkerSeen:
    cpus = len(os.sched_getaffinity(0)) if affinity is None else affinity
    return WorkerSeen(pid=pid, node="n", threads=threads, affinity=cpus, nice=0, omp="1")


def early(results: list[TaskResult]) -> list[TaskResult]:
    """Stamp the last task as begun before anything was."""
    return [*results[:-1], replace(results[-1], started=0.0)]


def crowd(results: list[TaskResult]) -> list[TaskResult]:
    """Stamp two workers as working at the same time."""
    return [
        replace(r, started=results[0].started, pid=i % 2 + 1, seen=facts(pid=i % 2 + 1)) for i, r in enumerate(results)
    ]


def unknown(results: list[TaskResult]) -> list[TaskResult]:
    """Name a worker that never told what it is."""
    return [*results[:-1], replace(results[-1], pid=1, seen=None)]


def widens(results: list[TaskResult]) -> list[TaskResult]:
    """Change the affinity after the first result."""
    return [*results[:-1], replace(results[-1], seen=facts(pid=results[-1].pid, affinity=99))]


STAMPS = {"early": early, "crowd": crowd, "unknown": unknown, "widens": widens}


class Loop(Backend):
    """The plain loop; `lie` says what it gets wrong."""

    def __init__(self, resources: Resources, *, lie: str = "none") -> None:
        super().__init__(resources)
        self._lie = lie
        self.start_parts["loop"] = 0.25
        self.details = Details(batches=(5,))

    def version(self) -> str:
        return "loop 1.0"

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        context = workload.prepare(data)
        results = [self._seen(execute(workload, task, context)) for task in tasks]
        if self._lie in STAMPS:
            return STAMPS[self._lie](results)
        if self._lie == "loses":
            return results[:-1]
        if self._lie == "doubles":
            return [*results, results[-1]]
        if self._lie == "late":
            raise TaskTimedOut("task 2 ran longer than its 1 s; it was ended")
        return results

    def _seen(self, result: TaskResult) -> TaskResult:
        threads = 7 if self._lie == "threads" else 1
        affinity = 99 if self._lie == "affinity" else len(os.sched_getaffinity(0))
        return replace(result, seen=facts(pid=result.pid, threads=threads, affinity=affinity))


class Liar(Sequential):
    """The loop, with the last task's answer changed by a little: what a faulty variant would return."""

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        results = super().run(workload, tasks, data)
        return [*results[:-1], replace(results[-1], answer=changed(results[-1].answer), error="")]


def changed(answer: Any) -> Any:
    """Change one leaf of an answer; no answer at all becomes one."""
    if isinstance(answer, np.ndarray):
        wrong = answer.copy()
        wrong.flat[-1] = wrong.flat[-1] + 1
        return wrong
    if isinstance(answer, dict):
        return {key: changed(value) for key, value in answer.items()}
    if isinstance(answer, (list, tuple)):
        return [*answer[:-1], changed(answer[-1])]
    if isinstance(answer, (str, bytes)):
        return answer[::-1] + answer[:1]
    return 1 if answer is None else answer + 1


class NeverStarted(Sequential):
    """The loop, which must not be started."""

    def __enter__(self) -> Self:
        raise AssertionError("the backend was started")


class DoesNotStart(Loop):
    """The loop, behind a start that fails."""

    def __enter__(self) -> Self:
        raise ValueError("planted boom")
