"""What a backend costs: tasks that do nothing, and tasks that only carry bytes there and back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.answers import demand_equal
from raybench.workloads.base import Workload


@dataclass(frozen=True, kw_only=True)
class Costs(Workload):
    """A sweep of two steps: `count` empty tasks, then `carriers` tasks that get `size` bytes and return them.

    A task by value is an exception to "params are JSON values", as in `transfer`.
    """

    count: int
    carriers: int
    size: int

    def tasks(self, seed: int) -> list[Task]:
        return [Task(index=i, params={}) for i in range(self.count)]

    def sweep(self, seed: int) -> list[tuple[int, list[Task]]]:
        array = np.random.default_rng(seed).integers(0, 256, self.size, dtype=np.uint8)
        return [
            (0, self.tasks(seed)),
            (self.size, [Task(index=i, params={"bytes": array}) for i in range(self.carriers)]),
        ]

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        yield Progress(answer=task.params.get("bytes"))

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        demand_equal("costs", results, [task.params.get("bytes") for task in tasks])
