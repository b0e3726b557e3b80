"""The host's state from durations of fixed work: made series with known wandering, and one real look."""

import math

import numpy as np
import pytest

from raybench.system.host_state import HostState, probe, sample_cores, seconds_of, summarise

CHUNK_S = 0.003


def series(seconds: int, per_second: list[float]) -> np.ndarray:
    """Return chunk durations: each second has its own factor on the duration of a chunk."""
    return np.concatenate([np.full(round(1 / (CHUNK_S * f)), CHUNK_S * f) for f in per_second[:seconds]])


def test_the_spread_is_that_of_one_second_means() -> None:
    rng = np.random.default_rng(1)
    cores = [series(200, list(np.exp(0.05 * rng.normal(size=200)))) for _ in range(2)]
    state = summarise(cores, cores, (0, 1))
    assert state.spread == pytest.approx(0.05, rel=0.2)
    assert state.contended
    assert "contended host" in state.words()


def test_a_steady_machine_is_quiet_and_its_asymmetry_is_told() -> None:
    fast, slow = series(3, [1.0] * 3), series(3, [1.25] * 3)
    state = summarise([fast, slow], [slow, slow], (0, 1))
    assert not state.contended
    assert state.asymmetry == pytest.approx(0.25, abs=0.01)
    assert state.slowdown == pytest.approx((1 + 0.8) / 2 / 0.8 - 1, abs=0.01)
    assert state.speed == pytest.approx(0.8 / CHUNK_S, rel=0.01)


def test_slow_wandering_is_no_step() -> None:
    """A speed that drifts over minutes is cancelled by a baseline a second away."""
    wave = list(np.exp(0.1 * np.sin(np.arange(120) * 2 * math.pi / 120)))
    state = summarise([series(120, wave)], [series(120, wave)], (0,))
    assert state.spread > 0.05
    assert state.step < 0.01
    assert state.correlation is not None
    assert state.correlation > 0.9


def test_the_expected_half_width_falls_with_groups_rounds_and_length() -> None:
    state = HostState(speed=1, spread=0.1, step=0.1, correlation=0.0, asymmetry=0.0, slowdown=0.0, cores=(0,))
    base = state.half_width(groups=3, rounds=2)
    assert state.half_width(groups=6, rounds=2) < base
    assert state.half_width(groups=3, rounds=4) < base
    assert state.half_width(groups=3, rounds=2, seconds=4) < base
    quiet = HostState(speed=1, spread=0.0, step=0.0, correlation=None, asymmetry=0.0, slowdown=0.0, cores=(0,))
    assert quiet.half_width(groups=3, rounds=2) == pytest.approx(2.447 * 0.006 * math.sqrt(2 / 3), rel=1e-3)


def test_large_machines_are_sampled() -> None:
    assert sample_cores(range(2)) == (0, 1)
    assert sample_cores(range(64)) == (0, 21, 42, 63)


def test_seconds_are_whole_ones() -> None:
    assert len(seconds_of(series(2, [1.0, 2.0]))) == 2
    assert seconds_of(series(2, [1.0, 2.0]))[1] - seconds_of(series(2, [1.0, 2.0]))[0] == pytest.approx(
        math.log(2), abs=0.02
    )


def test_a_real_look_at_this_host_ends_and_leaves_nothing() -> None:
    state = probe(alone_s=0.3, together_s=0.3)
    assert state.speed > 0
    assert 1 <= len(state.cores) <= 4
