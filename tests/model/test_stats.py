"""Estimators: each value worked out by hand, or by scipy's own bootstrap."""

import ast
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from raybench.model import paths, stats
from raybench.model.estimate import Estimate, VerdictKind
from raybench.model.evidence import Change
from raybench.model.stats import Resampler, band_verdict, median_rank_ci, ratio

ESTIMATORS = [*sorted((paths.PACKAGE / "analysis").glob("*.py")), paths.PACKAGE / "model" / "stats.py"]
DRAWS = Resampler()


def estimate(low: float, high: float, flag: str = "") -> Estimate:
    return Estimate(point=math.sqrt(low * high), low=low, high=high, n=10, flag=flag)


@pytest.mark.rule("HB5")
@pytest.mark.parametrize(
    ("n", "low", "high", "flag"),
    [(5, 1, 5, "low-n"), (6, 1, 6, ""), (8, 1, 8, ""), (9, 2, 8, ""), (10, 2, 9, ""), (15, 4, 12, ""), (20, 6, 15, "")],
)
def test_rank_interval_of_the_median_is_the_tabulated_one(n: int, low: int, high: int, flag: str) -> None:
    """Ranks from the table of Le Boudec 2010, appendix A; n = 5 reaches 93.75 % only."""
    found = median_rank_ci(np.random.default_rng(n).permutation(np.arange(1.0, n + 1)))
    assert (found.low, found.high, found.flag) == (low, high, flag)
    assert found.point == (n + 1) / 2


@pytest.mark.parametrize("n", [6, 7, 10, 31])
def test_medians_of_resamples_equal_numpys(n: int) -> None:
    x = np.random.default_rng(n).integers(0, 5, size=n).astype(float)  # with ties
    assert np.array_equal(DRAWS.medians(x), np.median(x[DRAWS.indices(n)], axis=1))


@pytest.mark.rule("HB6")
def test_interval_equals_the_paired_t_of_logs() -> None:
    rng = np.random.default_rng(4)
    top, bottom = 10 * np.exp(0.1 * rng.normal(size=12)), 5 * np.exp(0.1 * rng.normal(size=12))
    theirs = scipy.stats.ttest_rel(np.log(top), np.log(bottom)).confidence_interval(0.95)
    ours = ratio(top, bottom, DRAWS).estimate()
    assert (ours.low, ours.high) == (pytest.approx(math.exp(theirs.low)), pytest.approx(math.exp(theirs.high)))
    assert ours.point == pytest.approx(scipy.stats.gmean(top) / scipy.stats.gmean(bottom))


