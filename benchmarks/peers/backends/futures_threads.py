"""The standard library's thread pool, for libraries that release the interpreter's lock."""

import platform
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

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
from raybench.model.measurement import Task, TaskResult
from raybench.workloads.base import Workload


def work(bundle: Bundle, context: Any, task: Task, session: WorkerSession) -> TaskResult:
    """Run one task in a thread of the pool."""
    return attempt(bundle.workload, task, context, session=session)


class FuturesThreads(Backend):
    """Submit every task to a ThreadPoolExecutor. A worker is named by its thread id; data are prepared once."""

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self._pool = ThreadPoolExecutor(resources.workers)
        self._brought = Brought[Bundle](lambda bundle: bundle)
        self._session = WorkerSession(by_thread=True)

    def version(self) -> str:
        return f"concurrent.futures threads, python {platform.python_version()}"

    def __enter__(self) -> Self:
        began = now()
        roll_call(
            lambda count: [f.result() for f in [self._pool.submit(present_thread, ROLL_CALL_S) for _ in range(count)]],
            self.resources.workers,
        )
        self.start_parts["workers"] = now() - began
        return self

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        bundle = self._brought(workload, data)
        context = prepare_once(bundle)
        futures: list[Future[TaskResult]] = [
            self._pool.submit(work, bundle, context, task, self._session) for task in tasks
        ]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
