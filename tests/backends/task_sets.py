"""Tiny workloads that workers can import: what a contract test needs to see from inside a worker."""

import os
import signal
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from raybench.model.clock import pause
from raybench.model.errors import WrongAnswer
from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.base import Workload

ROWS = 200_000  # 1.6 MB: above every backend's limit for sending by value


class Squares(Workload):
    """Square the index and add the data's sum, which is zero only if the data arrived whole.

    folder : where each `prepare` leaves a file named after its process.
    """

    def __init__(self, *, n: int = 8, folder: str = "", seconds: float = 0.0) -> None:
        self.n = n
        self.folder = folder
        self.seconds = seconds

    def tasks(self, seed: int) -> list[Task]:
        return [Task(index=i, params={"value": i + seed}) for i in range(self.n)]

    def data(self, seed: int) -> Any:
        half = np.arange(ROWS // 2, dtype=float)
        return {"x": np.concatenate([half, -half]), "names": ["a", "b"]}

    def prepare(self, data: Any) -> Any:
        if self.folder:
            (Path(self.folder) / f"prepared-{os.getpid()}-{uuid.uuid4().hex}").touch()
        return data

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        pause(self.seconds)
        yield Progress(answer=float(task.params["value"] ** 2 + context["x"].sum()))

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        if [r.answer for r in results] != [float(t.params["value"] ** 2) for t in tasks]:
            raise WrongAnswer("squares are wrong")


class Steps(Squares):
    """Trials of three rungs: the loss is known beforehand, lower for lower values, falling with the steps."""

    rungs = (1, 3, 9)

    def tasks(self, seed: int) -> list[Task]:
        budgets = (9, 9, 5, 9, 2, 9, 9, 9)
        return [Task(index=i, params={"value": i}, steps=budgets[i % 8]) for i in range(self.n)]

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        for steps in sorted({*(rung for rung in self.rungs if rung < (task.steps or 0)), task.steps or 0}):
            pause(self.seconds)
            loss = task.params["value"] + 1.0 / steps
            yield Progress(steps=steps, loss=loss, answer=np.full(3, loss) if steps == task.steps else None)

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        for task, result in zip(tasks, results, strict=True):
            if result.steps == task.steps and result.answer[0] != task.params["value"] + 1.0 / result.steps:
                raise WrongAnswer(f"task {task.index} gave {result.answer}")


class Raises(Squares):
    """One task raises, always or only the first `times`; the marks of its tries lie in `folder`."""

    rungs = (1, 3, 9)  # for backends that look for them; its tasks have no steps

    def __init__(
        self, *, n: int = 8, folder: str = "", which: int = 3, times: int = 99, retries: int = 0, collect: bool = False
    ) -> None:
        super().__init__(n=n, folder=folder)
        self.which = which
        self.times = times
        self.retries = retries
        self.collect_errors = collect

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        if task.index == self.which:
            (Path(self.folder) / f"tried-{uuid.uuid4().hex}").touch()
            if len(list(Path(self.folder).glob("tried-*"))) <= self.times:
                raise ValueError("planted failure")
        yield from super().run(task, context)


class Kills(Squares):
    """One task kills its own worker process, always or only the first `times`."""

    rungs = (1, 3, 9)

    def __init__(self, *, n: int = 8, folder: str = "", which: int = 3, times: int = 1, driver: int = 0) -> None:
        super().__init__(n=n, folder=folder, seconds=0.02)
        self.which = which
        self.times = times
        self.driver = driver  # never kill this process

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        if task.index == self.which and os.getpid() != self.driver:
            (Path(self.folder) / f"killed-{uuid.uuid4().hex}").touch()
            if len(list(Path(self.folder).glob("killed-*"))) <= self.times:
                os.kill(os.getpid(), signal.SIGKILL)
        yield from super().run(task, context)


class Hangs(Squares):
    """One task waits for a minute."""

    def __init__(self, *, n: int = 6, folder: str = "", which: int = 3, collect: bool = False) -> None:
        super().__init__(n=n, folder=folder)
        self.which = which
        self.collect_errors = collect

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        if task.index == self.which:
            pause(60)
        yield from super().run(task, context)


class Says(Squares):
    """The answer is what the worker's environment says."""

    def __init__(self) -> None:
        super().__init__(n=1)

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        yield Progress(answer=os.environ.get("BAGS_SAY", ""))


class Mapped(Squares):
    """The answer is how the array lies in the worker."""

    def __init__(self) -> None:
        super().__init__(n=1)

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        x = context["x"]
        yield Progress(answer=(type(x).__name__, x.flags.writeable, str(getattr(x, "filename", ""))))
