"""Take one measurement in this process: load, start, warm up, time, check. Failures become data here."""

import importlib
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from raybench.backends.base import Backend, Resources
from raybench.model.clock import now
from raybench.model.errors import BackendFailed, TaskTimedOut
from raybench.model.measurement import (
    Details,
    LadderPoint,
    Measurement,
    Phases,
    Task,
    TaskResult,
    TaskStamp,
    WorkerSeen,
)
from raybench.model.plan import Job, Spec, Status
from raybench.system import process_tree
from raybench.workloads.base import Workload, answer_hash

T = TypeVar("T")

MICROSECOND = 6  # decimals kept of stored stamps: the worker's clock is no finer than that


@dataclass
class Draft:
    """What is known of a measurement so far; a failure keeps it."""

    seconds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    details: Details = field(default_factory=Details)
    start_parts: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase; also one that ends in an error."""
        began = now()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + now() - began


def measure(job: Job, *, interpreter_s: float = 0.0) -> Measurement:
    """Take the measurement that `job` describes, in this process.

    interpreter_s : seconds from the runner's spawn to this process's first line.
    Never raises for a workload's or a backend's fault: those give a failed or timed-out Measurement.
    """
    draft = Draft(seconds={"interpreter": interpreter_s})
    status, reason = Status.OK, ""
    try:
        _take(job, draft)
    except TaskTimedOut as error:
        status, reason = Status.TIMED_OUT, _one_line(error)
    except Exception as error:  # noqa: BLE001 - the one place where a failure becomes data
        status, reason = Status.FAILED, _one_line(error)
    return Measurement.of(
        job,
        status,
        reason,
        phases=Phases(**draft.seconds, start_parts=draft.start_parts),
        details=draft.details,
        **draft.facts,
    )


def load_workload(spec: Spec) -> Workload:
    """Build a workload from its YAML; raises BackendFailed naming what cannot be imported."""
    return _class(spec, Workload)(**_params(spec))  # type: ignore[type-abstract]


def load_backend(spec: Spec, resources: Resources) -> Backend:
    """Build a backend from its YAML and what the cell grants it."""
    return _class(spec, Backend)(resources, **_params(spec))  # type: ignore[type-abstract]


def _params(spec: Spec) -> dict[str, Any]:
    """Drop the flags: the runner has exported them before this process began."""
    return {key: value for key, value in spec.params.items() if key != "flags"}


def _class(spec: Spec, contract: type[T]) -> type[T]:
    module, _, name = spec.target.replace(":", ".").rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BackendFailed(f"{spec.name}: cannot import {spec.target}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, contract)):
        raise BackendFailed(
            f"{spec.name}: {spec.target} is no {contract.__name__}; derive it from {contract.__module__}"
        )
    return found


def _take(job: Job, draft: Draft) -> None:
    cell = job.cell
    resources = Resources(
        workers=cell.workers,
        cpus_per_task=cell.cpus_per_task,
        gpus=cell.gpus,
        limits=job.limits,
        cluster=job.cluster,
    )
    with draft.phase("imports"):
        workload = load_workload(cell.workload)
        backend = load_backend(cell.backend, resources)
    with workload.services():
        with draft.phase("data"):
            data = workload.data(job.seed)
            tasks = workload.tasks(job.seed)
            warm_up = workload.warm_up(job.seed)
        draft.facts["tasks_hash"] = answer_hash([[t.index, dict(t.params), t.steps] for t in tasks])
        results = _time_phases(job, draft, backend, _Bag(workload, tasks, warm_up, data))
        with draft.phase("check"):
            _judge(job, draft, workload, tasks, results)


@dataclass(frozen=True)
class _Bag:
    workload: Workload
    tasks: list[Task]
    warm_up: list[Task]
    data: Any


def _time_phases(job: Job, draft: Draft, backend: Backend, bag: _Bag) -> list[TaskResult]:
    """Start, warm up, run and shut down; each phase timed, the makespan's CPU seconds counted."""
    seen: list[TaskResult] = []
    results: list[TaskResult] = []
    began = now()
    entered = False
    try:
        with backend:
            entered = True
            draft.seconds["start_up"] = now() - began
            draft.facts["backend_version"] = backend.version()
            with draft.phase("warm_up"):
                seen += backend.warm(bag.workload, bag.warm_up, bag.data)
            ladder = bag.workload.ladder(job.seed)
            if ladder:
                draft.facts["ladder"], results = _ladder(job, draft, backend, bag, ladder)
            else:
                results = _makespan(draft, backend, bag)
            shutdown = now()
        draft.seconds["shutdown"] = now() - shutdown
    finally:
        if not entered:
            draft.seconds["start_up"] = now() - began
        draft.start_parts |= backend.start_parts
        draft.details |= backend.details
    _facts(job, draft, [*seen, *results])
    return results


