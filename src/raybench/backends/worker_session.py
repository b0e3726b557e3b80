"""What a worker says of itself and of its tasks: facts of the process, stamps and checked values of each report."""

import functools
import operator
import os
import pickle
import socket
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from raybench.model.clock import now, pause
from raybench.model.errors import BackendFailed, one_line, raised_by
from raybench.model.measurement import Point, Progress, Task, TaskResult, WorkerSeen
from raybench.model.serialize import digest
from raybench.system.kernel import THIS
from raybench.workloads.base import Workload

JOINED = "RAYBENCH_JOINED"  # set in the workers of a cluster that is joined
RAYLET = "RAY_RAYLET_PID"  # set by Ray in its workers
LOOKS = 100  # a look at the facts takes some microseconds; it may cost a hundredth of the time
SENT = frozenset({int, float, bool, str, bytes, type(None), np.ndarray, np.float64, dict, list, tuple})  # not tried out
MUST_YIELD = "it must yield Progress, e.g. `yield Progress(answer=...)`"


class WorkerSession:
    """Tell the driver who works here: a worker's facts go with its first result, and again whenever they have changed.

    by_thread : the workers are threads of this process, each named by its native id; else the process is the worker.
    A forked process begins anew.
    """

    def __init__(self, *, by_thread: bool = False) -> None:
        self._by_thread = by_thread
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self.node = os.environ.get("RAYBENCH_NODE") or node_name()
        self._told: dict[int, WorkerSeen] = {}
        self._due: dict[int, float] = {}
        self._pools: ThreadpoolController | None = None
        self._modules = 0

    def introduce(self) -> tuple[int, WorkerSeen | None]:
        """Return the id of the worker that calls, and its facts where the driver does not know them yet."""
        if os.getpid() != self._pid:
            self._begin()
        worker = threading.get_native_id() if self._by_thread else self._pid
        began = now()
        if began < self._due.get(worker, began):
            return worker, None
        facts = self._look(worker)
        self._due[worker] = began + LOOKS * (now() - began)
        if self._told.get(worker) == facts:
            return worker, None
        self._told[worker] = facts
        return worker, facts

    def _look(self, worker: int) -> WorkerSeen:
        if self._pools is None or len(sys.modules) != self._modules:  # else there is no new library to scan for
            self._modules = len(sys.modules)
            self._pools = ThreadpoolController()
        return WorkerSeen(
            pid=worker,
            node=self.node,
            threads=max((int(pool["num_threads"]) for pool in self._pools.info()), default=0),
            affinity=len(os.sched_getaffinity(0)),
            nice=os.nice(0),
            omp=os.environ.get("OMP_NUM_THREADS", ""),
        )


@functools.cache
def node_name() -> str:
    """Return a name of this node that says nothing about it: raw data are public.

    The kernel's random id of this boot is the salt, so that nobody can try host names until one fits. Containers of
    one host differ in their process numbers' namespace, nodes of a cluster that share a host in their raylet.
    """
    boot = THIS.text("/proc/sys/kernel/random/boot_id") or ""
    parts = [boot, socket.gethostname(), namespace("pid"), os.environ.get(RAYLET, "") if JOINED in os.environ else ""]
    return f"node-{digest(parts)[:6]}"


def namespace(kind: str) -> str:
    """Return the kernel's number of this process's namespace of a kind (`pid`, `time`); '' where it has none."""
    with suppress(OSError):
        return os.readlink(f"/proc/self/ns/{kind}")
    return ""


@functools.cache
def process_session() -> WorkerSession:
    """Return the session of a process that is a worker for its whole life."""
    return WorkerSession()


class TaskRun:
    """One try of a task in this worker, from now on: stamp and check what it reports, and build its result."""

    def __init__(self, task: Task, session: WorkerSession | None = None) -> None:
        self.task = task
        self._session = session or process_session()
        self._started = now()
        self._points: list[Point] = []
        self._last = Progress()
        self._seen: WorkerSeen | None = None

    def reports(self, workload: Workload, context: Any) -> Generator[Progress]:
        """Run the task, yielding each report once it is stamped; BackendFailed where `run` breaks its contract.

        Close it where the task is stopped early.
        """
        index = self.task.index
        reports = workload.run(self.task, context)
        if not isinstance(reports, Iterator):
            raise BackendFailed(f"task {index}: `run` returned {_a(reports)}; {MUST_YIELD}")
        try:
            for progress in reports:
                if not isinstance(progress, Progress):
                    raise BackendFailed(f"task {index}: `run` yielded {_a(progress)}; {MUST_YIELD}")
                self._last = _checked(progress, index)
                self._points.append(Point(steps=self._last.steps, loss=self._last.loss, at=now()))
                yield self._last
        finally:
            if isinstance(reports, Generator):
                reports.close()
        if not self._points:
            raise BackendFailed(f"task {index}: `run` yielded nothing; {MUST_YIELD}")

    def result(self, *, error: str = "") -> TaskResult:
        """Build the result of the task as it stands, ended now. error : why it failed; its answer does not count."""
        ended = now()
        worker, news = self._session.introduce()
        self._seen = news or self._seen
        last, points = (Progress(), ()) if error else (self._last, tuple(self._points))
        if type(last.answer) not in SENT:
            with raised_by(f"task {self.task.index}: its answer, {_a(last.answer)}, cannot be sent back: pickling it"):
                pickle.dumps(last.answer, protocol=5, buffer_callback=lambda _: None)
        if self.task.hold_s:
            pause(self.task.hold_s)
        return TaskResult(
            index=self.task.index,
            answer=last.answer,
            started=self._started,
            ended=ended,
            pid=worker,
            node=self._session.node,
            steps=last.steps,
            loss=last.loss,
            points=points if self.task.steps is not None else (),
            error=error,
            seen=self._seen,
        )


def execute(workload: Workload, task: Task, context: Any, session: WorkerSession | None = None) -> TaskResult:
    """Run one task to its end in this process, stamped here; what it raises is raised."""
    run = TaskRun(task, session)
    for _ in run.reports(workload, context):
        pass
    return run.result()


def _checked(progress: Progress, index: int) -> Progress:
    """Return the report with numbers of Python's own; BackendFailed naming the field that is none."""
    if type(progress.steps) is int and (progress.loss is None or type(progress.loss) is float):
        return progress
    try:
        steps = operator.index(progress.steps)
    except TypeError:
        raise BackendFailed(f"task {index}: Progress.steps is {_a(progress.steps)}; expected a whole number") from None
    return Progress(steps=steps, loss=as_loss(progress.loss, index), answer=progress.answer)


def as_loss(loss: Any, index: int) -> float | None:
    """Return a loss as Python's own float; BackendFailed naming the task where it is no number."""
    if loss is None or type(loss) is float:
        return loss
    try:
        if not hasattr(loss, "__float__"):  # a text would be read as a number
            raise TypeError
        return float(loss)
    except (TypeError, ValueError):
        raise BackendFailed(f"task {index}: Progress.loss is {_a(loss)}; expected a number or None") from None


def _a(value: Any) -> str:
    """Show a value with its type, shortly; also one that cannot show itself."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - an object of the user's may raise anything
        text = one_line(error)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
