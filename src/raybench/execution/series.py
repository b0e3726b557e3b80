"""The samples of one warm process: run its task set at each order, time it, check its answers."""

import math
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np

from raybench.backends.base import Backend
from raybench.backends.clocks import on_driver_clock
from raybench.backends.nodes import Nodes
from raybench.backends.worker_session import as_loss
from raybench.execution.draft import Draft
from raybench.execution.plausibility import check_lengths, check_stamps
from raybench.execution.task_set import ask, facts, hash_answers, scores
from raybench.model.clock import now
from raybench.model.errors import BackendFailed
from raybench.model.measurement import (
    Burst,
    Disturbance,
    Sample,
    SweepTiming,
    Task,
    TaskResult,
    TaskStamp,
    worker_number,
)
from raybench.model.plan import Job
from raybench.planning.groups import runs_once
from raybench.system.meter import counted_cpu_s
from raybench.workloads.base import Workload

SHORT_S = 0.3  # shorter task sets are repeated within a sample until they take so long (pyperf's loops)
STEP_S = 0.1  # the same for a step of the granularity sweep
MOST_LOOPS = 1_000
BURST = 100  # tasks at least of a burst of empty ones
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the tasks' own seconds, stored with each sample
MICROSECOND = 6  # decimals kept of stored stamps: the worker's clock is no finer than that


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Take one sample. cores : CPU numbers to run on; () leaves them."""

    round: int
    place: int
    cores: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The process has warmed up and waits for orders."""

    ready: bool = True


@dataclass(frozen=True)
class Work:
    """What a process runs: its workload with the tasks of the study's seed, and the data for the workers."""

    workload: Workload
    tasks: list[Task]
    warm_up: list[Task]
    sweep: list[tuple[int, list[Task]]]
    data: Any


