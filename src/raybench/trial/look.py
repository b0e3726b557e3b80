"""Look at a function: call it on a sample of its items in a child process, and say what is special about it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from raybench.execution.child import Bounds, Child, Cut
from raybench.execution.classify import memory_limit
from raybench.execution.environment import environment
from raybench.execution.sandbox import Home, Sandbox
from raybench.model.plan import Spec
from raybench.model.serialize import from_json
from raybench.model.units import amount, duration
from raybench.trial import inputs
from raybench.trial.look_worker import Beside, Call, Facts
from raybench.trial.work import Observer, Step, Work, passed_on

Floats = npt.NDArray[np.float64]

MODULE = "raybench.trial.look_worker"
MOST_SAMPLED = 400
SECONDS = 2.5  # of calls, one after the other
PATIENCE_S = 60.0  # for one call; longer tasks do not need this tool to know that they may be distributed
BESIDE_TIMEOUT_S = 20.0
BUSY = 0.05  # share of the calls' time spent in the queue for a core
CLOCK_S = 0.02  # the kernel's CPU clock may be no finer than some milliseconds
LEAST_LEFT = 0.05  # of a doubled time that processes do not lose too; below it a lock cannot be told


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen of a function.

    count : of all items. calls : those sampled, in the order of the items. cpus : cores that may be used here.
    slowdown : seconds of a call while another process makes one too, over seconds alone; 1 where it is not known.
    failure : '' or the sentence that ends the trial.
    """

    name: str
    count: int
    cpus: int
    calls: tuple[Call, ...] = ()
    facts: Facts | None = None
    slowdown: float = 1.0
    failure: str = ""

    @property
    def mean_s(self) -> float:
        """Return the mean seconds of a task."""
        return float(np.mean([one.wall_s for one in self.calls])) if self.calls else 0.0

    @property
    def typical_s(self) -> float:
        """Return the median seconds of a task."""
        return float(np.median([one.wall_s for one in self.calls])) if self.calls else 0.0

    @property
    def total_s(self) -> float:
        """Return the seconds of the sequential baseline over all items."""
        return self.count * self.mean_s

    @property
    def spread(self) -> float:
        """Return the standard deviation of the seconds of a task over their mean."""
        return float(np.std([one.wall_s for one in self.calls]) / self.mean_s) if self.mean_s else 0.0

    @property
    def waiting(self) -> float:
        """Return the share of its time in which the function does not compute, 0 to 1."""
        wall_s = sum(one.wall_s for one in self.calls)
        busy_s = sum(one.cpu_s + one.queued_s for one in self.calls)
        return max(0.0, 1 - busy_s / wall_s) if wall_s > CLOCK_S else 0.0

    @property
    def queued(self) -> float:
        """Return the share of its time in which the function waited for a core that others used, 0 to 1."""
        wall_s = sum(one.wall_s for one in self.calls)
        return sum(one.queued_s for one in self.calls) / wall_s if wall_s > CLOCK_S else 0.0

    @property
    def bytes_in(self) -> float:
        """Return the mean pickled size of an item."""
        return float(np.mean([one.bytes_in for one in self.calls])) if self.calls else 0.0

    @property
    def bytes_out(self) -> float:
        """Return the mean pickled size of a result."""
        return float(np.mean([one.bytes_out for one in self.calls])) if self.calls else 0.0

    @property
    def processes(self) -> bool:
        """Return whether results can be sent from one process to another."""
        return not any(one.sent_back for one in self.calls)

    @property
    def lock(self) -> float:
        """Return the share of a call that excludes another thread: what two threads lose more than two processes do.

        1 where it is not known.
        """
        if self.facts is None or self.facts.lock is None:
            return 1.0
        together = 1 + self.facts.lock  # of two threads: twice the locked share, the rest slowed down as in processes
        return min(1.0, max(0.0, (together - self.slowdown) / max(LEAST_LEFT, 2 - self.slowdown)))

    def task_s(self, most: int) -> list[float]:
        """Return seconds of all tasks in their order, each as long as the sampled item next to it; at most `most`."""
        return self.seconds_of(np.linspace(0, self.count - 1, min(self.count, most)))

    def seconds_of(self, items: Sequence[float] | Floats) -> list[float]:
        """Return seconds of some items, by their numbers; each takes as long as the sampled item next to it."""
        at = [one.index for one in self.calls]
        nearest = np.rint(np.interp(items, at, np.arange(len(at))))  # half-way between two of them the nearer changes
        return [self.calls[int(i)].wall_s for i in nearest]

    def words(self) -> str:
        """Return the function in one line: `simulate: 200 tasks of 41 ms (computing, ...), 1.2 kB in, 80 B out`."""
        kind = "waiting" if self.waiting > 0.5 else "computing"
        if self.facts and self.facts.lock is not None and kind == "computing":
            kind += ", releases no lock" if self.lock > 0.7 else ", releases the lock" if self.lock < 0.3 else ""
        spread = f" (+-{100 * self.spread:.0f} %)" if self.spread > 0.2 else ""
        sizes = f"{amount(round(self.bytes_in))} in, {amount(round(self.bytes_out))} out"
        tasks = f"{self.count} tasks" if self.count != 1 else "1 task"
        return f"{self.name}: {tasks} of {duration(self.mean_s)}{spread} ({kind}), {sizes}"


