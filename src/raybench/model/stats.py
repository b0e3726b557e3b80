"""Pure estimators: ratios and medians with intervals, noise floor, drift, verdicts of bands.

Every input is one value per block. Nothing here averages ratios or removes an outlier.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.stats

from raybench.model.estimate import Estimate, VerdictKind
from raybench.model.evidence import SAME, Change, OfDraws, OfLogRatio, OfRanks
from raybench.model.log_ratio import QUANTUM, LogRatio, Prior, log_ratio

SEED = 20_101  # of all resampling: the same raw data always give the same numbers
RESAMPLES = 9_999  # (resamples + 1) x 2.5 % is whole; Monte-Carlo error of a bound is then below a tenth of its width
CHECKED = 8  # blocks from which the bootstrap checks the t
MIN_BLOCKS = 6  # of medians and resampled means: the range of 5 values covers the median with 93.75 % only
DISAGREES = "cross-check disagrees"
INSUFFICIENT = "insufficient"
LOW_N = "low-n"
IMPLAUSIBLE = "implausible"  # the measurement is not believed: see `analysis.plausibility`
QUANTISED = "quantised timer"
UNDECIDABLE = (DISAGREES, INSUFFICIENT, LOW_N, IMPLAUSIBLE)
DRIFT_POINTS = 400  # Theil-Sen looks at all pairs: more points are joined to bins first

Floats = npt.NDArray[np.float64]


class Resampler:
    """Draw blocks with replacement, the same draws for every estimate over n blocks.

    The draws depend on (seed, n) alone. Medians are found from counts per block, without sorting the resamples.
    """

    def __init__(self, *, seed: int = SEED, resamples: int = RESAMPLES) -> None:
        self.seed = seed
        self.resamples = resamples
        self._indices: dict[int, npt.NDArray[np.intp]] = {}
        self._counts: dict[int, npt.NDArray[np.int16]] = {}
        self._medians = functools.lru_cache(maxsize=64)(self._medians_of)  # the base's serve all cells of a workload

    def indices(self, n: int) -> npt.NDArray[np.intp]:
        """Return the index matrix of n blocks, (resamples, n)."""
        if n not in self._indices:
            self._indices[n] = np.random.default_rng([self.seed, n]).integers(0, n, size=(self.resamples, n))
        return self._indices[n]

    def counts(self, n: int) -> npt.NDArray[np.int16]:
        """Count how often each block was drawn, (n, resamples)."""
        if n not in self._counts:
            flat = self.indices(n) + n * np.arange(self.resamples)[:, None]
            counts = np.bincount(flat.ravel(), minlength=n * self.resamples).reshape(self.resamples, n)
            self._counts[n] = np.ascontiguousarray(counts.T.astype(np.int16))
        return self._counts[n]

    def medians(self, x: npt.ArrayLike) -> Floats:
        """Return the median of each resample of x, (resamples,); read-only."""
        return self._medians(np.asarray(x, dtype=np.float64).tobytes())

    def _medians_of(self, raw: bytes) -> Floats:
        values = np.frombuffer(raw)
        n = len(values)
        order = np.argsort(values, kind="stable")
        counts, ranked = self.counts(n), values[order]
        running = np.zeros(self.resamples, dtype=np.int16)  # how many drawn values lie at or below the current one
        lower, upper = np.zeros((2, self.resamples), dtype=np.int16)
        for block in order:
            running += counts[block]
            lower += running <= (n - 1) // 2
            upper += running <= n // 2
        medians: Floats = (ranked[lower] + ranked[upper]) / 2
        medians.flags.writeable = False
        return medians


def interval(draws: npt.ArrayLike) -> tuple[float, float]:
    """Return the 95 % percentile interval of resampled values; infinite values are allowed."""
    values = np.asarray(draws, dtype=np.float64)
    if np.isfinite(values).all():
        low, high = np.quantile(values, [0.025, 0.975])
    else:  # interpolating towards infinity would give NaN
        low, high = np.quantile(values, [0.025, 0.975], method="inverted_cdf")
    return float(low), float(high)


@functools.cache
def _rank(n: int) -> int:
    """Return the largest k for which [x_(k), x_(n+1-k)] covers the median with at least 95 %; 0 if none does."""
    ks = np.arange(1, n // 2 + 1)
    fits = ks[1 - 2 * scipy.stats.binom.cdf(ks - 1, n, 0.5) >= 0.95]
    return int(fits.max()) if len(fits) else 0


def from_draws(point: float, draws: npt.ArrayLike, n: int) -> Estimate:
    """Return a resampled number with its 95 % percentile interval; its p values come from the resamples."""
    values = np.asarray(draws, dtype=np.float64)
    low, high = interval(values)
    return Estimate(point=point, low=low, high=high, n=n, evidence=OfDraws(draws=values))


def geometric_mean(values: npt.ArrayLike, resampler: Resampler) -> Estimate:
    """Estimate positive values by their mean log, with an interval from 3 values on."""
    return ratio(values, np.ones(np.shape(values)), resampler).estimate()


def median_rank_ci(x: npt.ArrayLike) -> Estimate:
    """Estimate a median with its exact binomial rank interval; fewer than 6 values give their range, flag `low-n`.

    Source: Le Boudec 2010, Performance Evaluation, theorem 2.1.
    """
    ranked = np.sort(np.asarray(x, dtype=np.float64))
    n = len(ranked)
    if n == 0:
        return insufficient(float("nan"), 0)
    k = _rank(n)
    low, high = (ranked[k - 1], ranked[n - k]) if k else (ranked[0], ranked[-1])
    return Estimate(
        point=float(np.median(ranked)),
        low=float(low),
        high=float(high),
        n=n,
        flag="" if k else LOW_N,
        evidence=OfRanks(values=ranked),
    )


def insufficient(point: float, n: int) -> Estimate:
    """Return a number without evidence: an infinite interval and a flag."""
    return Estimate(point=point, low=-np.inf, high=np.inf, n=n, flag=INSUFFICIENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A ratio on the log scale, shared by speedup, efficiency and serial fraction. point : NaN where undefined.

    check : percentile bootstrap of the ratio of medians, from 8 blocks on; infinite where there is none.
    """

    point: float
    logs: LogRatio
    check: tuple[float, float] = (-np.inf, np.inf)
    flag: str = ""

    def estimate(self, change: Change = SAME) -> Estimate:
        """Estimate a monotone change of the ratio, with the interval of Student's t.

        An interval that the bootstrap's does not even touch gets the flag `cross-check disagrees` and decides nothing.
        """
        low, high = self.logs.interval()
        if not np.isfinite(self.logs.error):
            return Estimate(point=change(self.point), low=-np.inf, high=np.inf, n=self.logs.n, flag=self.flag)
        ratios = (float(np.exp(low)), float(np.exp(high))) if self.logs.error > 0 else (self.point, self.point)
        apart = ratios[1] < self.check[0] or self.check[1] < ratios[0]
        ends = sorted(map(change, ratios))
        return Estimate(
            point=change(self.point),
            low=ends[0],
            high=ends[1],
            n=self.logs.n,
            flag=DISAGREES if apart and not self.flag else self.flag,
            evidence=OfLogRatio(logs=self.logs, change=change),
        )


