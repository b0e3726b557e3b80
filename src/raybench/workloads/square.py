"""Square whole numbers, one or many per task."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.answers import demand_equal
from raybench.workloads.base import Workload
from raybench.workloads.ranges import range_tasks, sum_of_squares


@dataclass(frozen=True, kw_only=True)
class Square(Workload):
    """Square 0 .. n-1. A task answers with the sum of its squares; with one number per task that is the square."""

    n: int
    chunk: int

    def tasks(self, seed: int) -> list[Task]:
        return range_tasks(self.n, self.chunk)

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        yield Progress(answer=sum(k * k for k in range(task.params["start"], task.params["stop"])))

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        demand_equal("square", results, [sum_of_squares(t.params["start"], t.params["stop"]) for t in tasks])

    def warm_up(self, seed: int) -> list[Task]:
        return range_tasks(2, 1)
