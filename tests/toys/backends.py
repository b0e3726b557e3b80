"""Backends that lie, importable by name."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from raybench.backends.base import Backend, Resources, execute
from raybench.backends.sequential import Sequential
from raybench.model.errors import TaskTimedOut
from raybench.model.measurement import Details, Task, TaskResult, WorkerSeen
from raybench.workloads.base import Workload


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
        seen = WorkerSeen(pid=result.pid, node="n", threads=threads, affinity=affinity, nice=0, omp="1")
        return replace(result, seen=seen)


class Liar(Sequential):
    """The loop, with the last task's answer changed by a little: what a faulty arm would return."""

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