def ratio(top: npt.ArrayLike, bottom: npt.ArrayLike, resampler: Resampler, *, prior: Prior | None = None) -> Ratio:
    """Estimate top / bottom as the mean of log ratios, paired by block, with a moderated t interval.

    top, bottom : one positive value per block, same order. prior : of the study's variances; None: the paired t.
    Too few blocks (`log_ratio`) give an infinite interval, no error; constant log ratios the flag `quantised timer`.
    Source: Smyth 2004; the bootstrap beside it, Efron & Tibshirani 1993, ch. 13.
    """
    a, b = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    assert a.shape == b.shape, "blocks are not aligned"
    n = len(a)
    if not n or min(a.min(), b.min()) <= 0:
        point = float(np.median(a) / np.median(b)) if n and np.median(b) > 0 else float("nan")
        flag = "not positive" if n else INSUFFICIENT
        return Ratio(point=point, logs=LogRatio(mean=np.nan, error=np.inf, degrees=1.0, n=n), flag=flag)
    logs = np.log(a) - np.log(b)
    found = log_ratio(logs, seconds=float(np.exp(np.log(b).mean())), prior=prior)
    point = float(np.exp(found.mean))
    if not np.isfinite(found.error):
        return Ratio(point=point, logs=found, flag=INSUFFICIENT)
    if np.ptp(logs) < QUANTUM:
        exact = found if prior else replace(found, error=0.0)  # rounding of the logarithm alone leaves about 1e-16
        return Ratio(point=float(a[0] / b[0]), logs=exact, flag=QUANTISED)
    check = interval(resampler.medians(a) / resampler.medians(b)) if n >= CHECKED else (-np.inf, np.inf)
    return Ratio(point=point, logs=found, check=check)


