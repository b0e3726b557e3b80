"""Map an array: Newton's solution and Kapteyn's series are two ways to one answer."""

import math

import numpy as np
import pytest

from raybench.backends.base import execute
from raybench.model.measurement import Task
from raybench.workloads.map_array import ECCENTRICITY, MapArray, _series, _solve


@pytest.mark.parametrize("m", [0.0, 0.1, 1.0, 2.0, 3.0, 5.0, 6.28])
def test_the_solution_satisfies_keplers_equation(m: float) -> None:
    e = _solve(m)
    assert e - ECCENTRICITY * math.sin(e) == pytest.approx(m, abs=1e-14)


def test_half_an_orbit_is_half_an_orbit() -> None:
    assert _solve(math.pi) == pytest.approx(math.pi, abs=1e-15)


def test_the_series_agrees_with_newton_everywhere() -> None:
    m = np.linspace(0.0, 2.0 * math.pi, 500)
    assert _series(m) == pytest.approx([_solve(x) for x in m.tolist()], abs=1e-9)


def test_a_chunk_sums_its_own_elements() -> None:
    workload = MapArray(n=3, chunk=2)
    task = Task(index=0, params={"start": 1, "stop": 3})
    answer = execute(workload, task, np.array([1.0, math.pi, 0.0])).answer
    assert answer == pytest.approx(math.pi, abs=1e-14)


def test_equal_seeds_draw_equal_numbers_and_others_do_not() -> None:
    workload = MapArray(n=10, chunk=5)
    assert np.array_equal(workload.data(1), workload.data(1))
    assert not np.array_equal(workload.data(1), workload.data(2))
