"""Tasks that do nothing but say which they are: what remains is the backend's own cost per task."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.answers import demand_equal
from raybench.workloads.base import Workload


@dataclass(frozen=True, kw_only=True)
class Noop(Workload):
    """Return each of `n` numbers unchanged; a result in another's place is seen."""

    n: int

    def tasks(self, seed: int) -> list[Task]:
        return [Task(index=i, params={"number": i}) for i in range(self.n)]

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        yield Progress(answer=task.params["number"])

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        demand_equal("noop", results, [t.params["number"] for t in tasks])
