"""The standard library's process pool: spawned workers, one task per submission, data from a file in shared memory."""

import functools
import multiprocessing
import pickle
import platform
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from raybench.backends.base import Backend, Resources
from raybench.backends.worker_side import (
    ROLL_CALL_S,
    Brought,
    Bundle,
    attempt,
    prepare_once,
    present,
    roll_call,
    room_for_data,
    shared_memory,
)
from raybench.model.clock import now
from raybench.model.errors import BackendFailed
from raybench.model.measurement import Task, TaskResult
from raybench.workloads.base import Workload


@functools.lru_cache(maxsize=1)
def load_bundle(path: str) -> Bundle:
    """Load the bundle that the driver wrote, once per process."""
    bundle: Bundle = pickle.loads(Path(path).read_bytes())
    return bundle


def work(path: str, task: Task, timeout_s: float | None) -> TaskResult:
    """Run one task in a worker."""
    bundle = load_bundle(path)
    return attempt(bundle.workload, task, prepare_once(bundle), timeout_s=timeout_s)


class FuturesProcesses(Backend):
    """Submit every task to a ProcessPoolExecutor. A lost worker breaks the pool, so it fails all tasks."""

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self._pool: ProcessPoolExecutor | None = None
        self._folder = ""
        self._brought = Brought[str](self._write)

    def version(self) -> str:
        return f"concurrent.futures processes, python {platform.python_version()}"

    def __enter__(self) -> Self:
        began = now()
        self._folder = tempfile.mkdtemp(prefix="raybench-", dir=shared_memory())
        self._start()
        self.start_parts["workers"] = now() - began
        return self

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        path = self._brought(workload, data)
        pool = self._pool or self._start()
        timeout_s = self.resources.limits.task_timeout_s
        futures: list[Future[TaskResult]] = []
        try:
            futures.extend(pool.submit(work, path, task, timeout_s) for task in tasks)
            return [future.result() for future in futures]
        except BrokenProcessPool as error:
            self._pool = None
            pool.shutdown(wait=True, cancel_futures=True)
            raise BackendFailed(f"a worker of the process pool was lost: {error}") from error
        finally:
            for future in futures:
                future.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> ProcessPoolExecutor:
        pool = ProcessPoolExecutor(self.resources.workers, mp_context=multiprocessing.get_context("spawn"))
        self._pool = pool
        roll_call(
            lambda count: [future.result() for future in [pool.submit(present, ROLL_CALL_S) for _ in range(count)]],
            self.resources.workers,
        )
        return pool

    def _write(self, bundle: Bundle) -> str:
        path = Path(self._folder) / bundle.token
        with room_for_data():
            path.write_bytes(pickle.dumps(bundle, protocol=pickle.HIGHEST_PROTOCOL))
        return str(path)
