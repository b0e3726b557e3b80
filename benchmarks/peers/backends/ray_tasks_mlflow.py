"""Plain Ray tasks that log their trials: each task writes its run to MLflow from its worker, as tutorials show it."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import mlflow
import ray

from peers.backends.mlflow_store import TrialStore, open_store
from raybench.backends import ray_session
from raybench.backends.base import Resources
from raybench.backends.ray_session import Handle
from raybench.backends.ray_tasks import RayTasks
from raybench.backends.worker_side import attempt
from raybench.model.clock import now
from raybench.model.measurement import Task, TaskResult
from raybench.workloads.base import Workload


def work(handle: Handle, task: Task, timeout_s: float | None, store: TrialStore) -> TaskResult:
    """Run one task in a Ray worker and log it; the logging lies outside the task's own stamps."""
    workload, context = ray_session.context_of(handle)
    result = attempt(workload, task, context, timeout_s=timeout_s)
    store.log(task, result)
    return result


work_remotely = ray.remote(max_calls=0)(work)


class RayTasksMlflow(RayTasks):
    """`ray_tasks`, with a run in MLflow for every task, the warm-up's included."""

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self._trials = 0

    def version(self) -> str:
        return f"{super().version()} mlflow {mlflow.__version__}"

    def __enter__(self) -> Self:
        began = now()
        self._store = open_store()
        self.start_parts["tracking store"] = now() - began
        return super().__enter__()

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        results = super().run(workload, tasks, data)
        self._trials += len(results)
        return results

    def _submitting(self, workload: Workload, data: Any) -> Callable[[Task], Any]:
        asked, limit_s = ray_session.options(self.resources, workload), self.resources.limits.task_timeout_s
        remote, handle = work_remotely.options(**asked), self._brought(workload, data)
        return lambda task: remote.remote(handle, task, limit_s, self._store)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._store.close(trials=0 if error else self._trials)
