"""Take one measurement in a fresh child, watch it, and say what became of it. Nothing is stored here."""

from dataclasses import dataclass, replace

import psutil

from raybench.execution.child import Bounds, Child, Cut, Ending
from raybench.execution.environment import environment
from raybench.execution.ray_head_process import Head
from raybench.execution.sandbox import Home, Sandbox
from raybench.model.measurement import Disturbance, HeadUse, HeadUsed, Measurement
from raybench.model.plan import Job, Status
from raybench.model.serialize import decode, to_json
from raybench.system import interference, kernel

MEMORY_SHARE = 0.9  # of the memory allowed here, where no limit is asked for: before the kernel kills at random
GIB = 2**30
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)  # raised by lines that are not ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What the runner saw of a measurement from outside."""

    spawned: float  # seconds of `clock.now`
    ending: Ending
    disturbance: Disturbance
    cpu_s: float
    limit_bytes: int
    oom_kills: int


def take(job: Job, home: Home, *, name: str, head: Head | None = None, token: str = "") -> tuple[Measurement, float]:
    """Take the measurement that `job` describes; return it with the moment when its child was started.

    name : of the sandbox. head : the shared Ray head to join. token : of an embedded head.
    Whatever happens, nothing is left running and nothing on disk.
    """
    with Sandbox(home, name, beside=head.sandbox if head else None) as box:
        watched = _watch(job, box, head, token)
    measured = replace(
        classify(job, watched),
        head=_head_used(job, head),
        disturbance=watched.disturbance,
        cpu_s=watched.cpu_s,
        cpu_source=box.meter.cpu_source,
        peak_rss_bytes=max(box.peak_bytes, watched.ending.most_bytes),
        memory_source=box.meter.memory_source,
        strays=box.strays,
    )
    return measured, watched.spawned


def memory_limit(asked: int | None) -> int:
    """Return the bytes that a process tree may hold: what is asked, else most of what machine and container allow."""
    allowed = min(psutil.virtual_memory().total, kernel.memory_allowed() or 2**63)
    return asked or int(allowed * MEMORY_SHARE)


def _watch(job: Job, box: Sandbox, head: Head | None, token: str) -> Watched:
    env = environment(job.cell.backend, threads=job.cell.cpus_per_task, job=job) | box.variables
    if job.cluster.address is None:
        env |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    sent = job if head is None else replace(job, cluster=replace(job.cluster, address=head.address))
    limit = memory_limit(job.limits.memory_bytes)
    watch = interference.Watch(box.cpu_s)
    watch.before()
    cpu_before = box.cpu_s()
    with Child("raybench.execution.worker", env=env, cwd=box.scratch) as child:
        box.add(child.process.pid)
        child.send({"job": to_json(sent), "spawned": child.spawned, "affinity": list(job.affinity)})
        ending = child.wait(Bounds(timeout_s=job.limits.cell_timeout_s, memory_bytes=limit, held_bytes=box.held_bytes))
        return Watched(
            spawned=child.spawned,
            ending=ending,
            disturbance=watch.after(steal_share=job.limits.steal_share, background_share=job.limits.background_share),
            cpu_s=box.cpu_s() - cpu_before,
            limit_bytes=limit,
            oom_kills=box.meter.oom_kills(),
        )


def classify(job: Job, watched: Watched) -> Measurement:
    """Make the measurement of what came through the pipe, or of how the child ended without a word."""
    ending = watched.ending
    if ending.cut is Cut.TIME:
        reason = f"no result within {job.limits.cell_timeout_s:g} s; raise limits.cell_timeout_s if it needs longer"
        return Measurement.of(job, Status.TIMED_OUT, reason)
    if ending.cut is Cut.MEMORY:
        return Measurement.of(job, Status.FAILED, _out_of_memory(watched, "the process tree"))
    if ending.cut is Cut.LENGTH:
        return Measurement.of(job, Status.FAILED, "the child's answer has no end; it was ended")
    if not ending.lines:
        return _with_cause(
            Measurement.of(job, Status.FAILED, f"the process {ending.how} and no result: {ending.last_words}"), watched
        )
    return _with_cause(_read(job, ending.lines[-1]), watched)


def _read(job: Job, line: str) -> Measurement:
    try:
        measured = decode(Measurement, line)
    except UNREADABLE as error:
        reason = f"the child's answer cannot be read: {type(error).__name__}: {error}; it began with {line[:80]!r}"
        return Measurement.of(job, Status.FAILED, reason)
    if measured.key != job.key:
        return Measurement.of(job, Status.FAILED, "the child's answer cannot be read: it is another measurement's")
    return measured


def _with_cause(measured: Measurement, watched: Watched) -> Measurement:
    """Name what the child could not know: that the kernel ended one of its processes."""
    if measured.status is Status.FAILED and watched.oom_kills:
        return replace(measured, reason=_out_of_memory(watched, "the kernel ended a process; the tree"))
    return measured


def _out_of_memory(watched: Watched, what: str) -> str:
    allowed = kernel.memory_allowed() if watched.oom_kills else watched.limit_bytes
    held = f"{watched.ending.most_bytes / GIB:.2f} GiB"
    return f"out of memory: {what} held {held} of {(allowed or watched.limit_bytes) / GIB:.2f} GiB allowed"


def _head_used(job: Job, head: Head | None) -> HeadUsed | None:
    if head is not None:
        return HeadUsed(use=HeadUse.SHARED, start_s=head.start_s)
    if "ray" in job.cell.backend.requires.packages:
        return HeadUsed(use=HeadUse.JOINED if job.cluster.address else HeadUse.OWN)
    return None