def test_the_cross_check_equals_scipys_paired_percentile_bootstrap_of_medians() -> None:
    """Within Monte-Carlo error: bounds of two seeds of either differ by less than 1 % here."""
    rng = np.random.default_rng(4)
    top, bottom = 10 * np.exp(0.1 * rng.normal(size=12)), 5 * np.exp(0.1 * rng.normal(size=12))

    def statistic(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
        return np.median(a, axis=axis) / np.median(b, axis=axis)

    theirs = scipy.stats.bootstrap(
        (top, bottom), statistic, paired=True, vectorized=True, method="percentile", n_resamples=9_999, rng=rng
    ).confidence_interval
    assert ratio(top, bottom, DRAWS).check == pytest.approx((theirs.low, theirs.high), rel=0.01)
    assert ratio(top[:7], bottom[:7], DRAWS).check == (-math.inf, math.inf)


@pytest.mark.rule(10)
def test_blocks_are_compared_within_themselves() -> None:
    """A level shared by a block leaves the ratio alone."""
    level = np.exp(np.random.default_rng(0).normal(size=10))
    found = ratio(2 * level, level, DRAWS).estimate()
    assert (found.low, found.high) == (pytest.approx(2), pytest.approx(2))
    assert found.flag == "quantised timer"


@pytest.mark.rule("HB5", 8)
def test_fewer_than_three_blocks_give_an_infinite_interval_not_an_error() -> None:
    found = ratio([4.0] * 2, [2.0] * 2, DRAWS).estimate()
    assert (found.point, found.low, found.high, found.n, found.flag) == (2, -math.inf, math.inf, 2, "insufficient")
    assert ratio([], [], DRAWS).estimate().flag == "insufficient"
    assert math.isfinite(ratio([4.0, 4.1, 4.2], [2.0] * 3, DRAWS).estimate().high)


def test_a_time_of_zero_gives_no_interval_but_a_flag() -> None:
    found = ratio([0.0] + [1.0] * 9, [1.0] * 10, DRAWS).estimate()
    assert (found.flag, found.high) == ("not positive", math.inf)


def test_blocks_that_are_not_aligned_are_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        ratio([1.0] * 6, [1.0] * 7, DRAWS)


@pytest.mark.rule("HB7", 11)
def test_a_bootstrap_that_does_not_touch_the_t_is_flagged_and_decides_nothing() -> None:
    """Most ratios lie near 1.1 and some near 1.8: medians near 1.1, the mean of logs above them."""
    top = np.array([1.1] * 28 + [1.8] * 12) * (1 + 1e-4 * np.arange(40))
    found = ratio(top, np.ones(40), DRAWS)
    t = scipy.stats.ttest_1samp(np.log(top), 0).confidence_interval(0.95)
    assert found.check[1] < math.exp(t.low)
    assert found.estimate().flag == "cross-check disagrees"
    assert band_verdict(found.estimate(), 1.0, 2.0) is VerdictKind.INCONCLUSIVE
    assert ratio(top[:30], np.ones(30), DRAWS).estimate().flag == ""  # two of 30 far off: both intervals touch


def test_efficiency_and_serial_fraction_are_changes_of_the_same_ratio() -> None:
    rng = np.random.default_rng(8)
    found = ratio(8 + rng.random(10), 1 + rng.random(10), DRAWS)
    speedup, efficiency = found.estimate(), found.estimate(Change(scale=1 / 4))
    inverse = found.estimate(Change(power=-1))
    assert (efficiency.low, efficiency.high) == (pytest.approx(speedup.low / 4), pytest.approx(speedup.high / 4))
    assert (inverse.low, inverse.high) == (pytest.approx(1 / speedup.high), pytest.approx(1 / speedup.low))
    p = stats.outside_p(speedup, 9.0, 12.0)
    assert 0 < p < 1
    assert stats.outside_p(efficiency, 9.0 / 4, 12.0 / 4) == pytest.approx(p)
    assert stats.outside_p(inverse, 1 / 12.0, 1 / 9.0) == pytest.approx(p)


def test_the_same_raw_data_always_give_the_same_numbers() -> None:
    top, bottom = np.arange(1.0, 11), np.arange(2.0, 12)
    assert ratio(top, bottom, Resampler()) == ratio(top, bottom, Resampler())


def test_infinite_resamples_leave_the_interval_open_and_not_undefined() -> None:
    assert stats.interval([1.0] * 90 + [math.inf] * 10) == (1.0, math.inf)


@pytest.mark.rule(46)
@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [
        (0.71, 0.79, VerdictKind.SUPPORTED),
        (0.70, 0.80, VerdictKind.SUPPORTED),
        (0.69, 0.75, VerdictKind.INCONCLUSIVE),
        (0.75, 0.81, VerdictKind.INCONCLUSIVE),
        (0.60, 0.90, VerdictKind.INCONCLUSIVE),
        (0.60, 0.69, VerdictKind.REFUTED),
        (0.60, 0.70, VerdictKind.INCONCLUSIVE),
        (0.81, 0.95, VerdictKind.REFUTED),
    ],
)
def test_a_band_is_judged_by_containment_alone(low: float, high: float, kind: VerdictKind) -> None:
    assert band_verdict(estimate(low, high), 0.7, 0.8) is kind


@pytest.mark.parametrize("flag", ["insufficient", "low-n", "cross-check disagrees"])
def test_a_flagged_estimate_decides_nothing(flag: str) -> None:
    assert band_verdict(estimate(0.71, 0.79, flag), 0.7, 0.8) is VerdictKind.INCONCLUSIVE


@pytest.mark.rule("HB7", 45)
def test_holm_multiplies_the_smallest_by_the_size_of_the_family() -> None:
    assert stats.holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert stats.holm([0.6, 0.5]) == (1.0, 1.0)
    assert stats.holm([0.04]) == (0.04,)
    assert stats.holm([]) == ()


