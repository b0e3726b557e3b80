"""Tasks that wait a fixed time: the control whose ideal makespan is known."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from raybench.model.clock import pause
from raybench.model.errors import WrongAnswer
from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.answers import demand_equal
from raybench.workloads.base import Workload

CLOCK_STEP_S = 1e-4  # stamps are taken around the wait; a wait may end this much early by rounding


@dataclass(frozen=True, kw_only=True)
class Sleep(Workload):
    """Wait `seconds` in each of `n` tasks; takes no processor, so cores in use by others do not matter."""

    n: int
    seconds: float

    def tasks(self, seed: int) -> list[Task]:
        return [Task(index=i, params={"number": i, "seconds": self.seconds}) for i in range(self.n)]

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        pause(task.params["seconds"])
        yield Progress(answer=task.params["number"])

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Demand each task's own number, and by its stamps that it really waited."""
        demand_equal("sleep", results, [t.params["number"] for t in tasks])
        for task, result in zip(tasks, results, strict=True):
            waited_s = result.ended - result.started
            if waited_s < task.params["seconds"] - CLOCK_STEP_S:
                raise WrongAnswer(
                    f"sleep: task {task.index} took {waited_s:.6f} s, asked for {task.params['seconds']} s"
                )

    def warm_up(self, seed: int) -> list[Task]:
        return [Task(index=0, params={"number": 0, "seconds": min(self.seconds, 0.001)})]

    def ideal_s(self, workers: int) -> float:
        """Compute the makespan of a backend without any cost: whole rounds of `workers` tasks."""
        return math.ceil(self.n / workers) * self.seconds
