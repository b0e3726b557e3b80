"""Ray tasks as the tutorials show them: data by value with every task, all submitted at once, results in order."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import ray

from raybench.backends import ray_session
from raybench.backends.base import Backend
from raybench.backends.ray_session import fetch
from raybench.backends.ray_tasks import work_by_value
from raybench.model.measurement import Task, TaskResult
from raybench.workloads.base import Workload

work = ray.remote(work_by_value)


class RayTasksDocumented(Backend):
    """Submit a task per item, then get them all. Only the cores per task are told to Ray."""

    def version(self) -> str:
        return ray_session.version()

    def __enter__(self) -> Self:
        ray_session.begin(self.resources, self.start_parts)
        ray_session.meet_workers(self.resources, self.start_parts)
        return self

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        remote = work.options(**ray_session.needs(self.resources, workload))
        results: list[TaskResult] = fetch([remote.remote(workload, data, task) for task in tasks])
        return results

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ray_session.end()