def test_wilsons_interval_is_the_tabulated_one() -> None:
    """8 of 10: 0.490 to 0.943 (Newcombe 1998 gives 0.4902, 0.9433); none or all of 10 end at 0 and at 1."""
    assert stats.wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert stats.wilson_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert stats.wilson_interval(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_noise_floor_is_the_far_end_of_the_interval_of_two_equal_cells() -> None:
    assert stats.noise_floor(estimate(0.97, 1.02)) == pytest.approx(0.03)


def test_half_width_is_that_of_the_log_ratio() -> None:
    assert stats.half_width(estimate(1 / 1.05, 1.05)) == pytest.approx(math.log(1.05))
    assert stats.half_width(stats.insufficient(1.0, 3)) == math.inf


@pytest.mark.rule("HB8", 14)
def test_outliers_are_counted_and_kept() -> None:
    """Quartiles of 1 ... 9, 100 are 3.25 and 7.75: beyond 14.5 lies one value, and it stays in the median."""
    values = [1.0, 2, 3, 4, 5, 6, 7, 8, 9, 100]
    assert stats.tukey_outliers(values) == 1
    assert median_rank_ci(values).n == 10
    assert stats.tukey_outliers([1.0, 2, 50]) == 0


@pytest.mark.rule("HB8", 19)
def test_pyperf_would_warn_of_wide_or_extreme_values() -> None:
    assert stats.unstable([0.85, 1.15, 0.85, 1.15])
    assert stats.unstable([1.0] * 50 + [1.6])
    assert not stats.unstable([0.99, 1.0, 1.01])
    assert not stats.unstable([1.0])


def test_drift_is_found_over_cells_of_any_length() -> None:
    """Two cells of 1 s and 100 s that both grow by 10 % over the study: growth exp(0.0953) - 1."""
    at = np.arange(40.0)
    cells = ["a", "b"] * 20
    values = np.where(at % 2 == 0, 1.0, 100.0) * np.exp(math.log(1.1) * at / 39)
    found = stats.drift(cells, at, values, floor=0.02)
    assert found.flag == "drift"
    assert found.point == pytest.approx(0.1, abs=0.01)
    assert stats.drift(cells, at, values, floor=0.2).flag == ""


def test_a_steady_study_shows_no_drift() -> None:
    rng = np.random.default_rng(1)
    values = np.exp(0.05 * rng.normal(size=2_000))
    found = stats.drift(["a"] * 2_000, np.arange(2_000.0), values, floor=0.01)
    assert found.low < 0 < found.high
    assert found.flag == ""


def test_drift_of_too_few_values_is_insufficient() -> None:
    assert stats.drift(["a"] * 3, [0, 1, 2], [1, 1, 1], floor=0).flag == "insufficient"
    assert stats.drift(list("abcdefgh"), range(8), [1.0] * 8, floor=0).flag == "insufficient"


def test_p_value_outside_a_band_is_that_of_the_t_test() -> None:
    top = np.exp(0.1 * np.random.default_rng(2).normal(size=8))
    found = ratio(top, np.ones(8), DRAWS).estimate()
    p = scipy.stats.ttest_1samp(np.log(top), math.log(1.2)).pvalue
    assert stats.outside_p(found, 1.2, 9.0) == pytest.approx(p)
    assert stats.outside_p(found, found.high, 9.0) == pytest.approx(0.05)
    assert stats.outside_p(found, 0.5, 2.0) == 1.0
    assert stats.outside_p(Estimate(point=1.0, low=1.0, high=1.0, n=3), 2.0, 3.0) == 0.0


def test_p_value_of_resamples_is_the_share_beyond_the_edge() -> None:
    """Of 99 resamples 1 to 99 two lie at or above 98: (1 + 2) / 100, twice for two sides."""
    found = stats.from_draws(50.0, np.arange(1.0, 100.0), 10)
    assert stats.outside_p(found, 98.0, 200.0) == pytest.approx(0.06)
    assert stats.outside_p(found, -9.0, 2.0) == pytest.approx(0.06)


def test_p_value_of_a_median_is_the_sign_test() -> None:
    """All ten below the edge: 2 / 2^10."""
    assert stats.outside_p(median_rank_ci(np.arange(10.0)), 20.0, 30.0) == pytest.approx(2 / 1024)


def test_an_interval_without_evidence_says_no_more_than_five_percent() -> None:
    bare = Estimate(point=1.0, low=0.9, high=1.1, n=9)
    assert (stats.outside_p(bare, 2.0, 3.0), stats.outside_p(bare, 1.05, 3.0)) == (0.05, 1.0)


@pytest.mark.rule("HB3", "HB4", 12)
@pytest.mark.parametrize("path", ESTIMATORS, ids=lambda path: path.stem)
def test_no_ratio_or_rate_is_averaged(path: Path) -> None:
    """No mean is taken of anything named a ratio, a speedup, an efficiency or a rate (Hoefler & Belli, rules 3, 4)."""
    forbidden = ("ratio", "speedup", "efficienc", "_per_s", "rates")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("mean", "average")
        ):
            told = ast.unparse(node)
            assert not any(word in told for word in forbidden), f"{path.stem}:{node.lineno} averages {told}"
