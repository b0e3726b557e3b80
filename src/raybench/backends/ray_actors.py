"""A pool of Ray actors that live as long as the backend and hold the prepared data."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import ray

from raybench.backends import ray_session
from raybench.backends.base import Backend, Resources, in_order
from raybench.backends.ray_session import Handle, fetch
from raybench.backends.ray_tasks import receive
from raybench.backends.worker_side import ROLL_CALL_S, Brought, attempt, present, roll_call
from raybench.model.clock import now
from raybench.model.errors import BackendFailed, RaybenchError
from raybench.model.measurement import Task, TaskResult, WorkerId
from raybench.workloads.base import Workload

SHORT_S = 0.02  # below this a second task waits at the actor; above, it might wait behind a long one at the end


class Worker:
    """One actor: a process with its context."""

    def present(self, seconds: float) -> WorkerId:
        """Answer the roll call."""
        return present(seconds)

    def work(self, handle: Handle, task: Task, timeout_s: float | None) -> TaskResult:
        """Run one task."""
        workload, context = ray_session.context_of(handle)
        return attempt(workload, task, context, timeout_s=timeout_s)


class RayActors(Backend):
    """Run the tasks on P actors, each fed when it is free. A dead actor is started again by Ray, and its task too."""

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self._brought = Brought[Handle](ray_session.put_bundle)
        self._actors: list[Any] = []

    def version(self) -> str:
        return f"{ray_session.version()} actors"

    def __enter__(self) -> Self:
        ray_session.begin(self.resources, self.start_parts)
        began = now()
        asked = ray_session.needs(self.resources)
        if self.resources.gpus:
            asked["num_gpus"] = self.resources.gpus / self.resources.workers
        losses = ray_session.WORKER_LOSSES
        worker = ray.remote(Worker).options(max_restarts=losses, max_task_retries=losses, **asked)
        self._actors = [worker.remote() for _ in range(self.resources.workers)]
        roll_call(lambda _: fetch([a.present.remote(ROLL_CALL_S) for a in self._actors]), self.resources.workers)
        self.start_parts["workers"] = now() - began
        return self

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        handle = self._brought(workload, data)
        limit_s = self.resources.limits.task_timeout_s
        source = iter(tasks)
        pending: dict[Any, tuple[Any, Task]] = {}
        results: dict[int, TaskResult] = {}
        idle = list(self._actors)
        while True:
            for actor, task in zip(idle, source, strict=False):
                pending[actor.work.remote(handle, task, limit_s)] = (actor, task)
            if not pending:
                return in_order(tasks, results)
            done, _ = ray.wait(list(pending), num_returns=1)
            idle = []
            for ref in done:
                actor, task = pending.pop(ref)
                result = receive(workload, task, _outcome(ref))
                results[task.index] = result
                waiting = sum(busy is actor for busy, _ in pending.values())
                wanted = 2 if result.ended - result.started < SHORT_S else 1
                idle += [actor] * (wanted - waiting)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for actor in self._actors:
            ray.kill(actor)
        ray_session.end()


def _outcome(ref: Any) -> TaskResult | RaybenchError:
    try:
        result = fetch(ref)
    except RaybenchError as error:
        return error
    return result if isinstance(result, TaskResult) else BackendFailed(f"an actor gave {type(result).__name__}")
