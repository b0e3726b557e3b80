"""What an estimate rests on, as far as its p values need it: a log ratio, resamples, or the values' ranks.

Every kind answers the same question, one-sided: how surely does the true value lie below (above) an edge?
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import scipy.stats

from raybench.model.log_ratio import LogRatio

Floats = npt.NDArray[np.float64]


class Evidence(Protocol):
    """One-sided p values of an estimate."""

    def p_below(self, edge: float) -> float:
        """Return the p value against "the true value is at least `edge`": small where it lies below."""

    def p_above(self, edge: float) -> float:
        """Return the p value against "the true value is at most `edge`": small where it lies above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A monotone function of a ratio: scale x ratio^power + shift, where power is 1 or -1."""

    scale: float = 1.0
    shift: float = 0.0
    power: int = 1

    def __call__(self, ratio: float) -> float:
        """Return the changed value of a ratio from 0 to infinity."""
        if self.power < 0:
            ratio = 1 / ratio if ratio > 0 else math.inf
        return self.scale * ratio + self.shift

    @property
    def rises(self) -> bool:
        """Return whether a larger ratio gives a larger value."""
        return self.scale * self.power > 0

    def log_of(self, value: float) -> float:
        """Return the log of the ratio that has this value; minus or plus infinity beyond what any ratio has."""
        power = (value - self.shift) / self.scale
        return self.power * (math.log(power) if power > 0 else -math.inf)


SAME = Change()


@dataclass(frozen=True, slots=True, kw_only=True)
class OfLogRatio:
    """A changed ratio whose log follows Student's t: p values are exact at any edge."""

    logs: LogRatio
    change: Change = SAME

    def p_below(self, edge: float) -> float:
        """Return the one-sided p value that the changed ratio is at least `edge`."""
        log = self.change.log_of(edge)
        return self.logs.p_below(log) if self.change.rises else self.logs.p_above(log)

    def p_above(self, edge: float) -> float:
        """Return the one-sided p value that the changed ratio is at most `edge`."""
        log = self.change.log_of(edge)
        return self.logs.p_above(log) if self.change.rises else self.logs.p_below(log)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OfDraws:
    """A bootstrap: p is the share of resamples on the other side of the edge. Source: Davison & Hinkley 1997, 4.4."""

    draws: Floats

    def p_below(self, edge: float) -> float:
        """Return (1 + resamples at or above the edge) / (1 + resamples)."""
        return float((1 + np.count_nonzero(self.draws >= edge)) / (1 + len(self.draws)))

    def p_above(self, edge: float) -> float:
        """Return (1 + resamples at or below the edge) / (1 + resamples)."""
        return float((1 + np.count_nonzero(self.draws <= edge)) / (1 + len(self.draws)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OfRanks:
    """A median with its rank interval: the sign test, which inverts that interval."""

    values: Floats

    def p_below(self, edge: float) -> float:
        """Return the chance of so few values at or above the edge if the median were the edge."""
        return float(scipy.stats.binom.cdf(np.count_nonzero(self.values >= edge), len(self.values), 0.5))

    def p_above(self, edge: float) -> float:
        """Return the chance of so few values at or below the edge if the median were the edge."""
        return float(scipy.stats.binom.cdf(np.count_nonzero(self.values <= edge), len(self.values), 0.5))
