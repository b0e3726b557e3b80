"""The greedy list scheduler, by schedules worked out by hand."""

from raybench.model.schedule import list_schedule_s, makespan_s


def test_a_schedule_gives_each_task_to_the_worker_that_is_free_first() -> None:
    assert list_schedule_s([4.0, 2.0, 1.0, 1.0], 2) == 4.0
    assert list_schedule_s([1.0, 1.0, 2.0, 4.0], 2) == 5.0  # the longest last: one worker waits
    assert list_schedule_s([1.0] * 4, 2, per_task_s=0.5) == 3.0
    assert list_schedule_s([], 2) == 0.0


def test_the_slowest_of_workers_driver_and_what_excludes_others_is_the_makespan():
    tasks = [1.0] * 8

    assert makespan_s(tasks, 4) == 2.0
    assert makespan_s(tasks, 4, worker_s=0.5) == 3.0
    assert makespan_s(tasks, 4, driver_s=1.0) == 8.0
    assert makespan_s(tasks, 4, alone=0.75) == 6.0
