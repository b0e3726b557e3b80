"""Square: sums by hand, chunks that cover everything once."""

import pytest

from raybench.backends.base import execute
from raybench.model.errors import BadSettings
from raybench.workloads.ranges import range_tasks, sum_of_squares
from raybench.workloads.square import Square


def test_a_chunk_answers_the_sum_of_its_squares() -> None:
    workload = Square(n=5, chunk=3)
    assert [execute(workload, task, None).answer for task in workload.tasks(1)] == [0 + 1 + 4, 9 + 16]


def test_one_number_per_task_answers_its_square() -> None:
    workload = Square(n=4, chunk=1)
    assert [execute(workload, task, None).answer for task in workload.tasks(1)] == [0, 1, 4, 9]


def test_the_closed_form_is_exact_beyond_64_bits() -> None:
    assert sum_of_squares(10**9, 10**9 + 2) == 10**18 + (10**9 + 1) ** 2
    assert sum_of_squares(0, 10**8) == 333333328333333350000000


def test_chunks_cover_everything_once_and_the_last_may_be_shorter() -> None:
    assert [dict(t.params) for t in range_tasks(7, 3)] == [
        {"start": 0, "stop": 3},
        {"start": 3, "stop": 6},
        {"start": 6, "stop": 7},
    ]


@pytest.mark.parametrize(("total", "chunk"), [(0, 1), (5, 0)])
def test_an_empty_cut_is_refused(total: int, chunk: int) -> None:
    with pytest.raises(BadSettings, match="at least 1"):
        range_tasks(total, chunk)
