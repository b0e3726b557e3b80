"""The child that looks at a function: calls it on sampled items and says what it saw, one line per call.

Nothing that the function prints reaches the pipe. What it raises, SystemExit too, is a line like any other.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from threadpoolctl import threadpool_limits

from raybench.execution.worker import orders, serve
from raybench.model.clock import now
from raybench.model.errors import one_line, raised_by
from raybench.trial import probes
from raybench.workloads import function as functions

LONG_S = 3.0  # a call that takes longer is not repeated for a comparison
MOST_KEPT = 256 * 2**20  # bytes of answers
WRITES = os.O_WRONLY | os.O_RDWR


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call. index : of the item. error : '' or what it raised. sent_back : '' or why its result cannot be.

    queued_s : seconds in which it could have computed, and another program had the core.
    bytes_in, bytes_out : pickled sizes of item and result.
    """

    index: int
    wall_s: float = 0.0
    cpu_s: float = 0.0
    queued_s: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    error: str = ""
    sent_back: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was seen over all calls.

    first_s : seconds of the very first call, with whatever it imports. repeatable : two calls gave one answer; None
    where a call takes too long to repeat. changes_item : a call changed its item.
    lock : share of a call during which it holds the interpreter's lock, 0 to 1: from two threads against one.
    threads_gain : wall time with one library thread / with all; cores : CPU seconds per second of a call with all.
    rss_bytes : most memory held; grown_bytes : more than before the first call.
    prints : it wrote to standard output or error. files : paths outside its folders opened for writing, by how many
    items. gpu : it opened a GPU.
    """

    first_s: float
    repeatable: bool | None
    changes_item: bool
    lock: float | None
    threads_gain: float | None
    cores: float
    rss_bytes: int
    grown_bytes: int
    prints: bool
    files: Mapping[str, int] = field(default_factory=dict)
    gpu: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Mean seconds of a call while another process makes the same call; `ready` only says that it began."""

    beside_s: float = 0.0
    ready: bool = False


def main() -> int:
    """Serve one request of `trial.look`."""
    return serve(_answers)


def _answers(request: Mapping[str, Any], began: float) -> Iterator[Call | Facts | Beside]:
    payload, items = functions.read(request["path"])
    with raised_by("--setup" if payload.setup else "loading the function"), threadpool_limits(1):
        call = payload.call()
    if request.get("burn"):
        yield from _burn(call, items[request["burn_index"]])
        return
    looker = _Looker(call, items, request["indices"], request["seconds"])
    yield from looker.calls()
    if looker.good:
        yield looker.facts(request["threads"])
        for _ in orders():
            yield Beside(beside_s=looker.mean_s())


def _burn(call: Callable[[Any], Any], item: Any) -> Iterator[Beside]:
    """Call for ever; the runner ends this process."""
    with threadpool_limits(1):
        call(item)
        yield Beside(ready=True)
        while True:
            call(item)


