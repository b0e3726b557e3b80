"""Ratios of times, estimated on the log scale from one difference per group: moderated t, equivalence, pooling.

A difference is the mean log baseline of a group minus the mean log of the cell in the same group. Its mean over groups
is the log of a geometric mean, so that no ratio is averaged arithmetically (Fleming & Wallace 1986).
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.optimize
import scipy.special
import scipy.stats

Floats = npt.NDArray[np.float64]

FEWEST = 3  # groups with which an interval is given, whatever else is known
FEWEST_MODERATED = 2  # the same where a study's other cells tell how variances are spread
FEWEST_RATIOS = 10  # with fewer, a study's own variances cannot tell how variances are spread
SPAN = 0.5  # of log seconds, below which a line over them has no lever
QUANTUM = 1e-12  # spread of logs that rounding alone leaves: a quantised timer, not a precise one


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """How the variances of a study's log ratios are distributed: s0^2 as a line over log seconds, worth d0 values.

    degrees : d0; infinite where the cells' variances differ by chance alone.
    level, slope : log s0^2 = level + slope x log(makespan in s).
    most : largest degrees of freedom that a moderated variance may claim: those of all cells together.
    """

    degrees: float
    level: float
    slope: float
    most: float

    def variance(self, seconds: float) -> float:
        """Return s0^2 of a cell whose makespan takes so many seconds."""
        return math.exp(self.level + self.slope * math.log(seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRatio:
    """The mean of n log ratios with its standard error and Student's t degrees of freedom; a normal where infinite."""

    mean: float
    error: float
    degrees: float
    n: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the two-sided interval of the log ratio; infinite without a standard error."""
        if not math.isfinite(self.error):
            return -math.inf, math.inf
        half = _quantile((1 + level) / 2, self.degrees) * self.error
        return self.mean - half, self.mean + half

    def p_below(self, edge: float) -> float:
        """Return the one-sided p value against "the log ratio is at least `edge`": small where it lies below."""
        if not math.isfinite(self.error) or math.isnan(self.mean):
            return 1.0
        if self.error == 0:
            return 0.0 if self.mean < edge else 1.0
        return float(_cdf((self.mean - edge) / self.error, self.degrees))

    def p_above(self, edge: float) -> float:
        """Return the one-sided p value against "the log ratio is at most `edge`": small where it lies above."""
        return LogRatio(mean=-self.mean, error=self.error, degrees=self.degrees, n=self.n).p_below(-edge)

    def inside(self, low: float, high: float, *, level: float = 0.90) -> bool:
        """Return whether the log ratio is equivalent to the region: two one-sided tests at (1 - level) / 2 each.

        Source: Schuirmann 1987; Lakens 2017.
        """
        found = self.interval(level)
        return low <= found[0] and found[1] <= high


@functools.lru_cache(maxsize=4096)
def _quantile(p: float, degrees: float) -> float:
    return float(scipy.stats.norm.ppf(p) if math.isinf(degrees) else scipy.stats.t.ppf(p, degrees))


def _cdf(x: float, degrees: float) -> float:
    return float(scipy.stats.norm.cdf(x) if math.isinf(degrees) else scipy.stats.t.cdf(x, degrees))


def log_ratio(differences: npt.ArrayLike, *, seconds: float = 1.0, prior: Prior | None = None) -> LogRatio:
    """Estimate a log ratio from its differences, one per group.

    seconds : makespan of the cell, at which the prior is read. prior : of the study; None gives the plain paired t.
    The variance is shrunk towards the prior and never falls below the cell's own: without that guard the noisiest tenth
    of the cells is covered in 88 % of studies only. Intervals begin at 2 groups with a prior, at 3 without.
    Source: Smyth 2004, Linear models and empirical Bayes methods, eq. 5.
    """
    d = np.asarray(differences, dtype=np.float64)
    n = len(d)
    if n < (FEWEST if prior is None else FEWEST_MODERATED):
        return LogRatio(mean=float(d.mean()) if n else math.nan, error=math.inf, degrees=1.0, n=n)
    own, degrees = float(d.var(ddof=1)), float(n - 1)
    if prior is None:
        return LogRatio(mean=float(d.mean()), error=math.sqrt(own / n), degrees=degrees, n=n)
    expected = prior.variance(seconds)
    if math.isinf(prior.degrees):
        shrunk, total = expected, prior.most
    else:
        shrunk = (prior.degrees * expected + degrees * own) / (prior.degrees + degrees)
        total = min(prior.degrees + degrees, prior.most)
    return LogRatio(mean=float(d.mean()), error=math.sqrt(max(shrunk, own) / n), degrees=total, n=n)


def fit_prior(differences: Sequence[npt.ArrayLike], seconds: npt.ArrayLike) -> Prior | None:
    """Fit the distribution of a study's variances; None where fewer than 10 ratios have 2 groups and any spread.

    differences : of each cell, one per group. seconds : makespan of each cell.
    Source: Smyth 2004, section 6.2 (moments of log s^2); the trend is that of limma (Law et al. 2014).
    """
    spans = np.asarray(seconds, dtype=np.float64)
    found = [
        (len(d), float(np.var(d, ddof=1)), span)
        for d, span in zip(map(np.asarray, differences), spans, strict=True)
        if len(d) >= FEWEST_MODERATED and np.std(d) > QUANTUM and span > 0
    ]
    if len(found) < FEWEST_RATIOS:
        return None
    counts, variances, spans = (np.array(column, dtype=np.float64) for column in zip(*found, strict=True))
    half = (counts - 1) / 2
    # log s^2 of a chi-squared variance has mean log sigma^2 + digamma(d/2) - log(d/2) and variance trigamma(d/2)
    unbiased = np.log(variances) - scipy.special.digamma(half) + np.log(half)
    x = np.log(spans)
    slope, level = 0.0, float(unbiased.mean())
    if np.ptp(x) > SPAN:
        slope, level = np.polyfit(x, unbiased, 1, w=1 / np.sqrt(scipy.special.polygamma(1, half)))
    rest = unbiased - (level + slope * x)
    lost = 2 if slope else 1
    excess = float((rest**2).sum() / (len(rest) - lost) - scipy.special.polygamma(1, half).mean())
    most = float((counts - 1).sum())
    if excess <= 0:
        return Prior(degrees=math.inf, level=float(level), slope=float(slope), most=most)
    degrees = 2 * _inverse_trigamma(excess)
    shift = float(scipy.special.digamma(degrees / 2) - math.log(degrees / 2))
    return Prior(degrees=degrees, level=float(level) + shift, slope=float(slope), most=most)


def _inverse_trigamma(value: float) -> float:
    """Return y with trigamma(y) = value > 0; the function falls from infinity to 0."""
    low, high = 1e-6, 1e8
    if value >= scipy.special.polygamma(1, low):
        return low
    if value <= scipy.special.polygamma(1, high):
        return high
    root = scipy.optimize.brentq(
        lambda log_y: float(scipy.special.polygamma(1, math.exp(log_y))) - value, math.log(low), math.log(high)
    )
    return math.exp(root)


# --- several ratios together ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """A mean over workloads (random effects). between : sd between workloads, on the log scale; k : how many.

    mean : with its interval by the modified Knapp-Hartung error. new : 95 % prediction interval of a further workload.
    """

    mean: LogRatio
    between: float
    k: int
    new: tuple[float, float]


def pool(ratios: Sequence[LogRatio]) -> Pooled | None:
    """Pool log ratios of several workloads; None where fewer than 2 have a standard error.

    tau^2 by restricted maximum likelihood; the error of the mean by Knapp & Hartung with a factor of at least 1, k - 1
    degrees of freedom; prediction interval with k - 2. Source: Higgins, Thompson & Spiegelhalter 2009.
    """
    known = [one for one in ratios if math.isfinite(one.error)]
    if len(known) < 2:
        return None
    y = np.array([one.mean for one in known])
    v = np.maximum(np.array([one.error**2 for one in known]), QUANTUM**2)
    k = len(known)
    tau2 = _restricted_likelihood(y, v)
    weights = 1 / (v + tau2)
    mean = float((weights * y).sum() / weights.sum())
    factor = max(1.0, float((weights * (y - mean) ** 2).sum() / (k - 1)))
    error = math.sqrt(factor / weights.sum())
    reach = _quantile(0.975, k - 2) * math.sqrt(tau2 + error**2) if k > 2 else math.inf
    return Pooled(
        mean=LogRatio(mean=mean, error=error, degrees=k - 1, n=k),
        between=math.sqrt(tau2),
        k=k,
        new=(mean - reach, mean + reach),
    )


def _restricted_likelihood(y: Floats, v: Floats) -> float:
    """Return the REML estimate of tau^2."""

    def loss(tau2: float) -> float:
        weights = 1 / (v + tau2)
        mean = (weights * y).sum() / weights.sum()
        return float(0.5 * (np.log(v + tau2).sum() + np.log(weights.sum()) + (weights * (y - mean) ** 2).sum()))

    most = float(y.var(ddof=1)) * 10 + float(v.max())
    found = scipy.optimize.minimize_scalar(loss, bounds=(0.0, most), method="bounded", options={"xatol": most * 1e-9})
    return 0.0 if loss(0.0) <= float(found.fun) else float(found.x)


def rounds(*, fixed_s: float, round_s: float, within: float, between: float) -> int:
    """Return how many rounds a group should have, 1 to 4.

    fixed_s : cost of a group apart from its rounds; round_s : of one round, seconds.
    within, between : variances of log ratios between rounds of a group and between groups.
    Source: Kalibera & Jones 2013, the optimum sqrt(cost ratio x variance ratio).
    """
    if between <= 0:
        return 4
    return int(min(4, max(1, round(math.sqrt(fixed_s / round_s * within / between)))))
