"""A user's function as a workload: items travel as they are, answers are computed again."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

from raybench.execution.measure import measure
from raybench.model.errors import WrongAnswer
from raybench.model.measurement import TaskResult
from raybench.model.plan import Cell, Job, Role, Spec, Status, Tag
from raybench.workloads.function import Function, Packed, Payload, pack, same, write

LOOP = Spec(name="sequential", target="raybench.backends.sequential.Sequential", role=Role.BASELINE, tags=(Tag.SERIAL,))


def double(x: Any) -> Any:
    return 2 * x


def written(folder: Path, function: Any, items: list[Any], **options: Any) -> str:
    payload = Payload(
        function=cloudpickle.dumps(function),
        setup=options.pop("setup", None),
        star=options.pop("star", False),
        folder=str(folder),
    )
    write(folder / "f.pkl", payload, items)
    return str(folder / "f.pkl")


def test_it_is_measured_like_any_workload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, double, [1, 2.5, np.arange(3)])
    spec = Spec(name="double", target="raybench.workloads.function.Function", params={"path": path})

    cpus = len(os.sched_getaffinity(0))  # this process loaded its libraries with all their threads
    cell = Cell(workload=spec, backend=LOOP, workers=1, cpus_per_task=cpus)
    found = measure(Job(cell=cell, block=0, order=0, seed=1))

    assert found.status is Status.OK, found.reason
    assert len(found.tasks) == 3


def test_setup_comes_first_and_star_spreads_a_tuple(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, lambda s, a, b: s + a + b, [(1, 2)], setup=cloudpickle.dumps(lambda: 10), star=True)
    workload = Function(path=path)

    context = workload.prepare(workload.data(0))
    (progress,) = workload.run(workload.tasks(0)[0], context)

    assert progress.answer == 13


def test_another_answer_than_the_loops_is_wrong_unless_it_is_random(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, double, [4])
    off = [TaskResult(index=0, answer=9, started=0.0, ended=1.0, pid=1)]

    with pytest.raises(WrongAnswer, match="item 0"):
        Function(path=path).check(Function(path=path).tasks(0), off, seed=0)
    Function(path=path, repeatable=False).check(Function(path=path).tasks(0), off, seed=0)


def test_a_warm_up_of_long_items_calls_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    workload = Function(path=written(tmp_path, lambda x: 1 / 0, [4]), cheapest=None)

    (task,) = workload.warm_up(0)
    (progress,) = workload.run(task, workload.prepare(workload.data(0)))

    assert progress.answer is None


def test_items_of_a_class_that_only_the_users_process_knows_are_packed() -> None:
    @dataclass
    class Local:
        x: int

    packed = pack(Local(3))

    assert isinstance(packed, Packed)
    assert cloudpickle.loads(packed.data).x == 3
    assert pack({"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1, True),
        (0.1 + 0.2, 0.3, True),
        ([np.ones(2), {"a": 1.0}], [np.ones(2), {"a": 1.0 + 1e-9}], True),
        (np.ones(2), np.zeros(2), False),
        ("a", "b", False),
        (lambda: 1, lambda: 2, False),
    ],
)
def test_answers_are_compared_by_bits_by_value_or_within_rounding(one: Any, other: Any, *, equal: bool) -> None:
    assert same(one, other) is equal
