"""joblib over a pool of Ray actors; data travel as a reference, else joblib would copy them with every batch."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import joblib
from joblib.parallel import MultiprocessingBackend
from ray.util.joblib import register_ray

from raybench.backends import ray_session
from raybench.backends.base import Backend, Resources
from raybench.backends.ray_session import Handle
from raybench.backends.worker_side import ROLL_CALL_S, Brought, attempt, present, roll_call
from raybench.model.clock import now
from raybench.model.errors import BackendFailed, RaybenchError
from raybench.model.measurement import Task, TaskResult, WorkerId
from raybench.workloads.base import Workload


def work(handle: Handle, task: Task, timeout_s: float | None) -> TaskResult:
    """Run one task in a pool actor."""
    workload, context = ray_session.context_of(handle)
    return attempt(workload, task, context, timeout_s=timeout_s)


class RayJoblib(Backend):
    """Feed tasks to Ray through joblib. Batches go round the actors in turn, not to the idle one: that is Ray's pool.

    batch_size : tasks per dispatch, or `auto`.
    """

    def __init__(self, resources: Resources, *, batch_size: int | str = "auto") -> None:
        super().__init__(resources)
        if resources.workers < 2:
            raise BackendFailed(
                "joblib runs a pool of 1 as a loop in the driver, not on Ray; ask for 2 workers or more"
            )
        self.batch_size = batch_size
        self._brought = Brought[Handle](ray_session.put_bundle)
        self._parallel: Any = None

    def version(self) -> str:
        return f"joblib {joblib.__version__} over {ray_session.version()}"

    def __enter__(self) -> Self:
        ray_session.begin(self.resources, self.start_parts)
        began = now()
        register_ray()
        with joblib.parallel_config(
            backend="ray", n_jobs=self.resources.workers, ray_remote_args=ray_session.needs(self.resources)
        ):
            self._parallel = joblib.Parallel(batch_size=self.batch_size, pre_dispatch="2*n_jobs")
            self._parallel.__enter__()
        if not isinstance(self._parallel._backend, MultiprocessingBackend):
            raise BackendFailed(f"asked for Ray, joblib uses {type(self._parallel._backend).__name__}")
        roll_call(self._ask, self.resources.workers)
        self.start_parts["workers"] = now() - began
        return self

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        handle = self._brought(workload, data)
        timeout_s = self.resources.limits.task_timeout_s
        try:
            results: list[TaskResult] = self._parallel(joblib.delayed(work)(handle, task, timeout_s) for task in tasks)
        except RaybenchError:
            raise
        except Exception as error:
            raise BackendFailed(f"joblib over ray: {type(error).__name__}: {' '.join(str(error).split())}") from error
        return results

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._parallel is not None:
            self._parallel.__exit__(kind, error, trace)
        ray_session.end()

    def _ask(self, count: int) -> list[WorkerId]:
        answers: list[WorkerId] = self._parallel(joblib.delayed(present)(ROLL_CALL_S) for _ in range(count))
        return answers
