"""Looks at functions that nobody called: the numbers are given."""

from typing import Any

from raybench.trial.look import Look
from raybench.trial.look_worker import Call, Facts


def made(
    *, seconds: float, count: int = 200, sizes: tuple[int, int] = (10, 10), waiting: float = 0.0, **facts: Any
) -> Look:
    """Return the look at a function whose calls all take so long."""
    values = {
        "first_s": seconds,
        "repeatable": True,
        "changes_item": False,
        "lock": 1.0,
        "threads_gain": 1.0,
        "cores": 1.0,
        "rss_bytes": 0,
        "grown_bytes": 0,
        "prints": False,
    }
    calls = tuple(
        Call(index=i, wall_s=seconds, cpu_s=(1 - waiting) * seconds, bytes_in=sizes[0], bytes_out=sizes[1])
        for i in range(min(count, 100))
    )
    return Look(name="f", count=count, cpus=2, calls=calls, facts=Facts(**{**values, **facts}))
