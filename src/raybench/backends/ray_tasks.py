"""Plain Ray tasks, tuned: data put once, workers warm, a bounded window of tasks in flight; each can be ablated."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeAlias

import ray

from raybench.backends import ray_session
from raybench.backends.base import Backend, Resources, in_order
from raybench.backends.packing import pack_result, pack_task, unpack_result, unpack_task
from raybench.backends.ray_session import Handle, NotBrought
from raybench.backends.ray_window import AGAIN, WIDEST, in_flight, is_again, outcome_of
from raybench.backends.worker_session import TaskRun
from raybench.backends.worker_side import Brought, attempt, failed_result
from raybench.model.errors import BackendFailed, RaybenchError, raised_by
from raybench.model.measurement import Task, TaskResult
from raybench.workloads.base import Workload

Submit: TypeAlias = Callable[[Task], Any]  # returns Ray's reference of the result


def work(asked: Any, handle: Handle | None = None) -> Any:
    """Run one task in a Ray worker, with the context prepared by its first one, and return its result packed.

    asked : of `pack_task`. handle : where the data lie, for a worker that may not hold them; one that was not told,
        and does not hold them, answers AGAIN.
    """
    token, task, timeout_s = unpack_task(asked)
    try:
        workload, context = ray_session.context_of(handle or Handle(token=token))
    except NotBrought:
        return AGAIN
    return pack_result(attempt(workload, task, context, timeout_s=timeout_s))


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
    window : `bounded`, two tasks for each slot in flight, and more where they are short, or `none`: all are submitted
        at once, and their results taken in order.
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
        self._held = ""  # token of the bundle that P workers have opened

    def version(self) -> str:
        return ray_session.version()

    def __enter__(self) -> Self:
        ray_session.begin(self.resources, self.start_parts)
        ray_session.meet_workers(self.resources, self.start_parts)
        return self

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        handle = None if self._by_value else self._brought(workload, data)
        submit, again = self._by_values(workload, data) if handle is None else self._by_references(workload, handle)
        with closing(self._flow(submit, workload, tasks, again)) as flow:
            results = {task.index: receive(workload, task, unpack_result(outcome)) for task, outcome in flow}
        if handle is not None and len({result.worker for result in results.values()}) >= self.resources.workers:
            self._held = handle.token
        return in_order(tasks, results)

    def _by_references(self, workload: Workload, handle: Handle) -> tuple[Submit, Submit]:
        """Return how a task is sent, and how again: with the reference, which is dear and which holders do without."""
        limit_s = self.resources.limits.task_timeout_s
        remote = work_remotely.options(**ray_session.options(self.resources, workload))

        def telling(task: Task) -> Any:
            self._held = ""  # after a worker that was new, or has died, others may be
            return remote.remote(pack_task(handle.token, task, limit_s), handle)

        def submit(task: Task) -> Any:
            if self._held != handle.token:
                return telling(task)
            return remote.remote(pack_task(handle.token, task, limit_s))

        return submit, telling

    def _by_values(self, workload: Workload, data: Any) -> tuple[Submit, None]:
        limit_s = self.resources.limits.task_timeout_s
        remote = work_by_value_remotely.options(**ray_session.options(self.resources, workload))
        return lambda task: remote.remote(workload, data, task, limit_s), None

    def _flow(
        self,
        submit: Submit,
        workload: Workload,
        tasks: Sequence[Task],
        again: Submit | None,
    ) -> Generator[tuple[Task, Any]]:
        if not self._bounded:
            return all_at_once(submit, tasks, again=again)
        window, slots = ray_session.window(self.resources, workload), ray_session.slots(self.resources, workload)
        return in_flight(
            submit,
            tasks,
            window=window,
            # each task by value holds a copy of the data; and where none may be queued, none may be more
            widest=WIDEST if again and window > slots else window,
            timeout_s=self.resources.limits.task_timeout_s,
            again=again,
        )

    def warm(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        if ray_session.slots(self.resources, workload) < self.resources.workers:  # GPUs are short: some must wait
            tiny = [replace(tasks[i % len(tasks)], index=i) for i in range(4 * self.resources.workers)]
            return self.run(workload, tiny, data)
        return super().warm(workload, tasks, data)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ray_session.end()


def all_at_once(submit: Submit, tasks: Sequence[Task], *, again: Submit | None = None) -> Generator[tuple[Task, Any]]:
    """Submit every task, then yield (task, result) in order; a result that is lost is the error that says why.

    To be closed, as `in_flight`; `again` is as there, and such tasks come last.
    """
    left = deque((task, submit(task)) for task in tasks)
    try:
        while left:
            task, ref = left[0]
            outcome = outcome_of(ref)
            left.popleft()
            if again and is_again(outcome):
                left.append((task, again(task)))
            else:
                yield task, outcome
    finally:
        for _, ref in left:
            ray.cancel(ref)


def receive(workload: Workload, task: Task, outcome: TaskResult | RaybenchError) -> TaskResult:
    """Pass a result on; a lost one fails all tasks, or is a failed result where the workload collects errors."""
    return outcome if isinstance(outcome, TaskResult) else failed_result(workload, TaskRun(task), outcome)
