"""The contract of a backend: a way to run tasks on P cores."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

from raybench.backends.clocks import Clocks
from raybench.backends.worker_session import execute
from raybench.backends.worker_side import ROLL_CALL_S, RollCall
from raybench.model.errors import BackendFailed
from raybench.model.measurement import Details, Task, TaskResult
from raybench.model.plan import Cluster, Limits
from raybench.workloads.base import Workload

__all__ = ["Backend", "Resources", "execute", "in_order"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a cell grants to its backend."""

    workers: int
    cpus_per_task: int = 1
    gpus: float = 0  # GPUs of the whole cell
    limits: Limits = field(default_factory=Limits)
    cluster: Cluster = field(default_factory=Cluster)
    modules: tuple[str, ...] = ()  # paths of the user's modules, for workers that have not got them

    @property
    def cpus(self) -> int:
        """P: cores of the whole process tree."""
        return self.workers * self.cpus_per_task


class Backend(ABC):
    """A way to run tasks. Entering it starts it until P workers have answered; leaving it shuts it down.

    resources : what the cell grants. Keyword arguments after it come from the backend's YAML `params`.
    `start_parts` names the parts of start-up in seconds; filled while entering.
    Results arrive exactly once per task, or `run` raises BackendFailed; never fewer, never twice.
    """

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.start_parts: dict[str, float] = {}
        self.details = Details()  # what this backend alone can tell, for the raw line
        self.clocks: Clocks | None = None  # of the nodes, set before each sample; None where all share the driver's

    @abstractmethod
    def version(self) -> str:
        """Name library and version, e.g. `ray 2.60.0`: the receipt that the backend is usable."""

    @abstractmethod
    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        """Run the tasks; results in the order of `tasks`.

        Brings `data` to the workers in the backend's own best way; the same object is brought once.
        Its arrays arrive read-only: a task that changed them would change them for others on one backend only.
        """

    def warm(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        """Run tiny tasks until every worker has imported, holds the data and has answered.

        After a first pass each task holds its slot for a moment, else a few quick workers might take all of them.
        Results carry each worker's `seen`. Raises BackendFailed if fewer than `workers` ever answer.
        """
        results: list[TaskResult] = []
        call = RollCall(self.resources.workers)
        while not call.is_over(result.worker for result in results):
            held_s = ROLL_CALL_S if results else 0.0
            asked = range(4 * self.resources.workers)
            tiny = [replace(tasks[i % len(tasks)], index=i, hold_s=held_s) for i in asked]
            results += self.run(workload, tiny, data)
        return results

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def in_order(tasks: Sequence[Task], results: Mapping[int, TaskResult]) -> list[TaskResult]:
    """Sort results into the order of the tasks; a missing one is a failed backend, never a shorter list."""
    missing = [task.index for task in tasks if task.index not in results]
    if missing:
        raise BackendFailed(f"{len(missing)} of {len(tasks)} results are missing, first task {missing[0]}")
    return [results[task.index] for task in tasks]
