"""Flaky: exactly the planted tasks fail, once; a failure that does not name its task is no result."""

from collections import Counter
from dataclasses import replace

import pytest

from raybench.backends.base import execute
from raybench.model.errors import BackendFailed, BadSettings, WrongAnswer
from raybench.model.measurement import PlantedFailures, Task, TaskResult
from raybench.workloads.flaky import Flaky, PlantedFailure


def planted(workload: Flaky, seed: int) -> Counter[str]:
    return Counter(task.params["fails"] for task in workload.tasks(seed))


def test_failures_are_planted_at_their_share_and_at_least_once() -> None:
    assert planted(Flaky(count=20, work=1, exceptions=0.1, kills=0.01, hangs=0.2), 1) == {
        "": 13,
        "exception": 2,
        "kill": 1,
        "hang": 4,
    }
    assert planted(Flaky(count=5, work=1), 1) == {"": 5}
    assert planted(Flaky(count=4, work=1, exceptions=1.0), 1) == {"exception": 4}


def test_the_seed_decides_where_they_are_planted() -> None:
    workload = Flaky(count=50, work=1, exceptions=0.1)
    places = [[t.index for t in workload.tasks(seed) if t.params["fails"]] for seed in (1, 1, 2)]
    assert places[0] == places[1] != places[2]


def test_the_first_try_fails_and_the_second_answers() -> None:
    workload = Flaky(count=1, work=4, exceptions=1.0, retries=1)
    with workload.services():
        task, folder = workload.tasks(1)[0], workload.data(1)
        with pytest.raises(PlantedFailure, match="planted failure of task 0"):
            execute(workload, task, folder)
        result = execute(workload, task, folder)
        assert result.answer == 0 + 1 + 4 + 9
        workload.check([task], [result], 1)
        told = workload.details([task], [result])
        assert told.failures == PlantedFailures(planted={"exception": 1}, errors=0, tries=2)


def test_a_planted_failure_that_never_happened_is_a_wrong_answer() -> None:
    workload = Flaky(count=1, work=4, exceptions=1.0, retries=1)
    with workload.services():
        claimed = TaskResult(index=0, answer=14, started=0.0, ended=1.0, pid=1)
        with pytest.raises(WrongAnswer, match="task 0 was to fail"):
            workload.check(workload.tasks(1), [claimed], 1)


def lost(index: int, error: str) -> TaskResult:
    return TaskResult(index=index, answer=None, started=0.0, ended=0.0, pid=1, error=error)


def flaky_results() -> tuple[Flaky, list[Task], list[TaskResult]]:
    workload = Flaky(count=4, work=1, exceptions=0.25, collect_errors=True)
    tasks = workload.tasks(1)
    right = [TaskResult(index=t.index, answer=t.index**2, started=0.0, ended=1.0, pid=1) for t in tasks]
    return (
        workload,
        tasks,
        [lost(t.index, f"task {t.index}: x") if t.params["fails"] else right[t.index] for t in tasks],
    )


def test_a_failure_comes_back_as_a_result_that_names_its_task() -> None:
    workload, tasks, results = flaky_results()
    with workload.services():
        workload.check(tasks, results, 1)


@pytest.mark.parametrize("error", ["", "boom", "task 77: x"])
def test_a_failure_that_does_not_name_its_task_is_a_wrong_answer(error: str) -> None:
    workload, tasks, results = flaky_results()
    place = next(t.index for t in tasks if t.params["fails"])
    results[place] = lost(place, error)
    with workload.services(), pytest.raises(WrongAnswer, match="planted failure of task"):
        workload.check(tasks, results, 1)


def test_a_failure_that_nobody_planted_is_a_wrong_answer() -> None:
    workload, tasks, results = flaky_results()
    place = next(t.index for t in tasks if not t.params["fails"])
    results[place] = replace(results[place], error=f"task {place}: lost")
    with workload.services(), pytest.raises(WrongAnswer, match="expected none"):
        workload.check(tasks, results, 1)


def test_tries_cannot_be_counted_without_their_folder() -> None:
    with pytest.raises(BackendFailed, match=r"call data\(\) within services"):
        Flaky(count=1, work=1).data(1)


def test_more_failures_than_tasks_are_refused() -> None:
    with pytest.raises(BadSettings, match="at most 1"):
        Flaky(count=4, work=1, exceptions=0.6, kills=0.6)