class _Looker:
    """Calls, their times, and what the process did meanwhile."""

    def __init__(
        self, call: Callable[[Any], Any], items: Sequence[Any], indices: Sequence[int], seconds: float
    ) -> None:
        self._call, self._items, self._indices, self._seconds = call, items, indices, seconds
        self.good: list[Call] = []
        self._first_s, self._changes = 0.0, False
        self._repeatable: bool | None = None
        self._kept: list[Any] = []  # the answers, as a caller keeps them: memory that is used again is faster
        self._kept_bytes = 0
        self._files: dict[str, set[int]] = {}
        self._current = -1
        self._before = probes.rss()
        self._printed = probes.printed()
        sys.addaudithook(self._note)

    def calls(self) -> Iterator[Call]:
        """Yield a call per sampled item until the time is used up; the first item is called twice."""
        began = now()
        with threadpool_limits(1):
            for place, index in enumerate(self._indices):
                one = self._first(index) if place == 0 else self._one(index)[0]
                yield one
                if one.error:
                    self.good.clear()  # nothing more is asked of a function that fails
                    return
                self.good.append(one)
                if now() - began > self._seconds:
                    return

    def _first(self, index: int) -> Call:
        """Call twice: the first call may import and fill caches, and whoever draws at random gives two answers."""
        item = self._items[index]
        before = probes.fingerprint(item)
        one, answer = self._one(index)
        self._first_s = one.wall_s
        self._changes = before is not None and before != probes.fingerprint(item)
        if one.error or one.wall_s > LONG_S or self._changes:
            return one
        again, second = self._one(index)
        if not again.error:
            self._repeatable = functions.same(answer, second)
        return again

    def _one(self, index: int) -> tuple[Call, Any]:
        item = self._items[index]
        self._current = index
        cpu, queued, began = probes.cpu_s(), probes.queued_s(), now()
        try:
            answer = self._call(item)
        except BaseException as error:  # noqa: BLE001 - the user's function may raise anything, and that is what we ask
            return Call(index=index, wall_s=now() - began, error=one_line(error)), None
        wall_s, cpu_s = now() - began, probes.cpu_s() - cpu
        queued_s = probes.queued_s() - queued
        self._current = -1
        bytes_out, reason = probes.size(answer)
        bytes_in, _ = probes.size(item)
        if self._kept_bytes + bytes_out < MOST_KEPT:
            self._kept_bytes += bytes_out
            self._kept.append(answer)
        found = Call(
            index=index,
            wall_s=wall_s,
            cpu_s=cpu_s,
            queued_s=queued_s,
            bytes_in=bytes_in,
            bytes_out=bytes_out,
            sent_back=reason,
        )
        return found, answer

    def _typical(self) -> Any:
        """Return the item whose call took the median time."""
        ordered = sorted(self.good, key=lambda one: one.wall_s)
        return self._items[ordered[len(ordered) // 2].index]

    def mean_s(self) -> float:
        """Return the mean seconds of a call on one library thread."""
        item = self._typical()
        with threadpool_limits(1):
            return probes.mean_s(lambda: self._call(item))

    def facts(self, threads: int) -> Facts:
        """Compare one thread with two, one library thread with all, and say what else was seen."""
        item = self._typical()
        typical_s = sorted(one.wall_s for one in self.good)[len(self.good) // 2]
        lock, gain = None, None
        wall_s = sum(one.wall_s for one in self.good)
        cores = sum(one.cpu_s for one in self.good) / wall_s if wall_s > probes.REPEAT_S else 0.0
        if typical_s <= LONG_S:
            lock = self._lock(item)
            alone_s = self.mean_s()
            cpu, began = probes.cpu_s(), now()
            with threadpool_limits(threads):
                wide_s = probes.mean_s(lambda: self._call(item))
            cores = max(cores, (probes.cpu_s() - cpu) / max(1e-9, now() - began))
            gain = min(alone_s / max(wide_s, 1e-9), max(1.0, cores))  # what other programs take is no gain
        return Facts(
            first_s=self._first_s,
            repeatable=self._repeatable,
            changes_item=self._changes,
            lock=lock,
            threads_gain=gain,
            cores=cores,
            rss_bytes=probes.rss(),
            grown_bytes=max(0, probes.rss() - self._before),
            prints=probes.printed() > self._printed,
            files={path: len(items) for path, items in self._files.items()},
            gpu=probes.opened_gpu(),
        )

    def _lock(self, item: Any) -> float:
        """Return how much of a call excludes another thread: 0 two run in the time of one, 1 in that of two."""
        with threadpool_limits(1):
            count = probes.count(lambda: self._call(item))
            alone_s = probes.repeat(lambda: self._call(item), count)
            others = [threading.Thread(target=probes.repeat, args=(lambda: self._call(item), count)) for _ in range(2)]
            began = now()
            for thread in others:
                thread.start()
            for thread in others:
                thread.join()
            together_s = now() - began
        return float(min(1.0, max(0.0, together_s / max(alone_s, 1e-9) - 1)))

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take note of files that a call opens for writing."""
        if event != "open" or self._current < 0:
            return
        path, mode, flags = arguments
        writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool((flags or 0) & WRITES)
        if writes and isinstance(path, (str, bytes)):
            name = os.path.abspath(os.fsdecode(path))
            if not name.startswith((os.environ.get("TMPDIR", "/tmp"), "/dev/", "/proc/")):
                self._files.setdefault(name, set()).add(self._current)


if __name__ == "__main__":
    sys.exit(main())