class Series:
    """The samples of one process.

    worked : results of all samples without their answers; met : those of the warm-up too. They tell who worked here.
    """

    def __init__(self, job: Job, draft: Draft, backend: Backend, work: Work) -> None:
        self._job, self._draft, self._backend, self._work = job, draft, backend, work
        self._loops = 0
        self._taken = 0
        self._nodes: Nodes | None = None
        self.met: list[TaskResult] = []
        self.worked: list[TaskResult] = []
        self.places: dict[str, int] = {}  # of the nodes, in the order in which they answered
        self.timed = True  # whether all stamps so far are on one clock

    def meet(self, results: Sequence[TaskResult]) -> None:
        """Take note of workers that have answered in the warm-up."""
        self.met += [replace(result, answer=None, points=()) for result in results]
        for result in results:
            self.places.setdefault(result.node, len(self.places))

    def watch(self, nodes: Nodes | None) -> None:
        """Watch the nodes over each sample from now on."""
        self._nodes = nodes

    def burst(self) -> Burst:
        """Run tasks that do nothing as fast as the warm backend takes them: what this machine manages."""
        work, count = self._work, max(BURST, 10 * self._job.cell.workers)
        tasks = [replace(work.warm_up[i % len(work.warm_up)], index=i) for i in range(count)]
        cpu_before, began = counted_cpu_s(os.environ), now()
        self.meet(self._backend.run(work.workload, tasks, work.data))
        ended, cpu_after = now(), counted_cpu_s(os.environ)
        cpu_s = None if cpu_before is None or cpu_after is None else cpu_after - cpu_before
        return Burst(tasks=count, seconds=ended - began, cpu_s=cpu_s)

    def take(self, order: Order) -> Sample:
        """Take one sample: run the task set, as often as its length asks for, and check its answers."""
        if order.cores:
            os.sched_setaffinity(0, order.cores)
        if self._work.sweep:
            return self._sweep(order)
        results, took, cpu_s = self._time(max(1, self._loops))
        if not self._loops:
            self._loops = _count_loops(took, once=runs_once(self._job.cell))
            if self._loops > 1:
                results, took, cpu_s = self._time(self._loops)
        self._taken += 1
        with self._draft.phase("check"):
            _judge(self._job, self._draft, self._work, results, first=self._taken == 1)
        return self._sample(order, took, cpu_s, [r.ended - r.started for r in results])

    def _time(self, loops: int) -> tuple[list[TaskResult], float, float | None]:
        """Run the task set so often; return the last results, and seconds and CPU seconds of one run of it."""
        work = self._work
        self._look_before()
        cpu_before = counted_cpu_s(os.environ)
        first = began = now()
        try:
            for _ in range(loops):
                began = now()  # origin of the stamps too: between two readings the process may lose its core
                results = self._backend.run(work.workload, work.tasks, work.data)
        finally:
            ended = now()
            if not self._taken:  # the line of the process tells of its first sample; a failure keeps how long it took
                self._draft.seconds["makespan"] = ended - began
        cpu_after = counted_cpu_s(os.environ)
        elsewhere_s = self._look_after()
        placed = self._place(results, began=began, ended=ended)
        if not self._taken and placed is not None:
            self._draft.facts["tasks"] = tuple(_stamp(result, began, self.places[result.node]) for result in placed)
        if placed is not None:
            check_stamps(placed, began=began, ended=ended)
        cpu_s = None
        if cpu_before is not None and cpu_after is not None and elsewhere_s is not None:
            cpu_s = (cpu_after - cpu_before + elsewhere_s) / loops
        if not self._taken and cpu_s is not None:
            self._draft.facts["cpu_makespan_s"] = cpu_s
        return results, (ended - first) / loops, cpu_s

    def _look_before(self) -> None:
        if self._nodes is not None:
            self._nodes.before()
            self._backend.clocks = self._nodes.clocks

    def _look_after(self) -> float | None:
        """Return the CPU seconds that the cluster used since `_look_before`; 0 where nothing is joined."""
        if self._nodes is None:
            return 0.0
        self._nodes.after()
        self._backend.clocks = self._nodes.clocks
        held = self._draft.facts.get("peak_rss_bytes", 0)
        self._draft.facts["peak_rss_bytes"] = max(held, self._nodes.held_bytes)
        if not self._taken:
            self._draft.facts["clocks"] = tuple(self._nodes.clocks.values())
        return self._nodes.cpu_s

    def _place(self, results: Sequence[TaskResult], *, began: float, ended: float) -> list[TaskResult] | None:
        """Bring the stamps onto the driver's clock and note who worked; None where a node's clock is not known."""
        placed = on_driver_clock(results, self._backend.clocks, began=began, ended=ended)
        self.timed &= placed is not None
        self._keep_workers(results if placed is None else placed)
        if placed is None:
            check_lengths(results, most_s=ended - began)
        return placed

    def _sweep(self, order: Order) -> Sample:
        """Run the whole granularity sweep as one sample."""
        self._look_before()
        points, results = _sweep(self._job, self._backend, self._work, self._settle)
        self._look_after()
        self._draft.facts["sweep"] = points
        took = sum(point.wall_s for point in points)
        self._draft.seconds["makespan"] = took
        self._taken += 1
        return self._sample(order, took, None, [r.ended - r.started for r in results])

    def _settle(self, results: Sequence[TaskResult], began: float, ended: float) -> None:
        """Check the stamps of one step of a sweep, and note who worked."""
        placed = self._place(results, began=began, ended=ended)
        if placed is not None:
            check_stamps(placed, began=began, ended=ended)

    def _keep_workers(self, results: Sequence[TaskResult]) -> None:
        known = {result.worker for result in self.worked}
        fresh = [replace(r, answer=None, points=()) for r in results if r.seen is not None or r.worker not in known]
        self.worked += fresh
        self.meet(fresh)

    def _sample(self, order: Order, took: float, cpu_s: float | None, tasks: Sequence[float]) -> Sample:
        job = self._job
        share = job.limits.background_share
        return Sample(
            disturbance=self._nodes.disturbance(background_share=share) if self._nodes else Disturbance(),
            cell=job.cell.key,
            block=job.block,
            replica=job.replica,
            attempt=job.attempt,
            round=order.round,
            place=order.place,
            seconds=round(took, 9),
            loops=max(1, self._loops),
            cpu_s=cpu_s if cpu_s is None else round(cpu_s, 9),
            cores=order.cores,
            task_s=tuple(round(float(q), MICROSECOND) for q in np.quantile(tasks, QUANTILES)) if tasks else (),
        )


