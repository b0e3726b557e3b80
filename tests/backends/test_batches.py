"""The size of a batch follows what tasks took; worked out by hand for batches of 30 ms."""

from raybench.backends.ray_batched import Sizes
from raybench.model.measurement import Task, TaskResult

TASKS = [Task(index=i, params={}) for i in range(200)]


def took(count: int, each_s: float) -> list[TaskResult]:
    return [TaskResult(index=i, answer=None, started=i * each_s, ended=(i + 1) * each_s, pid=1) for i in range(count)]


def test_the_first_batch_is_one_task() -> None:
    assert next(Sizes(2).batches(TASKS)) == (TASKS[0],)


def test_a_batch_fills_thirty_milliseconds() -> None:
    sizes = Sizes(2)
    sizes.learn(took(1, 0.0075))
    assert sizes.size == 4  # 30 ms / 7.5 ms


def test_a_batch_grows_eightfold_at_most() -> None:
    sizes = Sizes(2)
    sizes.learn(took(1, 0.0001))
    assert sizes.size == 8
    sizes.learn(took(8, 0.0001))
    assert sizes.size == 64


def test_long_tasks_go_one_by_one() -> None:
    sizes = Sizes(2)
    sizes.learn(took(1, 0.5))
    assert sizes.size == 1


def test_no_batch_takes_more_than_a_quarter_of_what_is_left_for_two_slots() -> None:
    sizes = Sizes(2)
    sizes.size = 8
    cuts = [len(batch) for batch in sizes.batches(TASKS[:16])]
    assert cuts == [4, 3, 3, 2, 1, 1, 1, 1]  # ceil(16 / 4), ceil(12 / 4), ceil(9 / 4) ...


def test_at_the_end_of_the_tasks_a_batch_is_an_eighth_of_a_full_one_at_least() -> None:
    sizes = Sizes(2)
    sizes.size = 16
    cuts = [len(batch) for batch in sizes.batches(TASKS[:16])]
    assert cuts == [4, 3, 3, 2, 2, 2]


def test_every_task_is_in_one_batch() -> None:
    sizes = Sizes(2)
    sizes.size = 7
    assert [task for batch in sizes.batches(TASKS) for task in batch] == TASKS
