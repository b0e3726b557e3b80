"""Fixed work of a chosen length, to find the shortest task that a backend runs efficiently.

The kernel is PBKDF2 (RFC 8018): a chain of hashes that no compiler or cache can shorten, whose length is a count and
never a clock, in C, without native threads. It releases the interpreter's lock for the whole task, so that backends
made of threads are judged by their dispatch, as with the numerical libraries that real tasks call.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from raybench.model.errors import BadSettings
from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.answers import demand_equal
from raybench.workloads.base import Workload

PASSWORD = b"raybench"
INPUTS = 2  # neighbours differ, so that one answer given to all is seen; the driver computes each once
TINY = 16  # iterations: some microseconds


@dataclass(frozen=True, kw_only=True)
class Granularity(Workload):
    """Run sets of `tasks` equal tasks of `work` iterations.

    halvings : 0: one ordinary task set. Else a sweep: `work`, half of it ... down to work / 2 ** halvings, each with
        the same number of tasks; `tasks` then lists the shortest ones.
    """

    work: int
    tasks_per_bag: int
    halvings: int = 0

    def __post_init__(self) -> None:
        if self.work >> self.halvings < 1:
            raise BadSettings(f"granularity: work {self.work} cannot be halved {self.halvings} times; take more work")

    def tasks(self, seed: int) -> list[Task]:
        return self._bag(self.work >> self.halvings)

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        yield Progress(answer=kernel(task.params["input"], task.params["work"]))

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Compare every task with the driver's own computation of its input; a test holds that to RFC 8018 itself."""
        asked = [(t.params["input"], t.params["work"]) for t in tasks]
        expected = {pair: kernel(*pair) for pair in set(asked)}
        demand_equal("granularity", results, [expected[pair] for pair in asked])

    def warm_up(self, seed: int) -> list[Task]:
        return [Task(index=0, params={"input": 0, "work": TINY})]

    def sweep(self, seed: int) -> list[tuple[int, list[Task]]]:
        rungs = [self.work >> halving for halving in range(self.halvings + 1)] if self.halvings else []
        return [(work, self._bag(work)) for work in rungs]

    def _bag(self, work: int) -> list[Task]:
        return [Task(index=i, params={"input": i % INPUTS, "work": work}) for i in range(self.tasks_per_bag)]


def kernel(number: int, work: int) -> str:
    """Derive a key from an input's number by `work` chained HMAC-SHA-256; hex."""
    return hashlib.pbkdf2_hmac("sha256", PASSWORD, str(number).encode(), work).hex()
