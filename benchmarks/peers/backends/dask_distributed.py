"""Dask distributed: a local cluster of one-thread worker processes, data scattered to all of them."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import CancelledError
from types import TracebackType
from typing import Any, Self

import dask
import distributed

from raybench.backends.base import Backend, Resources
from raybench.backends.worker_side import (
    ROLL_CALL_S,
    Brought,
    Bundle,
    attempt,
    prepare_once,
    present,
    roll_call,
    shared_memory,
)
from raybench.model.clock import now
from raybench.model.errors import BackendFailed, RaybenchError
from raybench.model.measurement import Task, TaskResult, WorkerId
from raybench.workloads.base import Workload

THREAD_VARIABLES = "distributed.nanny.pre-spawn-environ"


def work(bundle: Bundle, task: Task) -> TaskResult:
    """Run one task in a worker; Dask runs it in a thread, so a task's own time-out cannot end it."""
    return attempt(bundle.workload, task, prepare_once(bundle))


class DaskDistributed(Backend):
    """Submit every task to a `distributed.Client`. A dead worker is replaced and its task run again, three times."""

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self._cluster: Any = None
        self._client: Any = None
        self._folder = ""
        self._brought = Brought[Any](lambda bundle: self._client.scatter(bundle, broadcast=True, hash=False))

    def version(self) -> str:
        return f"dask distributed {distributed.__version__}"

    def __enter__(self) -> Self:
        began = now()
        self._folder = tempfile.mkdtemp(prefix="raybench-", dir=shared_memory())
        # Dask would set one thread whatever the cell grants; the exported variables are the same for all backends.
        given = dask.config.get(THREAD_VARIABLES, {})
        kept = {name: os.environ.get(name, value) for name, value in given.items()}
        with dask.config.set({THREAD_VARIABLES: kept}):
            self._cluster = distributed.LocalCluster(
                n_workers=self.resources.workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
                local_directory=self._folder,
                memory_limit=0,  # the cell's limit is watched from outside, alike for all backends
                silence_logs=50,
            )
        self._client = distributed.Client(self._cluster)
        self.start_parts["cluster"] = now() - began
        roll_call(self._ask, self.resources.workers)
        self.start_parts["workers"] = now() - began - self.start_parts["cluster"]
        return self

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        scattered = self._brought(workload, data)
        futures = [self._client.submit(work, scattered, task, pure=False) for task in tasks]
        try:
            results: list[TaskResult] = self._client.gather(futures)
        except RaybenchError:
            raise
        except (distributed.KilledWorker, CancelledError, OSError, RuntimeError) as error:
            raise BackendFailed(f"dask lost a task: {type(error).__name__}: {' '.join(str(error).split())}") from error
        finally:
            self._client.cancel(futures)
        return results

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._client.close()
        if self._cluster is not None:
            self._cluster.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ask(self, count: int) -> list[WorkerId]:
        calls = [self._client.submit(present, ROLL_CALL_S, pure=False) for _ in range(count)]
        answers: list[WorkerId] = self._client.gather(calls)
        return answers