def _makespan(draft: Draft, backend: Backend, bag: _Bag) -> list[TaskResult]:
    cpu_before = process_tree.counted_cpu_s(os.environ)
    began = now()  # of the makespan and of the stamps: between two readings the process may lose its core
    try:
        results = backend.run(bag.workload, bag.tasks, bag.data)
    finally:
        draft.seconds["makespan"] = now() - began
    cpu_after = process_tree.counted_cpu_s(os.environ)
    if cpu_before is not None and cpu_after is not None:
        draft.facts["cpu_makespan_s"] = cpu_after - cpu_before
    draft.facts["tasks"] = tuple(_stamp(result, began) for result in results)
    return results


def _ladder(
    job: Job, draft: Draft, backend: Backend, bag: _Bag, ladder: Sequence[tuple[int, list[Task]]]
) -> tuple[tuple[LadderPoint, ...], list[TaskResult]]:
    """Run every bag of the ladder in this warm process, in an order drawn from (seed, block)."""
    order = list(range(len(ladder)))
    random.Random(f"{job.seed} {job.block}").shuffle(order)
    points: dict[int, LadderPoint] = {}
    last: list[TaskResult] = []
    for place in order:
        work, tasks = ladder[place]
        began = now()
        results = backend.run(bag.workload, tasks, bag.data)
        wall_s = now() - began
        bag.workload.check(tasks, results, job.seed)
        draft.seconds["makespan"] = draft.seconds.get("makespan", 0.0) + wall_s
        points[place] = LadderPoint(
            work=work,
            tasks=len(tasks),
            wall_s=round(wall_s, MICROSECOND),
            busy_s=round(sum(r.ended - r.started for r in results), MICROSECOND),
            workers=len({r.pid for r in results}),
        )
        last = results
    return tuple(points[place] for place in sorted(points)), last


def _judge(job: Job, draft: Draft, workload: Workload, tasks: Sequence[Task], results: Sequence[TaskResult]) -> None:
    """Check every answer; score; note what the workload has to say. Ladders were checked bag by bag."""
    if not draft.facts.get("ladder"):
        if [r.index for r in results] != [t.index for t in tasks]:
            raise BackendFailed(f"results are not one per task in order: {len(results)} for {len(tasks)} tasks")
        workload.check(tasks, results, job.seed)
        draft.facts["steps_asked"] = sum(t.steps or 0 for t in tasks)
        draft.facts["steps_done"] = sum(r.steps for r in results)
        draft.facts["answers_hash"] = answer_hash([r.answer for r in results])
        draft.facts["scores"] = {k: float(v) for k, v in workload.score(tasks, results, job.seed).items()}
    draft.details |= workload.details(tasks, results)
    draft.facts["facts"] = workload.facts(tasks, results)


def _facts(job: Job, draft: Draft, results: Sequence[TaskResult]) -> None:
    """Keep what the workers said of themselves, and fail where that is not what was asked."""
    seen: dict[int, WorkerSeen] = {r.seen.pid: r.seen for r in results if r.seen is not None}
    draft.facts["workers_seen"] = tuple(seen[pid] for pid in sorted(seen))
    draft.facts["nodes_seen"] = tuple(sorted({worker.node for worker in seen.values()}))
    if job.cluster.address and job.cluster.name != "local":
        return  # another machine's cores are not ours to pin
    for worker in seen.values():
        if worker.threads > job.cell.cpus_per_task:
            raise BackendFailed(
                f"worker {worker.pid} has a native pool of {worker.threads} threads, asked for {job.cell.cpus_per_task}"
            )
        if job.affinity and worker.affinity != len(job.affinity):
            raise BackendFailed(
                f"worker {worker.pid} may run on {worker.affinity} CPUs, the cell was granted {len(job.affinity)}"
            )


def _stamp(result: TaskResult, origin: float) -> TaskStamp:
    return TaskStamp(
        index=result.index,
        started=round(result.started - origin, MICROSECOND),
        ended=round(result.ended - origin, MICROSECOND),
        worker=result.pid,
        steps=result.steps,
        loss=result.loss,
        points=tuple((p.steps, p.loss, round(p.at - origin, MICROSECOND)) for p in result.points),
        error=result.error,
        tries=result.tries,
    )


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())[:500]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
