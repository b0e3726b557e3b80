"""A positive control: the sequential baseline with a known overhead per task, which the harness must find."""

from collections.abc import Sequence
from typing import Any

from raybench.backends.base import Resources
from raybench.backends.sequential import Sequential
from raybench.model.clock import now, pause
from raybench.model.measurement import Details, Task, TaskResult
from raybench.workloads.base import Workload


class Injected(Sequential):
    """The sequential baseline that also waits `overhead_s` before each task.

    A wait lasts longer than asked for, so `details.injected_s` says what was really put in, the mean per task.
    """

    def __init__(self, resources: Resources, *, overhead_s: float) -> None:
        super().__init__(resources)
        self._overhead_s = overhead_s

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        results = []
        injected = 0.0
        for task in tasks:
            began = now()
            pause(self._overhead_s)
            injected += now() - began
            results += super().run(workload, [task], data)
        self.details = Details(injected_s=injected / max(1, len(tasks)))
        return results