def noise_floor(same: Estimate) -> float:
    """Return the smallest effect that may be called a difference, from the ratio of two equal cells (A/A)."""
    return max(abs(same.low - 1), abs(same.high - 1))


def half_width(estimate: Estimate) -> float:
    """Return half the width of a ratio's interval on the log scale; infinite where there is no interval."""
    if not (0 < estimate.low <= estimate.high < np.inf):
        return float("inf")
    return float(np.log(estimate.high / estimate.low) / 2)


def band_verdict(estimate: Estimate, low: float, high: float) -> VerdictKind:
    """Judge a band by the interval alone: wholly inside, wholly outside, or undecided."""
    if estimate.flag in UNDECIDABLE or np.isnan(estimate.point):
        return VerdictKind.INCONCLUSIVE
    if low <= estimate.low and estimate.high <= high:
        return VerdictKind.SUPPORTED
    if estimate.high < low or estimate.low > high:
        return VerdictKind.REFUTED
    return VerdictKind.INCONCLUSIVE


def outside_p(estimate: Estimate, low: float, high: float) -> float:
    """Return the two-sided p value of "lies inside the band", from what the estimate rests on.

    An exact number outside has p = 0. An estimate that carries no evidence says no more than its 95 % interval does.
    """
    if low <= estimate.point <= high or estimate.flag in UNDECIDABLE or np.isnan(estimate.point):
        return 1.0
    if estimate.evidence is not None:
        below = estimate.point < low
        return min(1.0, 2 * (estimate.evidence.p_below(low) if below else estimate.evidence.p_above(high)))
    if estimate.low == estimate.high:
        return 0.0
    return 0.05 if estimate.high < low or estimate.low > high else 1.0


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust the p values of one family by Holm's method, in the order given. Source: Holm 1979."""
    count = len(p_values)
    order = sorted(range(count), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * count, 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (count - rank) * p_values[i]))
        adjusted[i] = largest
    return tuple(adjusted)


def wilson_interval(successes: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of n; ties may count half. Source: Wilson 1927."""
    z = float(scipy.stats.norm.ppf(0.975))
    share, scale = successes / n, 1 + z**2 / n
    middle = (share + z**2 / (2 * n)) / scale
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / scale
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def tukey_outliers(x: npt.ArrayLike) -> int:
    """Count values beyond 1.5 interquartile ranges of the quartiles; counted, never removed."""
    values = np.asarray(x, dtype=np.float64)
    if len(values) < 4:
        return 0
    first, third = np.quantile(values, [0.25, 0.75])
    reach = 1.5 * (third - first)
    return int(((values < first - reach) | (values > third + reach)).sum())


def unstable(x: npt.ArrayLike) -> bool:
    """Return whether pyperf would warn: sd at least 10 % of the mean, or an extreme at least 50 % off it."""
    values = np.asarray(x, dtype=np.float64)
    if len(values) < 2 or values.mean() <= 0:
        return False
    middle = values.mean()
    return bool(values.std(ddof=1) >= 0.1 * middle or np.abs(values - middle).max() >= 0.5 * middle)


def drift(cells: Sequence[str], at: npt.ArrayLike, values: npt.ArrayLike, *, floor: float) -> Estimate:
    """Estimate by how much times grew over the whole study, as a fraction; flag `drift` where it is real.

    cells : name of each value's cell, whose median log is taken out. at : start of each value, any unit.
    Blocks absorb drift: it is shown, nothing is corrected. Source: Theil-Sen slope with Sen's interval.
    """
    table = pd.DataFrame({"cell": list(cells), "at": np.asarray(at, float), "log": np.log(np.asarray(values, float))})
    table = table[table.groupby("cell")["log"].transform("size") > 1].sort_values("at", kind="stable")
    if len(table) < MIN_BLOCKS or table["at"].iloc[-1] == table["at"].iloc[0]:
        return insufficient(float("nan"), len(table))
    table["log"] -= table.groupby("cell")["log"].transform("median")
    length = float(table["at"].iloc[-1] - table["at"].iloc[0])
    bins = np.arange(len(table)) * min(len(table), DRIFT_POINTS) // len(table)
    binned = table.groupby(bins)[["at", "log"]].median()
    fit = scipy.stats.theilslopes(binned["log"], binned["at"], alpha=0.95)
    change, low, high = (float(np.expm1(s * length)) for s in (fit.slope, fit.low_slope, fit.high_slope))
    real = (low > 0 or high < 0) and abs(change) > floor
    return Estimate(point=change, low=low, high=high, n=len(table), flag="drift" if real else "")
