"""What a worker is given once, a workload with its data, and how it tries one task."""

import errno
import functools
import os
import pickle
import shutil
import signal
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, Generic, NoReturn, TypeVar

from raybench.backends.worker_session import TaskRun, WorkerSession, execute, process_session
from raybench.model.clock import now, pause
from raybench.model.errors import BackendFailed, RaybenchError, TaskTimedOut, one_line, raised_by
from raybench.model.measurement import Task, TaskResult, WorkerId
from raybench.workloads.base import Workload

H = TypeVar("H")

SHARED_MEMORY = "/dev/shm"
ROLL_CALL_S = 0.05  # a worker that answers holds its slot this long, so that the others must come forward
SILENCE_S = 30.0  # without a new worker; of 100 on two cores each takes 0.4 s to start


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A workload with its data, read-only. Equal where the token is equal, so that a cache can be keyed by it."""

    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    workload: Workload = field(compare=False)
    data: Any = field(compare=False)

    def __post_init__(self) -> None:
        with raised_by(f"{type(self.workload).__name__} cannot be sent to a worker: pickling the workload"):
            pickle.dumps(self.workload)
        with raised_by(f"{type(self.workload).__name__} cannot be sent to a worker: pickling its data"):
            object.__setattr__(self, "data", read_only(self.data))


def read_only(data: Any) -> Any:
    """Return the same data with arrays that cannot be written to, in place: no array is copied, all else is.

    Ray and a memory map give workers such arrays in any case; with this, every backend judges a task alike.
    An unpickled array stays read-only.
    """
    buffers: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(data, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(rest, buffers=[buffer.raw().toreadonly() for buffer in buffers])


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
    with raised_by("`prepare`"):
        return bundle.workload.prepare(bundle.data)


# --- one task, in the worker ----------------------------------------------------------------------


def attempt(
    workload: Workload,
    task: Task,
    context: Any,
    *,
    timeout_s: float | None = None,
    session: WorkerSession | None = None,
) -> TaskResult:
    """Run one task, as often as the workload's `retries` allows; stamped in this process.

    Where the workload has `collect_errors`, a failure is a result that names the task; else it raises BackendFailed,
    or TaskTimedOut. Each try has the whole time-out. `started` is the first try's. SystemExit and its kin fail the
    task too, and are not tried again: Ray ends a task by KeyboardInterrupt.
    """
    began = now()
    for tries in range(1, getattr(workload, "retries", 0) + 2):
        try:
            with ended_after(timeout_s, task):
                result = execute(workload, task, context, session)
                return result if tries == 1 else replace(result, started=began, tries=tries)
        except BaseException as error:  # noqa: BLE001  a task may raise anything, and that is data
            last = error
        if not isinstance(last, Exception):
            break
    return replace(failed_result(workload, TaskRun(task, session), last), started=began, tries=tries)


def failed_result(workload: Workload, run: TaskRun, error: BaseException) -> TaskResult:
    """Build the result of a task that failed, or raise where the workload does not collect errors."""
    if not getattr(workload, "collect_errors", False):
        refuse(run.task, error)
    return run.result(error=describe_error(run.task, error))


def refuse(task: Task, error: BaseException) -> NoReturn:
    """Raise what a failing task means for all of them; only its line travels, as pickle cannot rebuild every error."""
    if isinstance(error, TaskTimedOut):
        raise error
    raise BackendFailed(describe_error(task, error)) from None


def describe_error(task: Task, error: BaseException) -> str:
    """Name the task and what it raised, in one line."""
    if isinstance(error, RaybenchError):
        text = " ".join(str(error).split())
        return text if text.startswith((f"task {task.index} ", f"task {task.index}:")) else f"task {task.index}: {text}"
    return f"task {task.index} raised {one_line(error)}"


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


def present(seconds: float) -> WorkerId:
    """Answer a roll call from a worker: who it is, after holding the slot for a moment."""
    pause(seconds)
    return process_session().node, os.getpid()


def present_thread(seconds: float) -> WorkerId:
    """Answer a roll call from a thread: who it is, by its native id."""
    pause(seconds)
    return process_session().node, threading.get_native_id()


class RollCall:
    """The workers that have answered. It is over when all have, and fails when no new one has for SILENCE_S."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._seen: set[WorkerId] = set()
        self._heard = now()

    def is_over(self, answered: Iterable[WorkerId]) -> bool:
        """Take note of who has answered, and return whether all have; BackendFailed after too long a silence."""
        before = len(self._seen)
        self._seen.update(answered)
        if len(self._seen) > before:
            self._heard = now()
        if len(self._seen) < self._workers and now() - self._heard > SILENCE_S:
            raise BackendFailed(
                f"asked for {self._workers} workers, {len(self._seen)} answered, and no other one for {SILENCE_S:g} s"
            )
        return len(self._seen) >= self._workers


def roll_call(ask: Callable[[int], Iterable[WorkerId]], workers: int) -> None:
    """Ask `workers` at a time until as many distinct ones have answered; else BackendFailed.

    ask : runs `present` that many times at once and returns the answers.
    """
    call = RollCall(workers)
    while not call.is_over(ask(workers)):
        pass


def shared_memory() -> str:
    """Return the measurement's private folder in memory, which the runner removes; without a runner the shared one."""
    own = os.environ.get("RAYBENCH_SHARED_MEMORY")
    return own or (SHARED_MEMORY if Path(SHARED_MEMORY).is_dir() else tempfile.gettempdir())


@contextmanager
def room_for_data() -> Iterator[None]:
    """Turn a full shared memory, while data are written to it, into a line that names it and what gives it more."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise BackendFailed(f"no room for the data in {full(shared_memory())}") from error


def full(folder: str) -> str:
    """Say how much room a folder has left, and what gives it more; for a message that it is full."""
    usage = shutil.disk_usage(folder if Path(folder).is_dir() else tempfile.gettempdir())
    return (
        f"{folder} ({usage.free / 2**20:.0f} MiB of {usage.total / 2**20:.0f} MiB left; a container gets more "
        "by `--shm-size`)"
    )
