"""Transfer: three ways and two kinds carry the same numbers, and their sum has a closed form."""

import math
import pickle
from pathlib import Path
from typing import Any

import pytest

from raybench.backends.base import execute
from raybench.model.errors import BadSettings
from raybench.workloads.transfer import STEP, Transfer, _closed_form


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYBENCH_CACHE", str(tmp_path))


def answers(**params: Any) -> list[float]:
    workload = Transfer(**{"size_bytes": 8 * 40, "count": 3, "passes": 2, **params})
    tasks = [pickle.loads(pickle.dumps(task)) for task in workload.tasks(1)]
    return [execute(workload, task, workload.data(1)).answer for task in tasks]


def test_the_closed_form_is_the_sum_of_the_sines() -> None:
    assert _closed_form(5, 9) == pytest.approx(sum(math.sin(k * STEP) for k in (5, 6, 7, 8)), abs=1e-13)
    whole = math.fsum(math.sin(k * STEP) for k in range(100_000))
    assert _closed_form(0, 100_000) == pytest.approx(whole, abs=1e-8)


@pytest.mark.parametrize("kind", ["array", "frame"])
@pytest.mark.parametrize("share", ["whole", "slice"])
def test_all_ways_of_travel_give_the_same_answers(kind: str, share: str) -> None:
    by_reference = answers(way="reference", kind=kind, share=share)
    assert answers(way="value", kind=kind, share=share) == by_reference
    assert answers(way="file", kind=kind, share=share) == by_reference


def test_slices_add_up_to_the_whole_and_passes_multiply() -> None:
    whole = math.fsum(math.sin(k * STEP) for k in range(40))
    assert sum(answers(way="reference", share="slice")) == pytest.approx(2 * whole, abs=1e-12)
    assert answers(way="reference") == pytest.approx([2 * whole] * 3, abs=1e-12)


def test_by_value_the_bytes_are_in_every_task_and_nowhere_else() -> None:
    workload = Transfer(way="value", size_bytes=80_000, count=2, passes=1)
    assert workload.data(1) is None
    assert all(len(pickle.dumps(task)) > 80_000 for task in workload.tasks(1))
    assert len(pickle.dumps(workload)) < 500
    assert len(pickle.dumps(workload.warm_up(1))) < 1_000


def test_an_object_of_several_blocks_is_summed_whole() -> None:
    workload = Transfer(way="reference", size_bytes=8 * 20_000, count=1, passes=1)
    tasks = workload.tasks(1)
    workload.check(tasks, [execute(workload, tasks[0], workload.data(1))], 1)


@pytest.mark.parametrize("wrong", [{"way": "pigeon"}, {"kind": "list"}, {"share": "half"}, {"size_bytes": 8}])
def test_what_cannot_travel_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadSettings, match="transfer: "):
        Transfer(**{"way": "value", "size_bytes": 640, "count": 3, "passes": 1, **wrong})
