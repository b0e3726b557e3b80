"""Tasks and results on their way: the same values, arrays without a copy, and whatever only Ray can pickle."""

from typing import Any

import numpy as np
import pytest

from raybench.backends.packing import SMALL, pack_result, pack_task, unpack_result, unpack_task
from raybench.model.errors import BackendFailed
from raybench.model.measurement import Point, Task, TaskResult, WorkerSeen

SEEN = WorkerSeen(pid=7, node="n", threads=1, affinity=2, nice=0, omp="1")
RESULT = TaskResult(
    index=3, answer={"a": [1, 2.5]}, started=1.0, ended=2.0, pid=7, steps=4, loss=0.5,
    points=(Point(steps=4, loss=0.5, at=1.5),), error="", tries=2, seen=SEEN,
)  # fmt: skip


def result(answer: Any) -> TaskResult:
    return TaskResult(index=0, answer=answer, started=0.0, ended=1.0, pid=1)


def test_a_task_and_a_result_arrive_as_they_were_sent() -> None:
    task = Task(index=5, params={"value": 1, "name": "x"}, steps=9)
    packed = pack_task("token", task, 2.5)
    assert isinstance(packed, bytes)
    assert unpack_task(packed) == ("token", task, 2.5)
    assert isinstance(pack_result(RESULT), bytes)
    assert unpack_result(pack_result(RESULT)) == RESULT


@pytest.mark.parametrize("answer", [np.zeros(3), "x" * (SMALL + 1), lambda: 1], ids=["array", "large", "not picklable"])
def test_what_ray_sends_better_itself_is_left_to_it(answer: Any) -> None:
    mine = result(answer)
    assert pack_result(mine) is mine
    assert unpack_result(mine) is mine
    task = Task(index=0, params={"x": answer})
    assert unpack_task(pack_task("t", task, None))[1] is task


def test_an_error_in_place_of_a_result_is_passed_on() -> None:
    error = BackendFailed("lost")
    assert unpack_result(error) is error
