"""joblib over loky: worker processes fed from one queue, data memory-mapped from shared memory."""

import functools
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import joblib
from joblib._parallel_backends import LokyBackend
from joblib.executor import get_memmapping_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

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
from raybench.model.measurement import Task, TaskResult, WorkerId
from raybench.workloads.base import Workload


class LokyPool(LokyBackend):
    """loky with exactly `processes` workers, also where that is one.

    joblib itself replaces a pool of one by a loop in the driver, without a word; so `n_jobs` stays at two or more and
    the size of the pool is set here. `pre_dispatch` and the thread variables are given explicitly elsewhere.
    """

    def __init__(self, processes: int) -> None:
        super().__init__()
        self.processes = processes
        self.executor: Any = None

    def configure(self, n_jobs: int = 1, parallel: Any = None, **options: Any) -> int:
        """Start the executor; joblib calls this when the pool is entered."""
        known = ("max_nbytes", "mmap_mode", "temp_folder", "verbose")
        self._workers = get_memmapping_executor(
            self.processes,
            timeout=options.get("idle_worker_timeout") or 300,
            env=self._prepare_worker_env(n_jobs=n_jobs),
            context_id=parallel._id,
            **{name: options[name] for name in known if name in options},
        )
        self.parallel = parallel
        self.executor = self._workers
        return n_jobs


@functools.lru_cache(maxsize=1)
def load_bundle(path: str) -> Bundle:
    """Map the bundle written by the driver into this process, once; arrays are read-only views of shared memory."""
    bundle: Bundle = joblib.load(path, mmap_mode="r")
    return bundle


def work(path: str, task: Task, timeout_s: float | None) -> TaskResult:
    """Run one task in a worker."""
    bundle = load_bundle(path)
    return attempt(bundle.workload, task, prepare_once(bundle), timeout_s=timeout_s)


class Loky:
    """A joblib pool over loky and the folder in shared memory through which its workers get their data."""

    def __init__(self, workers: int, *, batch_size: int | str) -> None:
        self.workers = workers
        self.batch_size = batch_size
        self.folder = ""
        self._pool = LokyPool(workers)
        self._parallel: Any = None

    def open(self, parts: dict[str, float]) -> None:
        """Start the workers and wait until all have answered; fills `parts`."""
        began = now()
        self.folder = tempfile.mkdtemp(prefix="raybench-", dir=shared_memory())
        self._parallel = joblib.Parallel(
            n_jobs=max(2, self.workers),
            backend=self._pool,
            batch_size=self.batch_size,
            pre_dispatch=2 * self.workers,
            temp_folder=self.folder,
            mmap_mode="r",
        ).__enter__()
        parts["pool"] = now() - began
        roll_call(self._ask, self.workers)
        parts["workers"] = now() - began - parts["pool"]

    def write(self, bundle: Bundle) -> str:
        """Write the bundle once for all workers; returns the path they load it from."""
        path = str(Path(self.folder) / f"{bundle.token}.joblib")
        with room_for_data():
            joblib.dump(bundle, path)
        return path

    def map(self, calls: Iterator[Any]) -> list[TaskResult]:
        """Run delayed calls in the workers, results in their order; BackendFailed where a worker is lost."""
        try:
            results: list[TaskResult] = self._parallel(calls)
        except TerminatedWorkerError as error:
            raise BackendFailed(f"a loky worker was lost: {' '.join(str(error).split())}") from error
        if not isinstance(self._parallel._backend, LokyPool):
            raise BackendFailed(f"asked for loky, joblib ran {type(self._parallel._backend).__name__}")
        return results

    def close(self, error: BaseException | None) -> None:
        """Stop the workers; at once where something failed."""
        if self._parallel is not None:
            self._parallel.__exit__(type(error) if error else None, error, None)
        if self._pool.executor is not None:
            self._pool.executor.shutdown(wait=True, kill_workers=error is not None)
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _ask(self, count: int) -> list[WorkerId]:
        return [future.result() for future in [self._pool.executor.submit(present, ROLL_CALL_S) for _ in range(count)]]


class JoblibLoky(Backend):
    """Feed tasks to loky processes through joblib.

    batch_size : tasks per dispatch, or `auto`: joblib aims at batches of 0.2 s to 2 s.
    """

    def __init__(self, resources: Resources, *, batch_size: int | str = "auto") -> None:
        super().__init__(resources)
        self._loky = Loky(resources.workers, batch_size=batch_size)
        self._brought = Brought[str](self._loky.write)

    def version(self) -> str:
        return f"joblib {joblib.__version__} loky"

    def __enter__(self) -> Self:
        self._loky.open(self.start_parts)
        return self

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        path = self._brought(workload, data)
        timeout_s = self.resources.limits.task_timeout_s
        return self._loky.map(joblib.delayed(work)(path, task, timeout_s) for task in tasks)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loky.close(error)
