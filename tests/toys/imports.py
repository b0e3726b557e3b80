"""A workload that looks for a module in every process: its answers tell of the workers, its check of the driver."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from raybench.model.errors import WrongAnswer
from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.base import Workload


class Imports(Workload):
    """Trials of one step, so that searchers run them too. module : what nobody may have imported."""

    rungs = (1,)

    def __init__(self, *, module: str, n: int = 4) -> None:
        self.module = module
        self.n = n

    def tasks(self, seed: int) -> list[Task]:
        return [Task(index=i, params={"x": i}, steps=1) for i in range(self.n)]

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        yield Progress(steps=1, loss=float(task.params["x"]), answer=self.module in sys.modules)

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        workers = {result.pid for result in results if result.answer}
        if workers or self.module in sys.modules:
            where = [f"{len(workers)} workers"] * bool(workers) + ["the driver"] * (self.module in sys.modules)
            raise WrongAnswer(f"{self.module} is imported in {' and '.join(where)}")
