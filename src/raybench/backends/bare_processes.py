"""The hardware ceiling: P bare processes that each run all the tasks at the same time, without any framework.

What they lose against one process alone is the machine's doing (shared caches, memory bandwidth, clocks,
neighbours), not a backend's. `Details.copies_s` has each copy's seconds; the ceiling is the sequential baseline's
makespan over their mean. The results are those of the first copy.
"""

import multiprocessing
import os
import pickle
import platform
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from raybench.backends.base import Backend, Resources
from raybench.backends.worker_side import Brought, Bundle, attempt, prepare_once
from raybench.model.clock import now
from raybench.model.errors import BackendFailed, RaybenchError, one_line
from raybench.model.measurement import Details, Task, TaskResult
from raybench.workloads.base import Workload


class BareProcesses(Backend):
    """P spawned processes with a pipe each; every task is run by all of them at once.

    They are no daemons, so that a task may start processes of its own.
    """

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self._pipes: list[Connection] = []
        self._processes: list[multiprocessing.process.BaseProcess] = []
        self._brought = Brought[Bundle](lambda bundle: bundle)

    def version(self) -> str:
        return f"multiprocessing, Python {platform.python_version()}"

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("spawn")
        try:
            for _ in range(self.resources.workers):
                here, there = context.Pipe()
                self._pipes.append(here)
                process = context.Process(target=_copy, args=(there,))
                process.start()
                self._processes.append(process)
                there.close()
            for pipe in self._pipes:
                pipe.recv()
        except BaseException:
            self._stop()  # Python would wait for them at its end
            raise
        return self

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        return self._all(workload, tasks, data)[0]

    def warm(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        """Every copy runs the tiny tasks, so every copy has imported and prepared."""
        return [result for copy in self._all(workload, tasks, data) for result in copy]

    def _all(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[list[TaskResult]]:
        request = pickle.dumps((self._brought(workload, data), list(tasks)), protocol=5)  # 5: arrays stay read-only
        for pipe in self._pipes:
            pipe.send_bytes(request)
        answers = [self._receive(number) for number in range(len(self._pipes))]
        for number, (_, _, problem) in enumerate(answers):  # once all have answered: the next request begins clean
            if problem:
                raise BackendFailed(f"copy {number}: {problem}")
        self.details = Details(copies_s=tuple(wall_s for _, wall_s, _ in answers))
        return [results for results, _, _ in answers]

    def _receive(self, number: int) -> tuple[list[TaskResult], float, str]:
        try:
            answer: tuple[list[TaskResult], float, str] = self._pipes[number].recv()
        except EOFError as error:
            raise BackendFailed(f"copy {number} of {len(self._pipes)} died") from error
        return answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(timeout=10)
            if process.is_alive():
                process.kill()
                process.join()


def _copy(pipe: Connection) -> None:
    """Serve requests until the pipe closes."""
    pipe.send(os.getpid())
    while True:
        try:
            request = pipe.recv_bytes()
        except EOFError:
            return
        pipe.send_bytes(_answer(request))


def _answer(request: bytes) -> bytes:
    """Run the tasks of one request; what goes wrong crosses the process boundary as text."""
    try:
        bundle, tasks = pickle.loads(request)
        context = prepare_once(bundle)
        began = now()
        results = [attempt(bundle.workload, task, context) for task in tasks]
        return pickle.dumps((results, now() - began, ""))
    except RaybenchError as error:
        problem = " ".join(str(error).split())
    except BaseException as error:  # noqa: BLE001 - whatever a task's own classes raise while they are (un)pickled
        problem = one_line(error)
    return pickle.dumps(([], 0.0, problem))
