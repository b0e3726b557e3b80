"""Fixed work, timed chunk after chunk on one core: a process of its own, run by `host_state`.

Usage: python -m raybench.system.spin CPU. Each line read from standard input (`SECONDS`) is answered
by one line of chunk durations in seconds.
"""

import os
import sys
from collections.abc import Sequence

from raybench.model.clock import now

CHUNK = 60_000  # steps of the loop: about 3 ms on a core of 2020
SHORT = 40_000  # about 2 ms


def chunk(steps: int = CHUNK) -> float:
    """Do the fixed work once; return its seconds."""
    began, total = now(), 0
    for step in range(steps):
        total += step & 7
    return now() - began


def spin(seconds: float) -> list[float]:
    """Repeat the fixed work for so many seconds; return the duration of each repetition in seconds."""
    until, found = now() + seconds, []
    while now() < until:
        found.append(chunk())
    return found


def on_cores(cores: Sequence[int], times: int) -> float:
    """Do a small piece of the fixed work on each of these cores, one after the other; return its mean seconds."""
    before = os.sched_getaffinity(0)
    found = []
    try:
        for core in cores:
            os.sched_setaffinity(0, {core})
            found += [chunk(SHORT) for _ in range(times)]
    finally:
        os.sched_setaffinity(0, before)
    return sum(found) / len(found)


def main() -> int:
    """Answer requests until standard input closes."""
    os.sched_setaffinity(0, {int(sys.argv[1])})
    chunk()
    for line in sys.stdin:
        print(" ".join(f"{seconds:.7f}" for seconds in spin(float(line))), flush=True)  # noqa: T201 - its answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
