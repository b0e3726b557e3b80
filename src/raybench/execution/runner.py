"""Run a plan: group after group of processes, in order, resumable, leaving no process behind.

Knows neither statistics nor any library that is measured; prints nothing: it tells an observer.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from raybench.execution import quality_processes
from raybench.execution.budget import Budget
from raybench.execution.clusters import Clusters
from raybench.execution.group import Group, Repeats
from raybench.execution.leftovers import Leftovers, remove_leftovers
from raybench.execution.rounds import choose_rounds
from raybench.execution.sandbox import Home
from raybench.model.clock import now
from raybench.model.measurement import Measurement, Sample
from raybench.model.plan import Job, Plan, Spec, Status, Stop
from raybench.store.store import Store

BAD = (Status.FAILED, Status.TIMED_OUT)


class EventKind(StrEnum):
    """What an observer is told of."""

    STARTED = "started"
    MEASURED = "measured"  # a process has ended
    GROUP = "group"  # all processes of a group have ended
    QUALITY = "quality"
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
    """How a pass through a plan ended. measured : processes; failed : those that failed or timed out."""

    measured: int
    failed: int
    stopped: Stop


Observer = Callable[[Event], None]


class Runner:
    """Measures what is missing of a plan into one run's folder.

    The caller holds the folder's lock. `retry_failed` also repeats groups in which a process failed or timed out.
    """

    def __init__(self, folder: Path, *, observe: Observer, retry_failed: bool = False) -> None:
        self._store = Store(folder / "measurements.jsonl")
        self._observe = observe
        self._retry_failed = retry_failed
        loaded = self._store.load()
        self._lines = {m.key: m for m in loaded.measurements}
        self._samples: list[Sample] = list(loaded.samples)
        stamps = [*(m.began for m in loaded.measurements), *(s.began for s in loaded.samples)]
        self._began = now() - max(stamps, default=0.0)  # a resumed run goes on counting
        self._qualities = {q.key for q in loaded.qualities}
        self._index = len(loaded.measurements)
        self._repeats = Repeats(budget_s=0.0)
        self._home = Home(folder)  # at the end: a store that cannot be read leaves no folder
        self._clusters = Clusters(self._home, token=secrets.token_hex(32), tell=self._tell)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._clusters.__exit__(kind, error, trace)
        finally:
            self._home.close()

    @property
    def tag(self) -> str:
        """What the tags of this runner's processes begin with."""
        return self._home.tag

    def remove_leftovers(self) -> Leftovers:
        """End and remove what runners that were killed left on this machine, of any study."""
        return remove_leftovers()

    def missing(self, jobs: Iterable[Job]) -> list[list[Job]]:
        """List the groups that are still to measure, in order, each whole: its processes belong together.

        A group that was cut off, or is to be retried, comes back as its next attempt.
        """
        groups: dict[tuple[int, int], list[Job]] = {}
        for job in sorted(jobs, key=lambda job: (job.block, job.order)):
            groups.setdefault((job.block, job.group), []).append(job)
        attempts: dict[tuple[str, int, int], int] = {}
        for key in [*self._lines, *(sample.process for sample in self._samples)]:
            attempts[key[:3]] = max(attempts.get(key[:3], 0), key[3])
        found = []
        for members in groups.values():
            latest = max(attempts.get(job.key[:3], 0) for job in members)
            lines = [self._lines.get((*job.key[:3], latest)) for job in members]
            failed = any(line.status in BAD for line in lines if line)
            if latest == 0 or None in lines or (failed and self._retry_failed):
                found.append([replace(job, attempt=latest + 1) for job in members])
        return found

    def run(self, jobs: Sequence[Job], budget: Budget, *, before: Callable[[int], None] = lambda block: None) -> Pass:
        """Measure in blocks until all is done or the budget has no room for a group more; the first always runs.

        before : called with the number of each later block before it begins.
        """
        todo = self.missing(jobs)
        self._repeats = Repeats(budget_s=budget.seconds, spent_s=self._repeats.spent_s)
        progress = _Progress(total=sum(map(len, todo)), began=now())
        blocks: dict[int, list[list[Job]]] = {}
        for group in todo:
            blocks.setdefault(group[0].block, []).append(group)
        stopped = Stop.COMPLETE
        for place, block in enumerate(sorted(blocks)):
            groups = budget.choose(blocks[block]) if place else blocks[block]
            if len(groups) < len(blocks[block]):
                stopped = Stop.BUDGET
            if place and groups:
                before(block)
            for number, group in enumerate(groups):
                began = now()
                self._group(group, progress, spare_s=budget.left_s - budget.estimate_s(groups[number:]))
                budget.note(group, now() - began)
            if not place and len(blocks) > 1 and (said := budget.words(groups)):
                self._observe(Event(kind=EventKind.TOLD, text=said))
        return Pass(measured=progress.done, failed=progress.failed, stopped=stopped)

    def _group(self, jobs: Sequence[Job], progress: "_Progress", *, spare_s: float) -> None:
        """Measure one group; one line for each of its processes is stored, whatever happens.

        spare_s : seconds of the budget that further rounds may take.
        """
        nodes = self._clusters.nodes_of(jobs)
        group = Group(
            jobs, self._home, token=secrets.token_hex(32), keep=self._keep_sample, origin=self._began, nodes=nodes
        )
        rounds = choose_rounds(jobs, self._lines.values(), self._samples, spare_s=spare_s)

        def started(job: Job) -> None:
            self._observe(Event(kind=EventKind.STARTED, job=job))

        for job, ended in group.run(rounds, self._repeats, started=started):
            began = round(ended.spawned - self._began, 3)
            measured = self._keep(replace(ended.measurement, began=began))
            progress.count(measured)
            self._observe(progress.event(EventKind.MEASURED, job=job, measurement=measured))
        self._observe(progress.event(EventKind.GROUP, job=jobs[0]))

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
                self._tell(taken.fault)
            fresh = [line for line in taken.lines if line.key not in self._qualities]
            for line in fresh:
                self._store.append(line)
            self._qualities |= {line.key for line in fresh}
            added += len(fresh)
        return added

    def _tell(self, text: str) -> None:
        self._observe(Event(kind=EventKind.TOLD, text=text))

    def _keep_sample(self, sample: Sample) -> None:
        self._store.append(sample)
        self._samples.append(sample)

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

    def count(self, measurement: Measurement) -> None:
        self.done += 1
        self.failed += measurement.status in BAD

    def event(self, kind: EventKind, *, job: Job, measurement: Measurement | None = None) -> Event:
        left_s = (now() - self.began) / self.done * (self.total - self.done) if self.done else 0.0
        return Event(kind=kind, job=job, measurement=measurement, done=self.done, total=self.total, left_s=left_s)


def jobs_in_order(plan: Plan) -> Sequence[Job]:
    """Return the jobs of a plan in the order of measuring."""
    return sorted(plan.jobs, key=lambda job: (job.block, job.order))
