"""A positive control: the one-thread loop with a known overhead per task, which the harness must find."""

from collections.abc import Sequence
from typing import Any

from raybench.backends.base import Resources
from raybench.backends.sequential import Sequential
from raybench.clock import pause
from raybench.model import Task, TaskResult
from raybench.workloads.base import Workload


class Injected(Sequential):
    """The loop that also waits `overhead_s` before each task."""

    def __init__(self, resources: Resources, *, overhead_s: float) -> None:
        super().__init__(resources)
        self._overhead_s = overhead_s

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        results = []
        for task in tasks:
            pause(self._overhead_s)
            results += super().run(workload, [task], data)
        return results
