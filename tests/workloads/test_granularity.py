"""The control workloads: fixed work, no work, and waiting."""

import hashlib
import hmac
from dataclasses import replace

import pytest

from raybench.backends.base import execute
from raybench.model.errors import BadSettings, WrongAnswer
from raybench.model.measurement import TaskResult
from raybench.workloads import sleep
from raybench.workloads.granularity import PASSWORD, Granularity, kernel
from raybench.workloads.noop import Noop
from raybench.workloads.sleep import Sleep

SWEEP = Granularity(work=64, tasks_per_bag=4, halvings=3)


def rfc_8018(number: int, work: int) -> str:
    """Derive the first block by the definition: U1 xor U2 xor ... of chained HMACs."""
    link = hmac.new(PASSWORD, str(number).encode() + (1).to_bytes(4, "big"), hashlib.sha256).digest()
    block = int.from_bytes(link, "big")
    for _ in range(work - 1):
        link = hmac.new(PASSWORD, link, hashlib.sha256).digest()
        block ^= int.from_bytes(link, "big")
    return block.to_bytes(32, "big").hex()


@pytest.mark.parametrize(("number", "work"), [(0, 1), (1, 2), (0, 1000)])
def test_the_kernel_does_as_many_iterations_as_asked(number: int, work: int) -> None:
    assert kernel(number, work) == rfc_8018(number, work)


def test_work_halves_along_the_ladder_and_the_number_of_tasks_does_not_change() -> None:
    sweep = SWEEP.sweep(0)
    assert [work for work, _ in sweep] == [64, 32, 16, 8]
    for work, tasks in sweep:
        assert [t.index for t in tasks] == [0, 1, 2, 3]
        assert [t.params["input"] for t in tasks] == [0, 1, 0, 1]
        assert {t.params["work"] for t in tasks} == {work}


def test_the_ordinary_tasks_are_its_shortest() -> None:
    assert SWEEP.tasks(0) == SWEEP.sweep(0)[-1][1]


def test_without_halvings_there_is_no_ladder() -> None:
    single = Granularity(work=64, tasks_per_bag=4)
    assert single.sweep(0) == []
    assert {t.params["work"] for t in single.tasks(0)} == {64}


def test_more_halvings_than_work_are_refused() -> None:
    with pytest.raises(BadSettings, match="work 4 cannot be halved 3 times"):
        Granularity(work=4, tasks_per_bag=1, halvings=3)


def test_a_task_that_did_other_work_is_named() -> None:
    tasks = SWEEP.tasks(0)
    results = [execute(SWEEP, task, None) for task in tasks]
    SWEEP.check(tasks, results, 0)
    short = replace(results[2], answer=kernel(0, 7))
    with pytest.raises(WrongAnswer, match="task 2"):
        SWEEP.check(tasks, [*results[:2], short, results[3]], 0)


def test_one_answer_given_to_all_is_seen() -> None:
    tasks = SWEEP.tasks(0)
    first = execute(SWEEP, tasks[0], None)
    with pytest.raises(WrongAnswer, match="task 1"):
        SWEEP.check(tasks, [replace(first, index=t.index) for t in tasks], 0)


def test_a_noop_says_which_it_is_and_a_swap_is_seen() -> None:
    noop = Noop(n=3)
    tasks = noop.tasks(0)
    results = [execute(noop, task, None) for task in tasks]
    assert [r.answer for r in results] == [0, 1, 2]
    noop.check(tasks, results, 0)
    with pytest.raises(WrongAnswer, match="noop: task 0 answered 1, expected 0"):
        noop.check(tasks, [replace(results[0], answer=1), replace(results[1], answer=0), results[2]], 0)


@pytest.mark.parametrize(("workers", "rounds"), [(1, 5), (2, 3), (4, 2), (5, 1), (9, 1)])
def test_the_ideal_of_sleeping_is_whole_rounds(workers: int, rounds: int) -> None:
    assert Sleep(n=5, seconds=0.25).ideal_s(workers) == rounds * 0.25


def test_a_sleeper_waits_as_long_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(sleep, "pause", waits.append)
    napper = Sleep(n=2, seconds=0.25)
    answers = [[p.answer for p in napper.run(task, None)] for task in napper.tasks(0)]
    assert waits == [0.25, 0.25]
    assert answers == [[0], [1]]


def test_a_sleeper_that_did_not_wait_is_named() -> None:
    napper = Sleep(n=2, seconds=0.25)
    slept = [TaskResult(index=i, answer=i, started=1.0, ended=1.25, pid=1) for i in range(2)]
    napper.check(napper.tasks(0), slept, 0)
    with pytest.raises(WrongAnswer, match=r"task 1 took 0\.200000 s, asked for 0\.25 s"):
        napper.check(napper.tasks(0), [slept[0], replace(slept[1], ended=1.2)], 0)
