"""Scaling laws: formulas at points worked out by hand, and fits that find what was put in."""

import numpy as np
import pytest

from raybench.analysis import laws
from raybench.model.stats import Resampler

CPUS = np.array([1.0, 2, 4, 8, 16, 24])
INDICES = Resampler(resamples=499).indices(10)


def times(serial: float, coherency: float = 0.0, *, cpus: np.ndarray = CPUS, cov: float = 0.0) -> dict[int, np.ndarray]:
    rng = np.random.default_rng(3)
    exact = 100 / laws.usl(cpus, serial, coherency)
    return {int(p): t * np.exp(cov * rng.normal(size=10)) for p, t in zip(cpus, exact, strict=True)}


def test_laws_give_the_textbook_values() -> None:
    """Serial 0.1 on 10 cores: Amdahl 1 / 0.19, Gustafson 10 - 0.9; USL 0.1, 0.01: 10 / (1 + 0.9 + 0.9)."""
    ten = np.array([10.0])
    assert laws.amdahl(ten, 0.1)[0] == pytest.approx(1 / 0.19)
    assert laws.gustafson(ten, 0.1)[0] == pytest.approx(9.1)
    assert laws.usl(ten, 0.1, 0.01)[0] == pytest.approx(10 / 2.8)


def test_usl_without_coherency_is_amdahls_law() -> None:
    assert laws.usl(CPUS, 0.07, 0.0) == pytest.approx(laws.amdahl(CPUS, 0.07))


def test_karp_flatt_undoes_amdahl() -> None:
    """The documented 17x on 25 cores imply a serial fraction of (1/17 - 1/25) / (24/25) = 0.0196."""
    assert laws.karp_flatt(np.array([17.0]), 25)[0] == pytest.approx(0.01961, abs=1e-5)
    assert laws.karp_flatt(laws.amdahl(np.array([8.0]), 0.3), 8)[0] == pytest.approx(0.3)
    assert laws.karp_flatt(np.array([2.1]), 2)[0] < 0


def test_a_fit_finds_the_law_that_made_the_times() -> None:
    amdahl, usl = laws.fits(times(0.05, 0.001), INDICES)
    assert (amdahl.kind, usl.kind) == ("amdahl", "usl")
    assert usl.serial.point == pytest.approx(0.05, rel=1e-4)
    assert usl.coherency.point == pytest.approx(0.001, rel=1e-4)
    assert usl.single.point == pytest.approx(100, rel=1e-4)
    assert usl.peak == pytest.approx((0.95 / 0.001) ** 0.5, rel=1e-3)
    assert usl.left_out_error < 1e-3 < amdahl.left_out_error
    assert usl.speedup([16])[0] == pytest.approx(16 / (1 + 0.75 + 0.24), rel=1e-3)


def test_usl_needs_six_different_numbers_of_cores() -> None:
    assert [f.kind for f in laws.fits(times(0.05, cpus=CPUS[:5]), INDICES)] == ["amdahl"]
    assert laws.fits(times(0.05, cpus=CPUS[:1]), INDICES) == ()


@pytest.mark.parametrize("kind", ["amdahl", "usl"])
def test_many_refits_at_once_equal_scipys(kind: str) -> None:
    table = np.stack(list(times(0.05, 0.001, cov=0.05).values()))
    sets = np.median(table[:, INDICES[:20]], axis=2).T
    found = laws.refits(kind, CPUS, sets)
    for mine, seconds in zip(found, sets, strict=True):
        assert mine == pytest.approx(laws._curve(kind, CPUS, seconds), rel=1e-3, abs=1e-6)


def test_a_parameter_on_its_bound_is_a_one_sided_limit() -> None:
    """No coherency in the law: about half of the resamples put it at 0."""
    usl = laws.fits(times(0.05, 0.0, cov=0.03), INDICES)[1]
    assert (usl.coherency.flag, usl.coherency.low) == ("at bound", 0.0)
    assert usl.coherency.high > 0


def test_a_superlinear_study_fits_a_serial_fraction_of_zero() -> None:
    (fit,) = laws.fits({1: [10.0] * 10, 2: [4.8] * 10}, INDICES)
    assert fit.serial.point == pytest.approx(0, abs=1e-6)
    assert fit.serial.flag == "at bound"
