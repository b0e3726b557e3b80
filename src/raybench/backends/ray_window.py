"""Keep a bounded number of Ray tasks in flight, and take what is ready at once."""

from collections.abc import Callable, Generator, Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar

import ray

from raybench.backends.ray_session import fetch
from raybench.model.clock import now
from raybench.model.errors import RaybenchError, TaskTimedOut

I = TypeVar("I")  # noqa: E741

KILL_AFTER_S = 30.0  # beyond a task's time-out: its worker may first have to start and import
WIDEST = 1000  # tasks in flight where they are short: as many as Ray's own benchmark submits at once
GROWTH = 4  # the window is so many times what came back at once
AGAIN = b""  # a worker's answer: it lacks what the task refers to
PATIENCE_S = 0.005  # a wide window waits so long for half of its tasks: each look at it costs about 1 us per task


def in_flight(
    submit: Callable[[I], Any],
    items: Iterable[I],
    *,
    window: int,
    widest: int | None = None,
    timeout_s: float | None = None,
    again: Callable[[I], Any] | None = None,
) -> Generator[tuple[I, Any]]:
    """Yield (item, result) in the order of completion; `items` is drawn only when there is room.

    A result that is lost is the BackendFailed that says why. Close it where the tasks may fail: left to the garbage
    collector, it would cancel its tasks after Ray's end, and that call would start another cluster.
    window : tasks in flight at first, and never fewer. widest : it grows up to this as long as so many come back at
        once that the workers would wait for the driver; None keeps it as it is.
    timeout_s : the tasks' own time-out. They end themselves (Python code); a worker that has not by KILL_AFTER_S
        later is killed, and the result is a TaskTimedOut.
    again : submits an item whose worker has answered AGAIN.
    """
    source = iter(items)
    pending: dict[Any, tuple[I, float]] = {}
    limit_s = None if timeout_s is None else timeout_s + KILL_AFTER_S
    room = window
    try:
        while True:
            for item in islice(source, max(0, room - len(pending))):
                pending[submit(item)] = (item, now())
            if not pending:
                return
            wait_s = None if limit_s is None else max(0.0, min(at for _, at in pending.values()) + limit_s - now())
            done = _ready(list(pending), wait_s, patience_s=PATIENCE_S if room > window else 0.0)
            room = max(window, min(widest or window, GROWTH * len(done)))
            for ref, outcome in zip(done, _outcomes(done), strict=True):
                item, _ = pending.pop(ref)
                if again and is_again(outcome):
                    pending[again(item)] = (item, now())
                else:
                    yield item, outcome
            for ref in [] if done or limit_s is None else _late(pending, limit_s):
                ray.cancel(ref, force=True)
                item, _ = pending.pop(ref)
                yield item, TaskTimedOut(f"ran longer than its time-out of {timeout_s:g} s, and its worker was killed")
    finally:
        for ref in pending:
            ray.cancel(ref)


def _ready(refs: list[Any], wait_s: float | None, *, patience_s: float) -> list[Any]:
    """Wait for the first of them, then return all that are ready; [] after `wait_s`.

    patience_s : wait so long, after the first, for half of them.
    """
    done: list[Any]
    done, _ = ray.wait(refs, num_returns=1, timeout=wait_s)
    if not done or len(refs) == 1:
        return done
    if patience_s:
        ray.wait(refs, num_returns=(len(refs) + 1) // 2, timeout=patience_s)
    done, _ = ray.wait(refs, num_returns=len(refs), timeout=0)
    return done


def _outcomes(refs: Sequence[Any]) -> list[Any]:
    """Fetch all in one call; where one is lost, each by itself, so that only that one is an error."""
    try:
        return list(fetch(refs))
    except RaybenchError:
        return [outcome_of(ref) for ref in refs]


def outcome_of(ref: Any) -> Any:
    """Fetch a result, or the error that says why it is lost."""
    try:
        return fetch(ref)
    except RaybenchError as error:
        return error


def _late(pending: dict[Any, tuple[Any, float]], limit_s: float) -> list[Any]:
    return [ref for ref, (_, at) in pending.items() if now() - at >= limit_s]


def is_again(outcome: Any) -> bool:
    """Return whether a worker asks for its task again, with what it lacks."""
    return isinstance(outcome, bytes) and not outcome
