"""Plain Ray tasks, tuned: data put once, workers warm, a bounded window of tasks in flight; each can be ablated."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import ray

from raybench.backends import ray_session
from raybench.backends.base import Backend, Resources, in_order
from raybench.backends.ray_session import Handle, fetch
from raybench.backends.ray_window import in_flight
from raybench.backends.worker_session import TaskRun
from raybench.backends.worker_side import Brought, attempt, failed_result
from raybench.model.errors import BackendFailed, RaybenchError, raised_by
from raybench.model.measurement import Task, TaskResult
from raybench.workloads.base import Workload


def work(handle: Handle, task: Task, timeout_s: float | None) -> TaskResult:
    """Run one task in a Ray worker, with the context prepared by its first one."""
    workload, context = ray_session.context_of(handle)
    return attempt(workload, task, context, timeout_s=timeout_s)


def work_by_value(workload: Workload, data: Any, task: Task, timeout_s: float | None = None) -> TaskResult:
    """Prepare and run one task; nothing is kept for the next."""
    with raised_by("`prepare`"):
        context = workload.prepare(data)
    return attempt(workload, task, context, timeout_s=timeout_s)


work_remotely = ray.remote(max_calls=0)(work)  # 0: with GPUs Ray would start a new process for every task
work_by_value_remotely = ray.remote(max_calls=0)(work_by_value)


class RayTasks(Backend):
    """Run each task as a Ray task. A task whose worker dies is started again by Ray.

    data : `reference`, put once and prepared once in each worker, or by `value` with every task.
    window : `bounded`, few tasks in flight, or `none`: all are submitted at once, and their results taken in order.
    """

    def __init__(self, resources: Resources, *, data: str = "reference", window: str = "bounded") -> None:
        super().__init__(resources)
        if data not in ("reference", "value"):
            raise BackendFailed(f"ray_tasks has no data {data!r}; choose reference or value")
        if window not in ("bounded", "none"):
            raise BackendFailed(f"ray_tasks has no window {window!r}; choose bounded or none")
        self._by_value = data == "value"
        self._bounded = window == "bounded"
        self._brought = Brought[Handle](ray_session.put_bundle)

    def version(self) -> str:
        return ray_session.version()

    def __enter__(self) -> Self:
        ray_session.begin(self.resources, self.start_parts)
        ray_session.meet_workers(self.resources, self.start_parts)
        return self

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        submit, limit_s = self._submitting(workload, data), self.resources.limits.task_timeout_s
        if self._bounded:
            window = ray_session.window(self.resources, workload)
            flow = in_flight(submit, tasks, window=window, timeout_s=limit_s)
        else:
            flow = all_at_once(submit, tasks)
        with closing(flow):
            return in_order(tasks, {task.index: receive(workload, task, outcome) for task, outcome in flow})

    def _submitting(self, workload: Workload, data: Any) -> Callable[[Task], Any]:
        asked, limit_s = ray_session.options(self.resources, workload), self.resources.limits.task_timeout_s
        if self._by_value:
            by_value = work_by_value_remotely.options(**asked)
            return lambda task: by_value.remote(workload, data, task, limit_s)
        by_reference, handle = work_remotely.options(**asked), self._brought(workload, data)
        return lambda task: by_reference.remote(handle, task, limit_s)

    def warm(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        if ray_session.slots(self.resources, workload) < self.resources.workers:  # GPUs are short: some must wait
            tiny = [replace(tasks[i % len(tasks)], index=i) for i in range(4 * self.resources.workers)]
            return self.run(workload, tiny, data)
        return super().warm(workload, tasks, data)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ray_session.end()


def all_at_once(submit: Callable[[Task], Any], tasks: Sequence[Task]) -> Generator[tuple[Task, Any]]:
    """Submit every task, then yield (task, result) in order; a result that is lost is the error that says why.

    To be closed, as `in_flight`.
    """
    refs = deque([submit(task) for task in tasks])
    try:
        for task in tasks:
            try:
                outcome = fetch(refs[0])
            except RaybenchError as error:
                outcome = error
            refs.popleft()
            yield task, outcome
    finally:
        for ref in refs:
            ray.cancel(ref)


def receive(workload: Workload, task: Task, outcome: TaskResult | RaybenchError) -> TaskResult:
    """Pass a result on; a lost one fails all tasks, or is a failed result where the workload collects errors."""
    return outcome if isinstance(outcome, TaskResult) else failed_result(workload, TaskRun(task), outcome)
