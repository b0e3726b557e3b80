"""Tasks and results as bytes: Ray sends bytes as they are, and pickles all else by a slower way of its own."""

import pickle
from dataclasses import fields
from operator import attrgetter
from typing import Any

from raybench.model.measurement import Task, TaskResult

SMALL = 65_536  # bytes; Ray puts larger things into its object store
_OF_TASK, _OF_RESULT = ([field.name for field in fields(kind)] for kind in (Task, TaskResult))
_task_values, _result_values = attrgetter(*_OF_TASK), attrgetter(*_OF_RESULT)


def pack_task(token: str, task: Task, timeout_s: float | None) -> Any:
    """Return what a worker must know of a task besides the data, as bytes where it is small and has no arrays."""
    return _packed((token, _task_values(task), timeout_s)) or (token, task, timeout_s)


def unpack_task(packed: Any) -> tuple[str, Task, float | None]:
    """Return what `pack_task` was given."""
    if not isinstance(packed, bytes):
        token, task, timeout_s = packed
        return token, task, timeout_s
    token, values, timeout_s = pickle.loads(packed)
    return token, Task(**dict(zip(_OF_TASK, values, strict=True))), timeout_s


def pack_result(result: TaskResult) -> Any:
    """Return a result as bytes where it is small and has no arrays, which Ray shares without a copy."""
    return _packed(_result_values(result)) or result


def unpack_result(packed: Any) -> Any:
    """Return what `pack_result` was given; what is no bytes, an error for one, as it is."""
    if not isinstance(packed, bytes):
        return packed
    return TaskResult(**dict(zip(_OF_RESULT, pickle.loads(packed), strict=True)))


def _packed(values: Any) -> bytes:
    """Pickle the values; b"" where Ray's own way is the better one, or the only one."""
    buffers: list[pickle.PickleBuffer] = []
    try:
        small = pickle.dumps(values, protocol=5, buffer_callback=buffers.append)
    except (pickle.PicklingError, AttributeError, TypeError):
        return b""
    return b"" if buffers or len(small) > SMALL else small
