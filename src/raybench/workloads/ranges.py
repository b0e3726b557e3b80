"""Tasks that are ranges of whole numbers: the commonest way to cut work into tasks."""

from raybench.model.errors import BadSettings
from raybench.model.measurement import Task


def range_tasks(total: int, chunk: int) -> list[Task]:
    """Cut 0 .. total-1 into tasks of `chunk` numbers, `start` to `stop` (exclusive); the last may be shorter."""
    if total < 1 or chunk < 1:
        raise BadSettings(f"{total} numbers in chunks of {chunk}: both must be at least 1")
    starts = range(0, total, chunk)
    return [Task(index=i, params={"start": s, "stop": min(s + chunk, total)}) for i, s in enumerate(starts)]


def sum_of_squares(start: int, stop: int) -> int:
    """Return start^2 + ... + (stop-1)^2 in closed form."""
    return _squares_below(stop) - _squares_below(start)


def _squares_below(n: int) -> int:
    return (n - 1) * n * (2 * n - 1) // 6
