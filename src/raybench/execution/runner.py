"""Run a plan: one fresh child per measurement, in order, resumable, leaving no process behind.

Knows neither statistics nor any library that is measured; prints nothing: it tells an observer.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from raybench.execution import quality_processes
from raybench.execution.environment import environment
from raybench.execution.leftovers import Leftovers, remove_leftovers
from raybench.execution.look_ahead import LookAhead
from raybench.execution.ray_head_process import Head
from raybench.execution.sandbox import Home
from raybench.execution.take import take
from raybench.model.clock import now
from raybench.model.errors import BackendFailed
from raybench.model.measurement import Measurement
from raybench.model.plan import Job, Plan, Spec, Status, Stop
from raybench.planning.planner import head_key
from raybench.store.store import Store

ATTEMPTS = 3  # of a disturbed measurement, the first one included
OBJECT_STORE_BYTES = 2 * 2**30
OPEN = (Status.DISTURBED,)
BAD = (Status.FAILED, Status.TIMED_OUT)


class EventKind(StrEnum):
    """What an observer is told of."""

    STARTED = "started"
    MEASURED = "measured"
    QUALITY = "quality"
    HEAD = "head"
    TOLD = "told"  # a sentence for the user


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What the observer is told."""

    kind: EventKind
    job: Job | None = None
    measurement: Measurement | None = None
    done: int = 0
    total: int = 0
    left_s: float = 0.0
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """How a pass through a plan ended. failed : measurements of this pass that failed or timed out."""

    measured: int
    failed: int
    stopped: Stop


Observer = Callable[[Event], None]