def _count_loops(took: float, *, once: bool) -> int:
    """Return how many repetitions of a task set that takes so many seconds last 0.3 s; one where it may run once."""
    return 1 if once or took >= SHORT_S else min(MOST_LOOPS, math.ceil(SHORT_S / took))


def _judge(job: Job, draft: Draft, work: Work, results: Sequence[TaskResult], *, first: bool) -> None:
    """Check every answer; score the first sample and note what the workload has to say of it."""
    workload, tasks = work.workload, work.tasks
    check_order(tasks, results)
    ask(workload, "check", tasks, results, job.seed)
    if not first:
        return
    draft.facts["steps_asked"] = sum(t.steps or 0 for t in tasks)
    draft.facts["steps_done"] = sum(r.steps for r in results)
    draft.facts["answers_hash"] = hash_answers((r.index, r.answer) for r in results)
    draft.facts["scores"] = scores(workload, ask(workload, "score", tasks, results, job.seed))
    draft.details |= ask(workload, "details", tasks, results)
    draft.facts["facts"] = facts(workload, ask(workload, "facts", tasks, results))


def _sweep(
    job: Job, backend: Backend, work: Work, settle: Callable[[Sequence[TaskResult], float, float], None]
) -> tuple[tuple[SweepTiming, ...], list[TaskResult]]:
    """Run every step of the granularity sweep in this warm process, in an order drawn from (seed, block).

    settle : takes the results of each step, and when it began and ended.
    """
    order = list(range(len(work.sweep)))
    random.Random(f"{job.seed} {job.block}").shuffle(order)
    points: dict[int, SweepTiming] = {}
    every: list[TaskResult] = []
    for place in order:
        units, tasks = work.sweep[place]
        began, results, ended = _run_step(backend, work, tasks)
        wall_s = ended - began
        if wall_s < STEP_S:
            loops = min(MOST_LOOPS, math.ceil(STEP_S / wall_s))
            first = now()
            for _ in range(loops):
                began, results, ended = _run_step(backend, work, tasks)
            wall_s = (ended - first) / loops
        settle(results, began, ended)
        check_order(tasks, results)
        ask(work.workload, "check", tasks, results, job.seed)
        points[place] = SweepTiming(
            work=units,
            tasks=len(tasks),
            wall_s=round(wall_s, 9),
            busy_s=round(sum(r.ended - r.started for r in results), MICROSECOND),
            workers=len({r.worker for r in results}),
        )
        every += results
    return tuple(points[place] for place in sorted(points)), every


def _run_step(backend: Backend, work: Work, tasks: Sequence[Task]) -> tuple[float, list[TaskResult], float]:
    """Run the tasks of one step; return when they began, their results and when they ended."""
    began = now()
    results = backend.run(work.workload, tasks, work.data)
    return began, results, now()


def check_order(tasks: Sequence[Task], results: Sequence[TaskResult]) -> None:
    """Raise BackendFailed unless there is one result per task, in their order."""
    given, asked = [r.index for r in results], [t.index for t in tasks]
    if given != asked:
        wrong = next((a for g, a in zip_longest(given, asked) if g != a), None)
        raise BackendFailed(
            f"results are not one per task in order: {len(given)} for {len(asked)} tasks, "
            + ("so too many" if wrong is None else f"the first out of place is that of task {wrong}")
        )


def _stamp(result: TaskResult, origin: float, place: int) -> TaskStamp:
    return TaskStamp(
        index=int(result.index),
        started=round(float(result.started) - origin, MICROSECOND),
        ended=round(float(result.ended) - origin, MICROSECOND),
        worker=worker_number(place, int(result.pid)),
        steps=int(result.steps),
        loss=as_loss(result.loss, result.index),
        points=tuple((p.steps, p.loss, round(p.at - origin, MICROSECOND)) for p in result.points),
        error=result.error,
        tries=result.tries,
    )
