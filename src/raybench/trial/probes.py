"""What a process can tell of itself and of a call: seconds, sizes, memory, what was printed or opened."""

import os
import pickle
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle

from raybench.model.clock import now
from raybench.model.errors import one_line
from raybench.workloads.base import answer_hash
from raybench.workloads.function import Packed

REPEAT_S = 0.15  # short calls are repeated for so long where two ways are compared
GPU_FILES = ("/dev/nvidia", "/dev/kfd")


def count(call: Callable[[], Any]) -> int:
    """Return how many calls last about 0.15 s, at least 1."""
    began = now()
    call()
    return max(1, int(REPEAT_S / max(now() - began, 1e-7)))


def repeat(call: Callable[[], Any], times: int) -> float:
    """Return the seconds of so many calls."""
    began = now()
    for _ in range(times):
        call()
    return now() - began


def mean_s(call: Callable[[], Any]) -> float:
    """Return the mean seconds of a call."""
    times = count(call)
    return repeat(call, times) / times


def size(value: Any) -> tuple[int, str]:
    """Return the pickled size, big arrays uncopied, and why it cannot be pickled by reference ('' where it can)."""
    sizes: list[int] = []

    def keep(buffer: pickle.PickleBuffer) -> None:
        sizes.append(buffer.raw().nbytes)

    value = value.data if isinstance(value, Packed) else value
    try:
        return len(pickle.dumps(value, protocol=5, buffer_callback=keep)) + sum(sizes), ""
    except Exception as error:  # noqa: BLE001 - pickling an object of the user's may raise anything
        reason = one_line(error)
    try:
        return len(cloudpickle.dumps(value)), reason
    except Exception:  # noqa: BLE001 - the same
        return 0, reason


def fingerprint(value: Any) -> str | None:
    """Return a hash of a value; None where it has none."""
    try:
        return answer_hash(value)
    except Exception:  # noqa: BLE001 - an object that cannot be hashed is not watched
        return None


def cpu_s() -> float:
    """Read the CPU seconds of this process and of its children that have ended."""
    uses = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def queued_s() -> float:
    """Read for how long this thread had to wait for a core; 0 where the kernel does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) * 1e-9
    except (OSError, IndexError, ValueError):
        return 0.0


def rss() -> int:
    """Return the most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def printed() -> int:
    """Return the bytes written so far to this process's standard output, which the runner keeps in a file."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return os.fstat(1).st_size


def opened_gpu() -> bool:
    """Return whether this process holds a GPU open."""
    links = (os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink() and path.exists())
    return any(link.startswith(GPU_FILES) for link in links)
