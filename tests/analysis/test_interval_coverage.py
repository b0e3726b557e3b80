"""Simulated studies with a known truth: 95 % intervals must hold it in 92 to 98 % of them.

Laws of the noise: log-normal with 5 % coefficient of variation; the same with drift over the blocks, shared by all
cells; a skewed one (log-gamma) whose medians still have the true ratio. Each study has 10 blocks; the standard error
of a coverage near 95 % over 600 studies is 0.9 points. The seeds are fixed: a failure is a changed estimator.
"""

from collections.abc import Callable

import numpy as np
import pytest

from raybench.analysis.metg import LEVELS, Sweep
from raybench.model.stats import Resampler, median_rank_ci, ratio

BLOCKS = 10
DRAWS = Resampler(resamples=499)
Noise = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def lognormal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.exp(0.05 * rng.normal(size=shape))


def drifting(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Grow by 10 % over the blocks, in all cells alike."""
    return np.exp(0.1 * np.arange(shape[-1]) / shape[-1]) * lognormal(rng, shape)


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Mostly quick, sometimes slow: skewness 2 on the log scale."""
    return np.exp(0.05 * rng.gamma(1.0, size=shape))


NOISES = {"lognormal": lognormal, "drift": drifting, "skew": skewed}
LEVEL_OF = {"lognormal": 1.0, "drift": np.exp(0.1 * 4.5 / 10), "skew": 2**0.05}  # medians over the blocks
STUDIES = 600


def holds(coverage: float) -> bool:
    return 0.92 <= coverage <= 0.98


@pytest.mark.rule("HB6", 10)
@pytest.mark.parametrize("noise", NOISES)
def test_intervals_of_ratios_hold_the_true_speedup(noise: str) -> None:
    """Loop 8 s, backend 2.5 s: 3.2."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(STUDIES):
        top, bottom = NOISES[noise](rng, (2, BLOCKS)) * np.array([[8.0], [2.5]])
        found.append(ratio(top, bottom, DRAWS).estimate())
    assert holds(np.mean([e.low <= 3.2 <= e.high for e in found]))


@pytest.mark.parametrize("noise", NOISES)
def test_the_cross_check_seldom_disagrees(noise: str) -> None:
    rng = np.random.default_rng(12)
    flags = [ratio(*NOISES[noise](rng, (2, BLOCKS)), DRAWS).estimate().flag for _ in range(400)]
    assert np.mean([flag != "" for flag in flags]) < 0.02


def test_rank_intervals_of_the_median_hold_it() -> None:
    """At n = 10 the ranks 2 and 9 cover 97.9 % exactly: 1 - 2 (1 + 10) / 1024."""
    rng = np.random.default_rng(13)
    found = [median_rank_ci(skewed(rng, (BLOCKS,))) for _ in range(2_000)]
    truth = float(np.exp(0.05 * np.log(2)))
    assert np.mean([e.low <= truth <= e.high for e in found]) == pytest.approx(1 - 22 / 1024, abs=0.01)


@pytest.mark.parametrize("noise", NOISES)
def test_intervals_of_metg_hold_the_true_one(noise: str) -> None:
    """One millisecond of overhead per task on 2 cores: METG(x) = 1 ms / (1 - x), at the median level of the noise."""
    rng = np.random.default_rng(14)
    unit_s, overhead_s, tasks, cpus = 1e-8, 1e-3, 200, 2
    works = np.round(0.064 / unit_s / 2 ** np.arange(9))
    exact = tasks * (works * unit_s + overhead_s) / cpus
    truth = overhead_s * LEVEL_OF[noise]
    hits = dict.fromkeys(LEVELS, 0)
    for _ in range(STUDIES):
        wobble = NOISES[noise](rng, (len(works) + 1, BLOCKS))
        drawn = Sweep(works=works, tasks=tasks, cpus=cpus, walls=exact[:, None] * wobble[1:], unit=unit_s * wobble[0])
        for level in LEVELS:
            found = drawn.metg(level, DRAWS).granularity
            hits[level] += found.low <= truth / (1 - level) <= found.high
    assert all(holds(count / STUDIES) for count in hits.values()), hits
