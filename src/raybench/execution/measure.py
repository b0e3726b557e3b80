"""Measure one cell in this process: load, start, warm up, then time and check a sample at each order.

The process stays between its samples, so that those of several processes alternate within seconds. Failures become data
here.
"""

import importlib
import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, TypeVar

from raybench.backends.base import Backend, Resources
from raybench.execution.draft import Draft
from raybench.execution.plausibility import check_workers, seen_workers
from raybench.execution.series import Order, Ready, Series, Work
from raybench.execution.task_set import (
    ask,
    draw_sweep,
    draw_tasks,
    draw_warm_up,
    hash_tasks,
)
from raybench.execution.watching import watch_nodes
from raybench.model.clock import now
from raybench.model.errors import BackendFailed, RaybenchError, TaskTimedOut, one_line, raised_by
from raybench.model.measurement import Details, Measurement, Phases, Sample
from raybench.model.plan import Job, Spec, Status, Tag
from raybench.system.user_code import user_modules
from raybench.workloads.base import BLOCK, Workload

T = TypeVar("T")


def measure(job: Job) -> Measurement:
    """Take one sample of what `job` describes, in this process; for debugging and tests."""
    *_, last = serve(job, iter([Order(round=0, place=0)]))
    assert isinstance(last, Measurement)
    return last


def serve(job: Job, orders: Iterator[Order], *, interpreter_s: float = 0.0) -> Iterator[Ready | Sample | Measurement]:
    """Yield Ready, a Sample for each order, and at the end the Measurement of the whole process.

    interpreter_s : seconds from the runner's spawn to this process's first line.
    Makespan, CPU seconds, stamps, scores and answers of the Measurement are those of the first sample.
    Never raises for a workload's or a backend's fault, SystemExit and its kin included: those give a failed or
    timed-out Measurement, with the phases and stamps known until then.
    """
    draft = Draft(seconds={"interpreter": interpreter_s})
    status, reason = Status.OK, ""
    try:
        yield from _take(job, draft, orders)
    except GeneratorExit:
        raise
    except TaskTimedOut as error:
        status, reason = Status.TIMED_OUT, one_line(error)
    except BaseException as error:  # noqa: BLE001 - the one place where a failure becomes data
        status, reason = Status.FAILED, one_line(error)
    fault = draft.make_plain()
    if fault and status is Status.OK:
        status, reason = Status.FAILED, fault
    yield Measurement.of(
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


def _take(job: Job, draft: Draft, orders: Iterator[Order]) -> Iterator[Ready | Sample]:
    cell = job.cell
    resources = Resources(
        workers=cell.workers,
        cpus_per_task=cell.cpus_per_task,
        gpus=cell.gpus,
        limits=job.limits,
        cluster=job.cluster,
        modules=tuple(user_modules(cell.workload.target, cell.backend.target)) if job.on_cluster else (),
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
        yield from _time_phases(job, draft, backend, Work(workload, tasks, warm_up, sweep, data), orders)


def _time_phases(
    job: Job, draft: Draft, backend: Backend, work: Work, orders: Iterator[Order]
) -> Iterator[Ready | Sample]:
    """Start, warm up, take the samples and shut down; each phase timed."""
    began = now()
    entered = False
    series = Series(job, draft, backend, work)
    try:
        with backend:
            entered = True
            draft.seconds["start_up"] = now() - began
            draft.facts["backend_version"] = backend.version()
            with draft.phase("warm_up"):
                series.meet(backend.warm(work.workload, work.warm_up, work.data))
            if Tag.REPLAY in job.cell.workload.tags:
                draft.details |= Details(burst=series.burst())
            series.watch(watch_nodes(job))
            yield Ready()
            for order in orders:
                yield series.take(order)
            shutdown = now()
        draft.seconds["shutdown"] = now() - shutdown
    finally:
        if not entered:
            draft.seconds["start_up"] = now() - began
        draft.start_parts |= backend.start_parts
        draft.details |= backend.details
        seen = seen_workers(series.met)
        draft.facts["workers_seen"] = tuple(seen[worker][-1] for worker in sorted(seen))
        draft.facts["nodes_seen"] = tuple(series.places)
    check_workers(job, series.worked, seen, timed=series.timed)
