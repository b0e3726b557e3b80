"""Plain Ray tasks, tuned: data put once, workers warm, a bounded window of tasks in flight."""

from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import ray

from raybench.backends import ray_session
from raybench.backends.base import Backend, Resources, in_order
from raybench.backends.bundle import Brought, attempt, failed
from raybench.backends.ray_session import Handle
from raybench.backends.ray_window import in_flight
from raybench.clock import now
from raybench.errors import RaybenchError
from raybench.model import Task, TaskResult
from raybench.workloads.base import Workload


def work(handle: Handle, task: Task, timeout_s: float | None) -> TaskResult:
    """Run one task in a Ray worker, with the context prepared by its first one."""
    workload, context = ray_session.context_of(handle)
    return attempt(workload, task, context, timeout_s=timeout_s)


work_remotely = ray.remote(max_calls=0)(work)  # 0: with GPUs Ray would start a new process for every task


class RayTasks(Backend):
    """Run each task of the bag as a Ray task. A task whose worker dies is started again by Ray."""

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self._brought = Brought[Handle](ray_session.put)

    def version(self) -> str:
        return ray_session.version()

    def __enter__(self) -> Self:
        ray_session.begin(self.resources, self.start_parts)
        ray_session.meet_workers(self.resources, self.start_parts)
        return self

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        handle = self._brought(workload, data)
        limit_s = self.resources.limits.task_timeout_s
        remote = work_remotely.options(**ray_session.options(self.resources, workload))
        flow = in_flight(
            lambda task: remote.remote(handle, task, limit_s),
            tasks,
            window=ray_session.window(self.resources, workload),
            timeout_s=limit_s,
        )
        return in_order(tasks, {task.index: received(workload, task, outcome) for task, outcome in flow})

    def warm(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        if ray_session.slots(self.resources, workload) < self.resources.workers:  # GPUs are short: some must wait
            bag = [replace(tasks[i % len(tasks)], index=i) for i in range(4 * self.resources.workers)]
            return self.run(workload, bag, data)
        return super().warm(workload, tasks, data)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ray_session.end()


def received(workload: Workload, task: Task, outcome: TaskResult | RaybenchError) -> TaskResult:
    """Pass a result on; a lost one fails the bag, or is a failed result where the workload collects errors."""
    if isinstance(outcome, TaskResult):
        return outcome
    return failed(workload, task, outcome, started=now())