def look(work: Work, home: Home, *, cpus: int, observe: Observer, seconds: float = SECONDS) -> Look:
    """Look at the function for some seconds; ends every process it started."""
    indices = inputs.sample(work.items, MOST_SAMPLED)
    found = Look(name=work.target.name, count=len(work.items), cpus=cpus)
    with ExitStack() as stack:
        box = stack.enter_context(Sandbox(home, "look"))
        path = work.write(home.scratch / "look.pkl", indices)
        child = stack.enter_context(_child(box, cpus))
        child.send({"path": str(path), "indices": list(range(len(indices))), "seconds": seconds, "threads": cpus})
        bounds = Bounds(timeout_s=PATIENCE_S, memory_bytes=memory_limit(None), held_bytes=box.held_bytes)
        for line in _lines(child, bounds):
            if isinstance(line, Call):
                found = replace(found, calls=(*found.calls, replace(line, index=indices[line.index])))
                observe(Step(text=f"looking: {len(found.calls)} calls of {found.name}", left_s=seconds))
            elif isinstance(line, Facts):
                found = replace(found, facts=line)
                if cpus > 1 and found.mean_s < BESIDE_TIMEOUT_S / 8:
                    typical = min(found.calls, key=lambda one: abs(one.wall_s - found.typical_s)).index
                    beside = _beside(child, home, {"path": str(path), "burn_index": indices.index(typical)}, bounds)
                    found = replace(found, slowdown=max(1.0, beside / found.typical_s) if beside else 1.0)
                child.send(None)
        found = replace(found, failure=_failure(found, child, indices))
    return replace(found, calls=tuple(sorted((c for c in found.calls if not c.error), key=lambda c: c.index)))


def _child(box: Sandbox, threads: int) -> Child:
    env = environment(Spec(name="look", target="", environment=passed_on()), threads=threads) | box.variables
    child = Child(MODULE, env=env, cwd=box.scratch)
    box.add(child.process.pid)
    return child


def _lines(child: Child, bounds: Bounds) -> Iterator[Call | Facts]:
    while (text := child.answer(bounds)) is not None:
        value: Any = json.loads(text)
        yield from_json(Call, value) if "index" in value else from_json(Facts, value)


def _beside(child: Child, home: Home, request: dict[str, Any], bounds: Bounds) -> float:
    """Return the seconds of a call while a second process calls too; 0 where it could not be seen."""
    with Sandbox(home, "beside") as box, _child(box, 1) as other:
        other.send({**request, "burn": True})
        limits = Bounds(timeout_s=BESIDE_TIMEOUT_S, held_bytes=box.held_bytes)
        if other.answer(limits) is None:
            return 0.0
        child.send({})
        text = child.answer(replace(bounds, timeout_s=BESIDE_TIMEOUT_S))
    return from_json(Beside, json.loads(text)).beside_s if text else 0.0


def _failure(found: Look, child: Child, indices: Sequence[int]) -> str:
    """Say why the trial cannot go on, or ''."""
    name = found.name
    bad = next((one for one in found.calls if one.error), None)
    if bad is not None:
        exits = bad.error.startswith("SystemExit")
        what = "calls sys.exit" if exits else f"raises {bad.error}"
        advice = "let it return instead" if exits else "mend it, or leave the item out"
        return f"{name} {what} on item {bad.index} ({bad.index + 1} of {found.count}); {advice}"
    if found.facts is not None:
        return ""
    ending = child.end()
    at = indices[len(found.calls)] if len(found.calls) < len(indices) else indices[-1]
    if ending.cut is Cut.TIME:
        return (
            f"{name} has not returned within {PATIENCE_S:g} s on item {at}: tasks of minutes lose nothing by being "
            "sent; run it as a study of its own, or try it on smaller items"
        )
    if ending.cut is Cut.MEMORY:
        return f"{name} held {amount(ending.most_bytes)} on item {at}, more than this machine can give"
    return f"{name} ended its process on item {at}: it {ending.how}; {ending.last_words or 'it said nothing'}"


def problems(found: Look) -> list[str]:
    """Return one sentence for everything about the function that a user should know before it is distributed."""
    facts = found.facts
    if facts is None:
        return []
    name = found.name
    told = [(one.sent_back, one.index) for one in found.calls if one.sent_back][:1]
    large = found.bytes_out + found.bytes_in > 32 * 2**20
    checks = (
        (
            found.queued > BUSY,
            f"other programs use the cores ({100 * found.queued:.0f} % of the time): all numbers here are rough",
        ),
        (facts.repeatable is False, f"{name} gives two answers to one item (random?): answers cannot be compared"),
        (facts.changes_item, f"{name} changes its item: in another process the change is made to a copy and lost"),
        (
            bool(told),
            f"its result cannot be sent between processes: {told[0][0] if told else ''}; only threads are tried",
        ),
        (large, f"each task moves {amount(found.bytes_in + found.bytes_out)}; return or send less, or paths to files"),
        (facts.prints, f"{name} prints: in workers the lines come out of order, or not at all"),
        (
            facts.cores > 1.2,
            f"{name} uses {facts.cores:.1f} cores by itself: library threads, or processes of its own",
        ),
        (facts.gpu, f"{name} opens a GPU: workers share it, and this tool tells nothing about its memory"),
        (
            found.waiting > 0.5,
            f"{name} waits {100 * found.waiting:.0f} % of its time: more threads than cores may help",
        ),
        (
            found.slowdown > 1.3,
            f"two calls at once take {found.slowdown:.1f} times as long each: memory, caches or cores limit them",
        ),
    )
    said = [text for true, text in checks if true]
    said += [
        f"{name} writes to {path} from {count} items: parallel tasks would write to it at the same time"
        for path, count in sorted(facts.files.items())
        if count > 1
    ]
    return said
