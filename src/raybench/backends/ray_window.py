"""Keep a bounded number of Ray tasks in flight, and take each result as it comes."""

from collections.abc import Callable, Generator, Iterable
from itertools import islice
from typing import Any, TypeVar

import ray

from raybench.backends.ray_session import fetch
from raybench.model.clock import now
from raybench.model.errors import RaybenchError, TaskTimedOut

I = TypeVar("I")  # noqa: E741

KILL_AFTER_S = 30.0  # beyond a task's time-out: its worker may first have to start and import


def in_flight(
    submit: Callable[[I], Any], items: Iterable[I], *, window: int, timeout_s: float | None = None
) -> Generator[tuple[I, Any]]:
    """Yield (item, result) in the order of completion; `items` is drawn only when there is room.

    A result that is lost is the BackendFailed that says why. Close it where the tasks may fail: left to the garbage
    collector, it would cancel its tasks after Ray's end, and that call would start another cluster.
    timeout_s : the tasks' own time-out. They end themselves (Python code); a worker that has not by KILL_AFTER_S
        later is killed, and the result is a TaskTimedOut.
    """
    source = iter(items)
    pending: dict[Any, tuple[I, float]] = {}
    limit_s = None if timeout_s is None else timeout_s + KILL_AFTER_S
    try:
        while True:
            for item in islice(source, window - len(pending)):
                pending[submit(item)] = (item, now())
            if not pending:
                return
            wait_s = None if limit_s is None else max(0.0, min(at for _, at in pending.values()) + limit_s - now())
            done, _ = ray.wait(list(pending), num_returns=1, timeout=wait_s)
            for ref in done:
                item, _ = pending.pop(ref)
                yield item, _outcome(ref)
            for ref in [] if done or limit_s is None else _late(pending, limit_s):
                ray.cancel(ref, force=True)
                item, _ = pending.pop(ref)
                yield item, TaskTimedOut(f"ran longer than its time-out of {timeout_s:g} s, and its worker was killed")
    finally:
        for ref in pending:
            ray.cancel(ref)


def _outcome(ref: Any) -> Any:
    try:
        return fetch(ref)
    except RaybenchError as error:
        return error


def _late(pending: dict[Any, tuple[Any, float]], limit_s: float) -> list[Any]:
    return [ref for ref, (_, at) in pending.items() if now() - at >= limit_s]
