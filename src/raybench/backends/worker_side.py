"""What a worker is given once, a workload with its data, and how it tries one task."""

import functools
import os
import signal
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, Generic, NoReturn, TypeVar

from raybench.backends.base import execute, finish_task, read_worker_facts
from raybench.model.clock import now, pause
from raybench.model.errors import BackendFailed, RaybenchError, TaskTimedOut
from raybench.model.measurement import Progress, Task, TaskResult, WorkerSeen
from raybench.workloads.base import Workload

H = TypeVar("H")

ROLL_CALL_S = 0.05  # a worker that answers holds its slot this long, so that the others must come forward
ROLL_CALLS = 200  # 10 s and more of asking, beyond what each answer itself takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A workload with its data. Equal where the token is equal, so that a cache can be keyed by it."""

    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    workload: Workload = field(compare=False)
    data: Any = field(compare=False)


class Brought(Generic[H]):
    """Bring the same workload and data to the workers once; a second call gives the first one's handle."""

    def __init__(self, bring: Callable[[Bundle], H]) -> None:
        self._bring = bring
        self._last: tuple[Workload, Any, H] | None = None  # keeps both alive, so that identity stays unique

    def __call__(self, workload: Workload, data: Any) -> H:
        """Return the handle, bringing the bundle first if this workload or this data object is new."""
        if self._last is None or self._last[0] is not workload or self._last[1] is not data:
            self._last = (workload, data, self._bring(Bundle(workload=workload, data=data)))
        return self._last[2]


@functools.lru_cache(maxsize=1)
def prepare_once(bundle: Bundle) -> Any:
    """Prepare the data once in this process; a new bundle drops the old context."""
    return bundle.workload.prepare(bundle.data)


# --- one task, in the worker ----------------------------------------------------------------------


def attempt(workload: Workload, task: Task, context: Any, *, timeout_s: float | None = None) -> TaskResult:
    """Run one task, as often as the workload's `retries` allows; stamped in this process.

    Where the workload has `collect_errors`, a failure is a result that names the task; else it raises BackendFailed,
    or TaskTimedOut. Each try has the whole time-out. `started` is the first try's.
    """
    began = now()
    for tries in range(1, getattr(workload, "retries", 0) + 2):
        try:
            with ended_after(timeout_s, task):
                return replace(execute(workload, task, context), started=began, tries=tries)
        except Exception as error:  # noqa: BLE001  a task may raise anything, and that is data
            last = error
    return failed_result(workload, task, last, started=began, tries=tries)


def failed_result(workload: Workload, task: Task, error: Exception, *, started: float, tries: int = 1) -> TaskResult:
    """Build the result of a task that failed, or raise where the workload does not collect errors."""
    if not getattr(workload, "collect_errors", False):
        refuse(task, error)
    result = finish_task(task, Progress(), (), started=started)
    return replace(result, error=describe_error(task, error), tries=tries)


def refuse(task: Task, error: Exception) -> NoReturn:
    """Raise what a failing task means for the whole bag."""
    if isinstance(error, TaskTimedOut):
        raise error
    raise BackendFailed(describe_error(task, error)) from error


def describe_error(task: Task, error: Exception) -> str:
    """Name the task and what it raised, in one line."""
    text = " ".join(str(error).split())
    if isinstance(error, RaybenchError):
        return text if text.startswith(f"task {task.index} ") else f"task {task.index}: {text}"
    return f"task {task.index} raised {type(error).__name__}: {text}"


@contextmanager
def ended_after(timeout_s: float | None, task: Task) -> Iterator[None]:
    """Raise TaskTimedOut within the block after so many seconds; only in a main thread, else without effect.

    Python code and waits are interrupted at once, a native call when it returns.
    """
    if timeout_s is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise TaskTimedOut(f"task {task.index} ran longer than its time-out of {timeout_s:g} s and was ended")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, timeout_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# --- pools ----------------------------------------------------------------------------------------


def present(seconds: float) -> int:
    """Answer a roll call from a worker: its process id, after holding the slot for a moment."""
    pause(seconds)
    return os.getpid()


def present_thread(seconds: float) -> int:
    """Answer a roll call from a thread: its native id."""
    pause(seconds)
    return threading.get_native_id()


def roll_call(ask: Callable[[int], list[int]], workers: int) -> set[int]:
    """Ask `workers` at a time until as many distinct ones have answered; else BackendFailed.

    ask : runs `present` that many times at once and returns the answers.
    """
    seen: set[int] = set()
    for _ in range(ROLL_CALLS):
        seen.update(ask(workers))
        if len(seen) >= workers:
            return seen
    raise BackendFailed(f"asked for {workers} workers, only {len(seen)} answered {ROLL_CALLS} roll calls")


def of_thread(result: TaskResult) -> TaskResult:
    """Name the thread as the worker: its native id stands for the process id, and its facts go with its first task."""
    ident = threading.get_native_id()
    first = read_thread_facts.cache_info().currsize
    seen = read_thread_facts(ident)
    return replace(result, pid=ident, seen=seen if read_thread_facts.cache_info().currsize > first else None)


@functools.cache  # one entry per thread of a pool
def read_thread_facts(ident: int) -> WorkerSeen:
    """Read the facts of a worker thread: the process's, under the thread's own id."""
    return replace(read_worker_facts(), pid=ident)


def shared_memory() -> str:
    """Return the folder that lies in memory, or the ordinary temporary folder where there is none."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir()
