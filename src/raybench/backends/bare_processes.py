"""The hardware ceiling: P bare processes that each run the whole bag at the same time, without any framework.

What they lose against one process alone is the machine's doing (shared caches, memory bandwidth, clocks,
neighbours), not a backend's. `Details.copies_s` has each copy's seconds; the ceiling is the one-thread loop's
makespan over their mean. The results are those of the first copy.
"""

import multiprocessing
import os
import platform
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from raybench.backends.base import Backend, Resources, execute
from raybench.model.clock import now
from raybench.model.errors import BackendFailed
from raybench.model.measurement import Details, Task, TaskResult
from raybench.workloads.base import Workload


class BareProcesses(Backend):
    """P spawned processes with a pipe each; every bag is run by all of them at once."""

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self._pipes: list[Connection] = []
        self._processes: list[multiprocessing.process.BaseProcess] = []

    def version(self) -> str:
        return f"multiprocessing, Python {platform.python_version()}"

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("spawn")
        for _ in range(self.resources.workers):
            here, there = context.Pipe()
            process = context.Process(target=_copy, args=(there,), daemon=True)
            process.start()
            there.close()
            self._pipes.append(here)
            self._processes.append(process)
        for pipe in self._pipes:
            pipe.recv()
        return self

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        return self._all(workload, tasks, data)[0]

    def warm(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        """Every copy runs the tiny tasks, so every copy has imported and prepared."""
        return [result for copy in self._all(workload, tasks, data) for result in copy]

    def _all(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[list[TaskResult]]:
        for pipe in self._pipes:
            pipe.send((workload, list(tasks), data))
        copies: list[list[TaskResult]] = []
        seconds: list[float] = []
        for number, pipe in enumerate(self._pipes):
            try:
                results, wall_s, problem = pipe.recv()
            except EOFError as error:
                raise BackendFailed(f"copy {number} of {len(self._pipes)} died") from error
            if problem:
                raise BackendFailed(f"copy {number}: {problem}")
            copies.append(results)
            seconds.append(wall_s)
        self.details = Details(copies_s=tuple(seconds))
        return copies

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(timeout=10)
            if process.is_alive():
                process.kill()
                process.join()


def _copy(pipe: Connection) -> None:
    """Serve bags until the pipe closes; the context is prepared once per workload and data."""
    pipe.send(os.getpid())
    prepared: tuple[bytes, Any] | None = None
    while True:
        try:
            workload, tasks, data = pipe.recv()
        except EOFError:
            return
        try:
            key = repr(vars(workload)).encode()
            if prepared is None or prepared[0] != key:
                prepared = (key, workload.prepare(data))
            began = now()
            results = [execute(workload, task, prepared[1]) for task in tasks]
            pipe.send((results, now() - began, ""))
        except Exception as error:  # noqa: BLE001 - crosses a process boundary as text
            pipe.send(([], 0.0, f"{type(error).__name__}: {error}"))
