"""The sequential baseline: task after task in the driver, on one thread or with the library's own on all cores."""

import platform
from collections.abc import Sequence
from typing import Any

from raybench.backends.base import Backend, Resources
from raybench.backends.worker_session import WorkerSession
from raybench.backends.worker_side import Brought, Bundle, attempt, prepare_once
from raybench.model.errors import BackendFailed
from raybench.model.measurement import Task, TaskResult
from raybench.workloads.base import Workload


class Sequential(Backend):
    """Run task after task in the driver. With more than one core per task the library's threads use them."""

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        if resources.workers != 1:
            raise BackendFailed(
                f"the sequential baseline has 1 worker, asked for {resources.workers}: raise cpus_per_task instead"
            )
        self._brought = Brought[Bundle](lambda bundle: bundle)
        self._session = WorkerSession()

    def version(self) -> str:
        return f"python {platform.python_version()}"

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        context = prepare_once(self._brought(workload, data))
        timeout_s = self.resources.limits.task_timeout_s
        return [attempt(workload, task, context, timeout_s=timeout_s, session=self._session) for task in tasks]
