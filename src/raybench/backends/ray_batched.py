"""Ray tasks in batches sized by what tasks took, so that short ones do not drown in dispatch."""

import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Self

import ray

from raybench.backends import ray_session
from raybench.backends.base import Backend, Resources, in_order
from raybench.backends.ray_session import Handle
from raybench.backends.ray_tasks import receive
from raybench.backends.ray_window import in_flight
from raybench.backends.worker_side import Brought, attempt
from raybench.model.errors import RaybenchError
from raybench.model.measurement import Details, Task, TaskResult
from raybench.workloads.base import Workload

BATCH_S = 0.03  # some tens of milliseconds: dispatch of about 1 ms is then about 3 % of a batch
GROWTH = 8  # at most, from one batch to the next: the first tasks may not be like the rest


def work(handle: Handle, batch: tuple[Task, ...], timeout_s: float | None) -> list[TaskResult]:
    """Run a batch in a Ray worker; each task is stamped for itself."""
    workload, context = ray_session.context_of(handle)
    return [attempt(workload, task, context, timeout_s=timeout_s) for task in batch]


work_remotely = ray.remote(max_calls=0)(work)


class Sizes:
    """Choose the next batch: as many tasks as fill BATCH_S, at most an even share of what is left.

    At the end not less than an eighth of that: halving on to single tasks would cost more than it evens out.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self.size = 1

    def batches(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, ...]]:
        """Cut the tasks lazily, by what is known when there is room for a batch."""
        at = 0
        while at < len(tasks):
            share = math.ceil((len(tasks) - at) / (2 * self._slots))
            cut = tuple(tasks[at : at + min(self.size, max(share, math.ceil(self.size / 8)))])
            yield cut
            at += len(cut)

    def learn(self, results: Sequence[TaskResult]) -> None:
        """Take the mean length of a finished batch's tasks as that of the tasks to come."""
        mean_s = (results[-1].ended - results[0].started) / len(results)
        fitting = int(BATCH_S / mean_s) if mean_s > 0 else self.size * GROWTH
        self.size = max(1, min(fitting, self.size * GROWTH))


class RayBatched(Backend):
    """Run the tasks as Ray tasks of several each; `details` has the batch sizes."""

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self._brought = Brought[Handle](ray_session.put_bundle)

    def version(self) -> str:
        return f"{ray_session.version()} batched"

    def __enter__(self) -> Self:
        ray_session.begin(self.resources, self.start_parts)
        ray_session.meet_workers(self.resources, self.start_parts)
        return self

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        handle = self._brought(workload, data)
        limit_s = self.resources.limits.task_timeout_s
        remote = work_remotely.options(**ray_session.options(self.resources, workload))
        sizes = Sizes(ray_session.slots(self.resources, workload))
        flow = in_flight(
            lambda batch: remote.remote(handle, batch, limit_s),
            sizes.batches(tasks),
            window=ray_session.window(self.resources, workload),
        )
        results: dict[int, TaskResult] = {}
        cuts: list[int] = []
        with closing(flow):
            for batch, outcome in flow:
                cuts.append(len(batch))
                if isinstance(outcome, RaybenchError):
                    results |= {task.index: receive(workload, task, outcome) for task in batch}
                else:
                    sizes.learn(outcome)
                    results |= {result.index: result for result in outcome}
        self.details = Details(batches=tuple(cuts))
        return in_order(tasks, results)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ray_session.end()
