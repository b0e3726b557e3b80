"""Log ratios: intervals that cover the truth in simulated studies, and values worked out by other means."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.special
import scipy.stats

from raybench.model.log_ratio import LogRatio, Prior, fit_prior, log_ratio, pool, rounds

CELLS, STUDIES = 40, 60
Law = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

# --- simulated studies: (cells, groups, 2) log seconds of baseline and cell, with unit noise ------


def lognormal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(size=shape)


def drifting(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """AR(1) over the whole study with correlation 0.9 from one makespan to the next, and as much of fast noise."""
    cells, groups, two = shape
    steps = rng.normal(size=groups * cells * two)
    wander = np.zeros_like(steps)
    for i in range(1, len(steps)):
        wander[i] = 0.9 * wander[i - 1] + math.sqrt(1 - 0.9**2) * steps[i]
    return (wander.reshape(groups, cells, two).transpose(1, 0, 2) + rng.normal(size=shape)) / math.sqrt(2)


def spiky(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Three makespans in ten meet a neighbour that costs them twice the usual noise."""
    return rng.normal(size=shape) + 2 * (rng.random(shape) < 0.3)


def bimodal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.where(rng.random(shape) < 0.5, -1.0, 1.0) + 0.5 * rng.normal(size=shape)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_t(3, size=shape)


LAWS: dict[str, Law] = {law.__name__: law for law in (lognormal, drifting, spiky, bimodal, heavy)}


def coverage(law: Law, groups: int) -> float:
    """Return the share of cells whose interval holds the true ratio; noise of 1 to 15 % of one makespan."""
    rng = np.random.default_rng([groups, 7])
    hits = 0
    for _ in range(STUDIES):
        seconds = np.exp(rng.uniform(math.log(0.3), math.log(6), CELLS))
        level = math.exp(rng.uniform(math.log(0.01), math.log(0.15)))
        noise = level * np.exp(0.3 * rng.normal(size=CELLS)) * seconds**-0.3  # longer makespans are calmer
        logs = law(rng, (CELLS, groups, 2)) * noise[:, None, None]
        differences = list(logs[..., 0] - logs[..., 1])
        prior = fit_prior(differences, seconds)
        for d, span in zip(differences, seconds, strict=True):
            low, high = log_ratio(d, seconds=span, prior=prior).interval()
            hits += low <= 0 <= high
    return hits / (STUDIES * CELLS)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_intervals_hold_the_true_ratio_from_two_groups_on(law: Law) -> None:
    found = [coverage(law, groups) for groups in (2, 3, 4, 6, 10)]
    assert all(0.93 <= share <= 0.975 for share in found), found
    assert 0.94 <= np.mean(found) <= 0.97, found


def test_moderation_narrows_intervals_of_three_groups() -> None:
    rng = np.random.default_rng(3)
    differences = list(0.05 * rng.normal(size=(CELLS, 3)))
    prior = fit_prior(differences, np.ones(CELLS))
    plain, moderated = (
        np.median([log_ratio(d, prior=used).interval()[1] - log_ratio(d).mean for d in differences])
        for used in (None, prior)
    )
    assert moderated < 0.7 * plain


def test_a_cell_noisier_than_the_study_keeps_its_own_variance() -> None:
    prior = Prior(degrees=math.inf, level=math.log(0.01**2), slope=0.0, most=100)
    d = np.array([-0.5, 0.0, 0.5])
    assert log_ratio(d, prior=prior).error == pytest.approx(0.5 / math.sqrt(3))


def test_a_prior_is_found_again() -> None:
    """Variances drawn from Smyth's model, s^2 ~ s0^2 F(d, d0), with s0^2 falling as 1 / seconds."""
    rng = np.random.default_rng(4)
    seconds = np.exp(rng.uniform(-1, 3, 4_000))
    sigma2 = 0.002 / seconds * 8 / rng.chisquare(8, size=4_000)
    prior = fit_prior(list(rng.normal(size=(4_000, 5)) * np.sqrt(sigma2)[:, None]), seconds)
    assert prior is not None
    assert prior.degrees == pytest.approx(8, rel=0.2)
    assert prior.slope == pytest.approx(-1, abs=0.05)
    assert prior.variance(1.0) == pytest.approx(0.002, rel=0.1)


def test_fewer_than_ten_ratios_have_no_prior_and_without_one_fewer_than_three_groups_no_interval() -> None:
    assert fit_prior([np.array([0.1, 0.2, 0.4])] * 9, np.ones(9)) is None
    assert log_ratio([0.1, 0.2]).interval() == (-math.inf, math.inf)
    assert math.isnan(log_ratio([]).mean)


def test_without_a_prior_it_is_the_paired_t() -> None:
    d = np.array([0.10, 0.14, 0.07, 0.12])
    known = scipy.stats.ttest_1samp(d, 0.05)
    found = log_ratio(d)
    assert found.interval() == pytest.approx(tuple(known.confidence_interval()), abs=1e-12)
    assert found.p_above(0.05) == pytest.approx(known.pvalue / 2)
    assert found.p_below(0.05) == pytest.approx(1 - known.pvalue / 2)


def test_equivalence_is_two_one_sided_tests() -> None:
    near = LogRatio(mean=0.005, error=0.004, degrees=10, n=11)
    assert near.inside(math.log(0.98), math.log(1.02))
    assert not near.inside(math.log(0.99), math.log(1.01))
    assert max(near.p_above(math.log(0.98)), near.p_below(math.log(1.02))) < 0.05


def test_pooling_agrees_with_the_closed_form_of_equal_errors() -> None:
    """Equal errors: REML is the sample variance less the error, and Knapp-Hartung the plain t interval of the means."""
    means, error = [0.10, 0.30, 0.20, 0.40, 0.05], 0.05
    found = pool([LogRatio(mean=m, error=error, degrees=9, n=10) for m in means])
    assert found is not None
    spread = np.var(means, ddof=1)
    assert found.between**2 == pytest.approx(spread - error**2, rel=1e-4)
    assert found.mean.interval() == pytest.approx(
        tuple(scipy.stats.ttest_1samp(means, 0).confidence_interval()), rel=1e-4
    )
    reach = scipy.stats.t.ppf(0.975, 3) * math.sqrt(spread - error**2 + spread / 5)
    assert found.new[1] == pytest.approx(np.mean(means) + reach, rel=1e-4)


def test_workloads_that_agree_better_than_their_errors_do_not_narrow_the_mean() -> None:
    found = pool([LogRatio(mean=0.1, error=0.05, degrees=9, n=10)] * 4)
    assert found is not None
    assert found.between == 0
    assert found.mean.error == pytest.approx(0.05 / 2)


@pytest.mark.parametrize(
    ("within", "between", "expected"),
    [(1.0, 0.0, 4), (1.0, 1.0, 2), (0.01, 1.0, 1), (100.0, 1.0, 4)],
)
def test_rounds_balance_what_varies_within_and_between_groups(within: float, between: float, expected: int) -> None:
    assert rounds(fixed_s=12, round_s=3, within=within, between=between) == expected
