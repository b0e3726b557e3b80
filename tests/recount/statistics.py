"""The estimators of METHODOLOGY.md once more, from their formulas: what the report's own are held against."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

SEED, RESAMPLES = 20_101, 9_999  # published in METHODOLOGY.md: the same data give the same interval
FEWEST, FEWEST_MODERATED, FEWEST_RATIOS, FEWEST_RESAMPLED = 3, 2, 10, 6


class E(NamedTuple):
    """A number with its interval and the count behind it. weak : decides nothing."""

    point: float
    low: float
    high: float
    n: int
    weak: bool = False

    def map(self, change) -> "E":
        ends = sorted(map(change, (self.low, self.high)))
        return E(change(self.point), ends[0], ends[1], self.n, self.weak)


class T(NamedTuple):
    """A mean log with its standard error and degrees of freedom."""

    mean: float
    error: float
    degrees: float
    n: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        if not math.isfinite(self.error):
            return -math.inf, math.inf
        law = stats.norm if math.isinf(self.degrees) else stats.t(self.degrees)
        half = law.ppf((1 + level) / 2) * self.error
        return self.mean - half, self.mean + half

    def p_below(self, edge: float) -> float:
        """Return the one-sided p value against "at least `edge`"."""
        law = stats.norm if math.isinf(self.degrees) else stats.t(self.degrees)
        if not math.isfinite(self.error):
            return 1.0
        return float(law.cdf((self.mean - edge) / self.error)) if self.error else float(self.mean >= edge)

    def p_above(self, edge: float) -> float:
        return self._replace(mean=-self.mean).p_below(-edge)

    def ratio(self) -> E:
        low, high = self.interval()
        return E(math.exp(self.mean), math.exp(low) if low > -math.inf else -math.inf, math.exp(high), self.n,
                 not math.isfinite(self.error))  # fmt: skip


class Prior(NamedTuple):
    """Smyth's scaled inverse chi-squared law of variances, its centre a line over log seconds."""

    degrees: float
    level: float
    slope: float
    most: float


def smyth(differences: Sequence[np.ndarray], seconds: Sequence[float]) -> Prior | None:
    table = pd.DataFrame(
        [(len(d), np.var(d, ddof=1), math.log(s)) for d, s in zip(differences, seconds, strict=True)
         if len(d) >= FEWEST_MODERATED and np.std(d) > 1e-12 and s > 0],
        columns=["n", "variance", "x"],
    )  # fmt: skip
    if len(table) < FEWEST_RATIOS:
        return None
    half = (table["n"] - 1) / 2
    logs = np.log(table["variance"]) - special.digamma(half) + np.log(half)
    trigamma = pd.Series(special.polygamma(1, half), index=table.index)
    slope, level, lost = 0.0, logs.mean(), 1
    if np.ptp(table["x"]) > 0.5:
        design, weight = np.column_stack([table["x"], np.ones(len(table))]), (1 / np.sqrt(trigamma)).to_numpy()
        slope, level = np.linalg.lstsq(design * weight[:, None], logs.to_numpy() * weight, rcond=None)[0]
        lost = 2
    rest = logs - level - slope * table["x"]
    excess = (rest**2).sum() / (len(table) - lost) - trigamma.mean()
    most = float((table["n"] - 1).sum())
    if excess <= 0:
        return Prior(math.inf, level, slope, most)
    y = math.exp(optimize.brentq(lambda v: special.polygamma(1, math.exp(v)) - excess, math.log(1e-6), math.log(1e8)))
    return Prior(2 * y, level + special.digamma(y) - math.log(y), slope, most)


def moderated(logs: np.ndarray, seconds: float = 1.0, prior: Prior | None = None) -> T:
    """Return the mean of log ratios with its moderated error, never below the cell's own (Smyth 2004, guarded)."""
    n = len(logs)
    if n < (FEWEST if prior is None else FEWEST_MODERATED):
        return T(float(np.mean(logs)) if n else math.nan, math.inf, 1.0, n)
    own = float(np.var(logs, ddof=1))
    if prior is None:
        return T(float(np.mean(logs)), math.sqrt(own / n) if np.ptp(logs) > 1e-12 else 0.0, n - 1, n)
    expected = math.exp(prior.level + prior.slope * math.log(seconds))
    if math.isinf(prior.degrees):
        variance, degrees = expected, prior.most
    else:
        degrees = prior.degrees + n - 1
        variance, degrees = (prior.degrees * expected + (n - 1) * own) / degrees, min(degrees, prior.most)
    return T(float(np.mean(logs)), math.sqrt(max(variance, own) / n), degrees, n)


def random_effects(known: Sequence[T]) -> tuple[T, float] | None:
    """Return the REML mean with the modified Knapp-Hartung error, and the sd between."""
    y, v = np.array([t.mean for t in known]), np.maximum([t.error**2 for t in known], 1e-24)
    if len(known) < 2:
        return None

    def minus_twice_likelihood(tau2: float) -> float:
        w = 1 / (v + tau2)
        mean = np.average(y, weights=w)
        return float(np.log(v + tau2).sum() + math.log(w.sum()) + (w * (y - mean) ** 2).sum())

    top = 10 * float(np.var(y, ddof=1)) + float(v.max())
    found = optimize.minimize_scalar(minus_twice_likelihood, bounds=(0, top), method="bounded",
                                     options={"xatol": top * 1e-9})  # fmt: skip
    tau2 = float(found.x) if found.fun < minus_twice_likelihood(0.0) else 0.0
    w = 1 / (v + tau2)
    mean, k = float(np.average(y, weights=w)), len(y)
    factor = max(1.0, float((w * (y - mean) ** 2).sum() / (k - 1)))
    return T(mean, math.sqrt(factor / w.sum()), k - 1, k), math.sqrt(tau2)


def rank_interval(values: Sequence[float]) -> E:
    """Return a median with its binomial rank interval; the range below six values."""
    x, n = np.sort(np.asarray(values, float)), len(values)
    fits = [k for k in range(1, n // 2 + 1) if 1 - 2 * stats.binom.cdf(k - 1, n, 0.5) >= 0.95]
    k = max(fits, default=0) or 1
    return E(float(np.median(x)), float(x[k - 1]), float(x[n - k]), n, not fits)


def blocks_drawn(n: int) -> np.ndarray:
    return np.random.default_rng([SEED, n]).integers(0, n, size=(RESAMPLES, n))


def percentiles(draws: np.ndarray) -> tuple[float, float]:
    method = "linear" if np.isfinite(draws).all() else "inverted_cdf"
    low, high = np.quantile(draws, [0.025, 0.975], method=method)
    return float(low), float(high)


def resampled_mean(values: np.ndarray) -> E:
    if len(values) < FEWEST_RESAMPLED:
        return E(float(values.mean()), -math.inf, math.inf, len(values), True)
    return E(float(values.mean()), *percentiles(values[blocks_drawn(len(values))].mean(axis=1)), len(values))


def holm(p: Sequence[float]) -> list[float]:
    ranked = pd.Series(p, dtype=float).sort_values(kind="stable")
    adjusted = (ranked * np.arange(len(ranked), 0, -1)).clip(upper=1).cummax()
    return adjusted.reindex(range(len(p))).tolist()