class Runner:
    """Measures what is missing of a plan into one run's folder.

    The caller holds the folder's lock. `retry_failed` also repeats measurements that failed or timed out.
    `quiet_only` sets a measurement aside as disturbed, and repeats it, where the machine was not quiet; without
    it (a study without verdicts) the disturbance is only recorded.
    """

    def __init__(self, folder: Path, *, observe: Observer, retry_failed: bool = False, quiet_only: bool = True) -> None:
        self._store = Store(folder / "measurements.jsonl")
        self._observe = observe
        self._retry_failed = retry_failed
        self._quiet_only = quiet_only
        loaded = self._store.load()
        self._lines = {m.key: m for m in loaded.measurements}
        self._began = now() - max((m.began for m in loaded.measurements), default=0.0)  # a resumed run goes on counting
        self._qualities = {q.key for q in loaded.qualities}
        self._index = len(loaded.measurements)
        self._home = Home()  # at the end: a store that cannot be read leaves no folder
        self._ahead = LookAhead(self._home)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._home.close()

    @property
    def tag(self) -> str:
        """What the tags of this runner's processes begin with."""
        return self._home.tag

    def remove_leftovers(self) -> Leftovers:
        """End and remove what runners that were killed left on this machine, of any study."""
        return remove_leftovers()

    def missing(self, jobs: Iterable[Job]) -> list[Job]:
        """List what is still to measure, in order; a disturbed measurement comes back as its next attempt."""
        todo = []
        for job in jobs:
            attempt = 1
            while (line := self._lines.get((*job.key[:3], attempt))) is not None:
                again = line.status in OPEN and attempt < ATTEMPTS
                again |= self._retry_failed and line.status in BAD
                if not again:
                    break
                attempt += 1
            else:
                todo.append(replace(job, attempt=attempt))
        return todo

    def run(self, jobs: Sequence[Job], *, budget_s: float) -> Pass:
        """Measure in whole blocks until all is done or the next block would pass the budget; the first always runs."""
        todo = self.missing(jobs)
        progress = _Progress(total=len(todo), began=now())
        blocks: dict[int, list[Job]] = {}
        for job in todo:
            blocks.setdefault(job.block, []).append(job)
        longest = 0.0
        for block in sorted(blocks):
            if progress.done and now() - progress.began + longest > budget_s:
                return Pass(measured=progress.done, failed=progress.failed, stopped=Stop.BUDGET)
            block_began = now()
            queue = blocks[block]
            while queue:
                queue = list(self._once(queue, progress))
            longest = max(longest, now() - block_began)
        return Pass(measured=progress.done, failed=progress.failed, stopped=Stop.COMPLETE)

    def _once(self, queue: Sequence[Job], progress: "_Progress") -> Iterator[Job]:
        """Measure each job once; yield the next attempt of those that were disturbed."""
        for measurement, job in self._in_order(queue):
            again = measurement.status is Status.DISTURBED and job.attempt < ATTEMPTS
            progress.count(measurement, again=again)
            if again:
                yield replace(job, attempt=job.attempt + 1)
            self._observe(
                Event(
                    kind=EventKind.MEASURED,
                    job=job,
                    measurement=measurement,
                    done=progress.done,
                    total=progress.total,
                    left_s=progress.left_s(),
                )
            )

    def quality(self, specs: Iterable[Spec], *, pairs: int, seed: int, timeout_s: float) -> int:
        """Take the quality pass of each workload that has not all of it, untimed; return how many lines were added.

        timeout_s : for each pair.
        """
        added = 0
        for spec in specs:
            if quality_processes.complete(self._qualities, spec.name, pairs):
                continue
            self._observe(Event(kind=EventKind.QUALITY, text=spec.name))
            taken = quality_processes.take(spec, self._home, pairs=pairs, seed=seed, timeout_s=timeout_s)
            if taken.fault:
                self._observe(Event(kind=EventKind.TOLD, text=taken.fault))
            fresh = [line for line in taken.lines if line.key not in self._qualities]
            for line in fresh:
                self._store.append(line)
            self._qualities |= {line.key for line in fresh}
            added += len(fresh)
        return added

    # --- one measurement --------------------------------------------------------------------------

    def _in_order(self, jobs: Sequence[Job]) -> Iterable[tuple[Measurement, Job]]:
        """Measure jobs one after the other; adjacent ones with the same head key share a head."""
        token = secrets.token_hex(32)
        place = 0
        while place < len(jobs):
            key = head_key(jobs[place].cell)
            stop = place + 1
            while key and stop < len(jobs) and head_key(jobs[stop].cell) == key:
                stop += 1
            group = jobs[place:stop]
            place = stop
            if not key or group[0].cluster.address:
                for job in group:
                    yield self._one(job, None, token), job
                continue
            yield from self._on_shared_head(group, token)

    def _on_shared_head(self, group: Sequence[Job], token: str) -> Iterable[tuple[Measurement, Job]]:
        self._ahead.draw(group)
        for job in group:
            if reason := self._ahead.refusal(job):
                yield self._keep(Measurement.of(job, Status.FAILED, reason)), job
        group = [job for job in group if not self._ahead.refusal(job)]
        if not group:
            return
        self._observe(Event(kind=EventKind.HEAD, job=group[0]))
        cell = group[0].cell
        env = environment(cell.backend, threads=cell.cpus_per_task, job=group[0])
        env |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
        request = {"num_cpus": cell.cpus, "num_gpus": cell.gpus, "object_store_memory": OBJECT_STORE_BYTES}
        head = Head(request, home=self._home, name=f"h{self._index}", env=env, affinity=group[0].affinity)
        with ExitStack() as stack:
            try:
                stack.enter_context(head)
            except BackendFailed as error:
                for job in group:
                    yield self._keep(Measurement.of(job, Status.FAILED, str(error))), job
                return
            for job in group:
                yield self._one(job, head, token), job

    def _one(self, job: Job, head: Head | None, token: str) -> Measurement:
        """Take one measurement; whatever happens, one line is stored."""
        self._observe(Event(kind=EventKind.STARTED, job=job))
        measured, spawned = take(job, self._home, name=str(self._index), head=head, token=token)
        measured = replace(measured, began=round(spawned - self._began, 3))
        self._ahead.note(job.cell.workload, measured)
        if measured.status is Status.OK and measured.disturbance.reason and self._quiet_only:
            measured = replace(measured, status=Status.DISTURBED, reason=measured.disturbance.reason)
        return self._keep(measured)

    def _keep(self, measurement: Measurement) -> Measurement:
        measurement = replace(measurement, index=self._index)
        self._store.append(measurement)
        self._lines[measurement.key] = measurement
        self._index += 1
        return measurement


@dataclass
class _Progress:
    total: int
    began: float
    done: int = 0
    failed: int = 0

    def count(self, measurement: Measurement, *, again: bool) -> None:
        self.done += 1
        self.failed += measurement.status in BAD
        self.total += again

    def left_s(self) -> float:
        return (now() - self.began) / self.done * (self.total - self.done)


def jobs_in_order(plan: Plan) -> Sequence[Job]:
    """Return the jobs of a plan in the order of measuring."""
    return sorted(plan.jobs, key=lambda job: (job.block, job.order))
