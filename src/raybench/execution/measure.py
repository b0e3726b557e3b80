"""Take one measurement in this process: load, start, warm up, time, check. Failures become data here."""

import importlib
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, TypeVar

from raybench.backends.base import Backend, Resources
from raybench.backends.worker_session import as_loss
from raybench.execution.plausibility import check_stamps, check_workers, seen_workers
from raybench.execution.task_set import (
    ask,
    draw_sweep,
    draw_tasks,
    draw_warm_up,
    facts,
    hash_answers,
    hash_tasks,
    plain,
    plain_mapping,
    scores,
)
from raybench.model.clock import now
from raybench.model.errors import BackendFailed, RaybenchError, TaskTimedOut, one_line, raised_by
from raybench.model.measurement import Details, Measurement, Phases, SweepTiming, Task, TaskResult, TaskStamp
from raybench.model.plan import Job, Spec, Status
from raybench.model.serialize import from_json
from raybench.system.meter import counted_cpu_s
from raybench.workloads.base import BLOCK, Workload

T = TypeVar("T")

MICROSECOND = 6  # decimals kept of stored stamps: the worker's clock is no finer than that


@dataclass
class Draft:
    """What is known of a measurement so far; a failure keeps it."""

    seconds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    details: Details = field(default_factory=Details)
    start_parts: dict[str, Any] = field(default_factory=dict)

    def make_plain(self) -> str:
        """Drop what is no JSON from what a workload or a backend told, and name the first such value ('': none)."""
        self.start_parts, bad_part = plain_mapping(self.start_parts, "start_parts")
        self.facts["facts"], bad_fact = plain_mapping(self.facts.get("facts", {}), "facts")
        try:
            self.details = from_json(Details, plain(self.details, "details"))
        except (BackendFailed, ValueError) as error:
            self.details = Details()
            return f"details: {error}"
        return bad_fact or bad_part

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
    Never raises for a workload's or a backend's fault, SystemExit and its kin included: those give a failed or
    timed-out Measurement, with the phases and stamps known until then.
    """
    draft = Draft(seconds={"interpreter": interpreter_s})
    status, reason = Status.OK, ""
    try:
        _take(job, draft)
    except TaskTimedOut as error:
        status, reason = Status.TIMED_OUT, one_line(error)
    except BaseException as error:  # noqa: BLE001 - the one place where a failure becomes data
        status, reason = Status.FAILED, one_line(error)
    fault = draft.make_plain()
    if fault and status is Status.OK:
        status, reason = Status.FAILED, fault
    return Measurement.of(
        job,
        status,
        reason,
        phases=Phases(**draft.seconds, start_parts=draft.start_parts),
        details=draft.details,
        **draft.facts,
    )


def load_workload(spec: Spec) -> Workload:
    """Build a workload from its YAML; raises BackendFailed naming what cannot be imported or built."""
    kind = _class(spec, Workload)  # type: ignore[type-abstract]
    with raised_by(f"{spec.name}: {kind.__name__}()"):
        return kind(**_params(spec))


def load_backend(spec: Spec, resources: Resources) -> Backend:
    """Build a backend from its YAML and what the cell grants it."""
    kind = _class(spec, Backend)  # type: ignore[type-abstract]
    with raised_by(f"{spec.name}: {kind.__name__}()"):
        return kind(resources, **_params(spec))


def _params(spec: Spec) -> dict[str, Any]:
    """Drop the flags: the runner has exported them before this process began."""
    return {key: value for key, value in spec.params.items() if key != "flags"}


def _class(spec: Spec, contract: type[T]) -> type[T]:
    module, _, name = spec.target.replace(":", ".").rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BackendFailed(f"{spec.name}: cannot import {spec.target}: {error}") from error
    except RaybenchError:
        raise
    except BaseException as error:  # of the user's module: it may even end the process
        raise BackendFailed(f"{spec.name}: cannot import {spec.target}: {one_line(error)}") from error
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
    os.environ[BLOCK] = str(job.block)
    with ExitStack() as stack:
        with raised_by("`services`"):
            stack.enter_context(workload.services())
        with draft.phase("data"):
            tasks = draw_tasks(workload, job.seed)
            warm_up = draw_warm_up(workload, job.seed)
            sweep = draw_sweep(workload, job.seed)
            draft.facts["tasks_hash"] = hash_tasks(tasks)
            data = ask(workload, "data", job.seed)
        results = _time_phases(job, draft, backend, _Work(workload, tasks, warm_up, sweep, data))
        with draft.phase("check"):
            _judge(job, draft, workload, tasks, results)


@dataclass(frozen=True)
class _Work:
    workload: Workload
    tasks: list[Task]
    warm_up: list[Task]
    sweep: list[tuple[int, list[Task]]]
    data: Any


def _time_phases(job: Job, draft: Draft, backend: Backend, work: _Work) -> list[TaskResult]:
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
                seen += backend.warm(work.workload, work.warm_up, work.data)
            if work.sweep:
                draft.facts["sweep"], results = _sweep(job, draft, backend, work)
            else:
                results = _makespan(job, draft, backend, work)
            shutdown = now()
        draft.seconds["shutdown"] = now() - shutdown
    finally:
        if not entered:
            draft.seconds["start_up"] = now() - began
        draft.start_parts |= backend.start_parts
        draft.details |= backend.details
    _check_facts(job, draft, seen, results)
    return results


def _makespan(job: Job, draft: Draft, backend: Backend, work: _Work) -> list[TaskResult]:
    cpu_before = counted_cpu_s(os.environ)
    began = now()  # of the makespan and of the stamps: between two readings the process may lose its core
    try:
        results = backend.run(work.workload, work.tasks, work.data)
    finally:
        ended = now()
        draft.seconds["makespan"] = ended - began
    cpu_after = counted_cpu_s(os.environ)
    if cpu_before is not None and cpu_after is not None:
        draft.facts["cpu_makespan_s"] = cpu_after - cpu_before
    draft.facts["tasks"] = tuple(_stamp(result, began) for result in results)
    if _same_clock(job):
        check_stamps(results, began=began, ended=ended)
    return results


def _sweep(job: Job, draft: Draft, backend: Backend, work: _Work) -> tuple[tuple[SweepTiming, ...], list[TaskResult]]:
    """Run every step of the granularity sweep in this warm process, in an order drawn from (seed, block)."""
    order = list(range(len(work.sweep)))
    random.Random(f"{job.seed} {job.block}").shuffle(order)
    points: dict[int, SweepTiming] = {}
    every: list[TaskResult] = []
    for place in order:
        units, tasks = work.sweep[place]
        began = now()
        results = backend.run(work.workload, tasks, work.data)
        ended = now()
        if _same_clock(job):
            check_stamps(results, began=began, ended=ended)
        check_order(tasks, results)
        ask(work.workload, "check", tasks, results, job.seed)
        draft.seconds["makespan"] = draft.seconds.get("makespan", 0.0) + ended - began
        points[place] = SweepTiming(
            work=units,
            tasks=len(tasks),
            wall_s=round(ended - began, MICROSECOND),
            busy_s=round(sum(r.ended - r.started for r in results), MICROSECOND),
            workers=len({r.pid for r in results}),
        )
        every += results
    return tuple(points[place] for place in sorted(points)), every


def _same_clock(job: Job) -> bool:
    """Return whether the workers' stamps and ours are of one machine: of another's clock nothing can be demanded."""
    return not job.cluster.address or job.cluster.name == "local"


def check_order(tasks: Sequence[Task], results: Sequence[TaskResult]) -> None:
    """Raise BackendFailed unless there is one result per task, in their order."""
    given, asked = [r.index for r in results], [t.index for t in tasks]
    if given != asked:
        wrong = next((a for g, a in zip_longest(given, asked) if g != a), None)
        raise BackendFailed(
            f"results are not one per task in order: {len(given)} for {len(asked)} tasks, "
            + ("so too many" if wrong is None else f"the first out of place is that of task {wrong}")
        )


def _judge(job: Job, draft: Draft, workload: Workload, tasks: Sequence[Task], results: Sequence[TaskResult]) -> None:
    """Check every answer; score; note what the workload has to say. A sweep was checked step by step."""
    if draft.facts.get("sweep"):
        return
    check_order(tasks, results)
    ask(workload, "check", tasks, results, job.seed)
    draft.facts["steps_asked"] = sum(t.steps or 0 for t in tasks)
    draft.facts["steps_done"] = sum(r.steps for r in results)
    draft.facts["answers_hash"] = hash_answers((r.index, r.answer) for r in results)
    draft.facts["scores"] = scores(workload, ask(workload, "score", tasks, results, job.seed))
    draft.details |= ask(workload, "details", tasks, results)
    draft.facts["facts"] = facts(workload, ask(workload, "facts", tasks, results))


def _check_facts(job: Job, draft: Draft, warm: Sequence[TaskResult], results: Sequence[TaskResult]) -> None:
    """Keep what the workers said of themselves last, and fail where that is not what was asked."""
    seen = seen_workers([*warm, *results])
    draft.facts["workers_seen"] = tuple(seen[pid][-1] for pid in sorted(seen))
    draft.facts["nodes_seen"] = tuple(sorted({worker.node for of in seen.values() for worker in of}))
    if _same_clock(job):  # another machine's cores are not ours to pin
        check_workers(job, results, seen)


def _stamp(result: TaskResult, origin: float) -> TaskStamp:
    return TaskStamp(
        index=int(result.index),
        started=round(float(result.started) - origin, MICROSECOND),
        ended=round(float(result.ended) - origin, MICROSECOND),
        worker=int(result.pid),
        steps=int(result.steps),
        loss=as_loss(result.loss, result.index),
        points=tuple((p.steps, p.loss, round(p.at - origin, MICROSECOND)) for p in result.points),
        error=result.error,
        tries=result.tries,
    )
