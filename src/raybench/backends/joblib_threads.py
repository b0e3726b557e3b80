"""joblib's threading backend: threads of the driver, for libraries that release the interpreter's lock."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import joblib
from joblib._parallel_backends import ThreadingBackend

from raybench.backends.base import Backend, Resources
from raybench.backends.worker_session import WorkerSession
from raybench.backends.worker_side import (
    ROLL_CALL_S,
    Brought,
    Bundle,
    attempt,
    prepare_once,
    present_thread,
    roll_call,
)
from raybench.model.clock import now
from raybench.model.measurement import Task, TaskResult, WorkerId
from raybench.workloads.base import Workload


class ThreadsPool(ThreadingBackend):
    """A pool of exactly `threads` threads, also where that is one: joblib itself would run a plain loop then."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self.threads = threads

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_: Any) -> int:
        """Set the size; the pool starts with its first task."""
        self.parallel = parallel
        self._n_jobs = self.threads
        return n_jobs


def work(bundle: Bundle, context: Any, task: Task, session: WorkerSession) -> TaskResult:
    """Run one task in a thread of the pool."""
    return attempt(bundle.workload, task, context, session=session)


class JoblibThreads(Backend):
    """Feed tasks to threads through joblib. Data are prepared once, and shared; a worker is named by its thread id."""

    def __init__(self, resources: Resources, *, batch_size: int | str = "auto") -> None:
        super().__init__(resources)
        self.batch_size = batch_size
        self._parallel: Any = None
        self._brought = Brought[Bundle](lambda bundle: bundle)
        self._session = WorkerSession(by_thread=True)

    def version(self) -> str:
        return f"joblib {joblib.__version__} threading"

    def __enter__(self) -> Self:
        began = now()
        self._parallel = joblib.Parallel(
            n_jobs=max(2, self.resources.workers),
            backend=ThreadsPool(self.resources.workers),
            batch_size=self.batch_size,
            pre_dispatch=2 * self.resources.workers,
        ).__enter__()
        roll_call(self._ask, self.resources.workers)
        self.start_parts["workers"] = now() - began
        return self

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        bundle = self._brought(workload, data)
        context = prepare_once(bundle)
        calls = (joblib.delayed(work)(bundle, context, task, self._session) for task in tasks)
        results: list[TaskResult] = self._parallel(calls)
        return results

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._parallel is not None:
            self._parallel.__exit__(kind, error, trace)

    def _ask(self, count: int) -> list[WorkerId]:
        answers: list[WorkerId] = self._parallel(joblib.delayed(present_thread)(ROLL_CALL_S) for _ in range(count))
        return answers
