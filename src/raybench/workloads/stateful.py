"""Tasks that need a state which is dear to prepare: held by the worker, or prepared anew in every task."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.answers import demand_equal
from raybench.workloads.base import Workload

MODULUS = 1_000_003


@dataclass(frozen=True, kw_only=True)
class Stateful(Workload):
    """Look numbers up in a table of `entries` squares.

    reload : False: `prepare` builds the table once per worker process and the tasks share it;
        True: every task builds its own. Both variants look up the same keys and answer the same.
    """

    entries: int
    count: int
    lookups: int
    reload: bool

    def tasks(self, seed: int) -> list[Task]:
        return [Task(index=i, params={"start": i * self.lookups, "lookups": self.lookups}) for i in range(self.count)]

    def data(self, seed: int) -> int:
        """Return the number of entries: the state is made by the worker, not sent."""
        return self.entries

    def prepare(self, data: int) -> dict[int, int] | int:
        return data if self.reload else _table(data)

    def run(self, task: Task, context: dict[int, int] | int) -> Iterator[Progress]:
        table = _table(context) if isinstance(context, int) else context
        start, lookups = task.params["start"], task.params["lookups"]
        yield Progress(answer=sum(table[k % self.entries] for k in range(start, start + lookups)))

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        squares = np.arange(self.entries, dtype=np.int64) ** 2 % MODULUS
        starts = [t.params["start"] for t in tasks]
        keys = np.arange(self.lookups)
        demand_equal("stateful", results, [int(squares[(s + keys) % self.entries].sum()) for s in starts])

    def warm_up(self, seed: int) -> list[Task]:
        return [Task(index=0, params={"start": 0, "lookups": 1})]


def _table(entries: int) -> dict[int, int]:
    return {k: k * k % MODULUS for k in range(entries)}
