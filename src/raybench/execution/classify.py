"""Say what became of a process: its own line, or why there is none."""

from dataclasses import dataclass, replace

import psutil

from raybench.execution.child import Cut, Ending
from raybench.model.measurement import HeadUse, HeadUsed, Measurement
from raybench.model.plan import Job, Status, needs_ray
from raybench.model.serialize import decode
from raybench.system import kernel

MEMORY_SHARE = 0.9  # of the memory allowed here, where no limit is asked for: before the kernel kills at random
GIB = 2**30
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)  # raised by lines that are not ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What the runner saw of a process from outside. line : its own last line, or None where it gave none."""

    ending: Ending
    line: str | None
    limit_bytes: int
    oom_kills: int


def memory_limit(asked: int | None) -> int:
    """Return the bytes that a process tree may hold: what is asked, else most of what machine and container allow."""
    allowed = min(psutil.virtual_memory().total, kernel.memory_allowed() or 2**63)
    return asked or int(allowed * MEMORY_SHARE)


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
    if watched.line is None:
        return _with_cause(
            Measurement.of(job, Status.FAILED, f"the process {ending.how} and no result: {ending.last_words}"), watched
        )
    return _with_cause(_read(job, watched.line), watched)


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


def head_used(job: Job) -> HeadUsed | None:
    """Say whose Ray head a process ran on; None where it needs none."""
    if not needs_ray(job.cell):
        return None
    return HeadUsed(use=HeadUse.OWN if job.cluster.is_embedded else HeadUse.JOINED)
