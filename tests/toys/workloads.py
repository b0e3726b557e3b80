"""Workloads that behave, and that misbehave on purpose; importable by child processes."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from typing import Any

from raybench.model.errors import WrongAnswer
from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.base import Workload


class Cubes(Workload):
    """Cube the numbers 0 to n - 1; `mischief` says how the task with index 1 goes wrong."""

    def __init__(self, *, n: int, mischief: str = "none", seconds: float = 0.0) -> None:
        self.n = n
        self.mischief = mischief
        self.seconds = seconds

    def tasks(self, seed: int) -> list[Task]:
        return [Task(index=i, params={"x": i}) for i in range(self.n)]

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        if self.seconds:
            time.sleep(self.seconds)
        if task.params["x"] == 1:
            if self.mischief == "raises":
                raise ValueError("planted")
            if self.mischief == "hangs":
                time.sleep(3600)
            if self.mischief == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.mischief == "eats":
                hoard = [b"x" * 2**24 for _ in range(64)]
                time.sleep(3600)
                del hoard
        off = 1 if self.mischief == "wrong" and task.params["x"] == 1 else 0
        yield Progress(answer=task.params["x"] ** 3 + off)

    def warm_up(self, seed: int) -> list[Task]:
        return [Task(index=0, params={"x": 0})]

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        for task, result in zip(tasks, results, strict=True):
            if result.answer != task.params["x"] ** 3:
                raise WrongAnswer(f"task {task.index}: {result.answer}, expected {task.params['x'] ** 3}")
