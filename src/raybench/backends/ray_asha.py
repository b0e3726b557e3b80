"""Stopping ASHA over plain Ray tasks, so that what early stopping saves is not credited to Ray Tune."""

from collections.abc import Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Self

import ray

from raybench.backends import ray_session
from raybench.backends.asha import StoppingAsha, run_trial, rungs_of
from raybench.backends.base import Backend, Resources, in_order
from raybench.backends.ray_session import Handle, fetch
from raybench.backends.ray_tasks import receive
from raybench.backends.ray_window import in_flight
from raybench.backends.worker_side import Brought
from raybench.model.clock import now
from raybench.model.measurement import Task, TaskResult
from raybench.workloads.base import Workload


def work(handle: Handle, task: Task, rule: Any, rungs: tuple[int, ...]) -> TaskResult:
    """Run one trial in a Ray worker; at each rung ask the rule's actor."""
    workload, context = ray_session.context_of(handle)
    return run_trial(workload, task, context, lambda rung, loss: bool(ray.get(rule.decide.remote(rung, loss))), rungs)


work_remotely = ray.remote(max_calls=0)(work)


class RayAsha(Backend):
    """Run each trial as a Ray task; the rule lives in an actor that takes no core of its own."""

    def __init__(self, resources: Resources, *, reduction_factor: float = 3) -> None:
        super().__init__(resources)
        self.reduction_factor = reduction_factor
        self._brought = Brought[Handle](ray_session.put_bundle)
        self._rule: Any = None

    def version(self) -> str:
        return f"{ray_session.version()} with an own stopping ASHA"

    def __enter__(self) -> Self:
        ray_session.begin(self.resources, self.start_parts)
        ray_session.meet_workers(self.resources, self.start_parts)
        began = now()
        self._rule = ray.remote(num_cpus=0)(StoppingAsha).remote((), reduction_factor=self.reduction_factor)
        fetch(self._rule.forget.remote(()))
        self.start_parts["rule"] = now() - began
        return self

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        rungs = rungs_of(workload, tasks, reduction_factor=self.reduction_factor)
        handle = self._brought(workload, data)
        fetch(self._rule.forget.remote(rungs))
        remote = work_remotely.options(**ray_session.options(self.resources, workload))
        flow = in_flight(
            lambda task: remote.remote(handle, task, self._rule, rungs),
            tasks,
            # A task that waits for the rule lends out its core: with more in flight a further worker would start.
            window=ray_session.slots(self.resources, workload),
        )
        with closing(flow):
            return in_order(tasks, {task.index: receive(workload, task, outcome) for task, outcome in flow})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ray_session.end()
