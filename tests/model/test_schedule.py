"""The greedy list scheduler, by schedules worked out by hand."""

from raybench.model.schedule import list_schedule_s


def test_a_schedule_gives_each_task_to_the_worker_that_is_free_first() -> None:
    assert list_schedule_s([4.0, 2.0, 1.0, 1.0], 2) == 4.0
    assert list_schedule_s([1.0, 1.0, 2.0, 4.0], 2) == 5.0  # the longest last: one worker waits
    assert list_schedule_s([1.0] * 4, 2, per_task_s=0.5) == 3.0
    assert list_schedule_s([], 2) == 0.0


def test_the_driver_hands_out_one_task_after_the_other() -> None:
    assert list_schedule_s([1.0] * 3, 25, driver_s=2.0) == 7.0  # the third task is there after 6 s
    assert list_schedule_s([4.0] * 3, 2, driver_s=1.0) == 9.0  # worker 1 from 1 s on, and again from 5 s on
    assert list_schedule_s([4.0] * 3, 1, driver_s=1.0) == 13.0
