"""GPU queue: the stamps decide whether the tasks queued."""

import pytest

from raybench.model.errors import BadSettings, WrongAnswer
from raybench.model.measurement import GpuUse, TaskResult
from raybench.workloads.gpu_queue import GpuQueue, most_at_once


def ran(*spans: tuple[float, float]) -> list[TaskResult]:
    return [TaskResult(index=i, answer=i * i, started=a, ended=b, pid=1) for i, (a, b) in enumerate(spans)]


@pytest.mark.parametrize(
    ("spans", "most"),
    [
        ([], 0),
        ([(0, 1)], 1),
        ([(0, 1), (1, 2)], 1),  # one ends as the other starts
        ([(0, 2), (1, 3), (2, 4)], 2),
        ([(0, 9), (1, 2), (3, 5), (4, 6)], 3),
    ],
)
def test_most_tasks_at_once_as_counted_by_hand(spans: list[tuple[float, float]], most: int) -> None:
    assert most_at_once(ran(*spans)) == most


def test_two_tasks_at_once_on_one_gpu_are_a_wrong_answer() -> None:
    workload = GpuQueue(gpus=1, gpus_per_task=1, count=2)
    workload.check(workload.tasks(1), ran((0, 1), (1, 2)), 1)
    with pytest.raises(WrongAnswer, match="2 tasks ran at once"):
        workload.check(workload.tasks(1), ran((0, 1.5), (1, 2)), 1)


def test_halves_of_a_gpu_carry_two_tasks_and_no_third() -> None:
    workload = GpuQueue(gpus=1, gpus_per_task=0.5, count=3)
    workload.check(workload.tasks(1), ran((0, 2), (1, 3), (2, 4)), 1)
    with pytest.raises(WrongAnswer, match="3 tasks ran at once"):
        workload.check(workload.tasks(1), ran((0, 3), (1, 3), (2, 4)), 1)


def test_tenths_of_a_gpu_are_counted_without_rounding_losses() -> None:
    workload = GpuQueue(gpus=1, gpus_per_task=0.1, count=10)
    workload.check(workload.tasks(1), ran(*[(0.0, 1.0)] * 10), 1)


def test_logical_gpus_are_called_logical() -> None:
    workload = GpuQueue(gpus=2, gpus_per_task=1, count=2)
    told = workload.details(workload.tasks(1), ran((0, 1), (0, 1)))
    assert told.gpu == GpuUse(devices="LOGICAL", most_at_once=2)


@pytest.mark.parametrize("wrong", [{"device": "tpu"}, {"gpus_per_task": 2}, {"gpus_per_task": 0}])
def test_what_no_gpu_can_give_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadSettings, match="gpu_queue: "):
        GpuQueue(**{"gpus": 1, "gpus_per_task": 1, "count": 1, **wrong})  # type: ignore[arg-type]


@pytest.mark.gpu
def test_fits_on_the_gpu_agree_with_the_cpu() -> None:
    workload = GpuQueue(gpus=1, gpus_per_task=1, count=2, device="cuda", rows=2_000, rounds=10)
    data = workload.data(1)
    answers = [next(workload.run(task, data)).answer for task in workload.tasks(1)]
    results = [TaskResult(index=i, answer=a, started=i, ended=i + 1, pid=1) for i, a in enumerate(answers)]
    workload.check(workload.tasks(1), results, 1)
