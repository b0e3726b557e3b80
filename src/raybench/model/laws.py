"""Laws of scaling fitted to makespans at several core counts, on the log scale.

Amdahl: T(P) = T(1) (s + (1 - s) / P).  USL: X(P) = g P / (1 + a (P - 1) + b P (P - 1)), with b = 0 it is Amdahl, s = a.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.optimize

from raybench.model.stats import Resampler, interval

FEWEST_COUNTS = 6  # core counts below which a fit says nothing

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """One fitted parameter with its 95 % interval from resampled blocks. At the bound 0 it is an upper limit."""

    point: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Laws:
    """Parameters of both laws. serial : Amdahl's s. contention, coherency : a and b of the USL. counts : core counts.

    errors : largest relative error of each law at the measured points, by its name.
    """

    serial: Fit
    contention: Fit
    coherency: Fit
    counts: tuple[int, ...]
    n: int
    errors: Mapping[str, float]


def fit_laws(seconds: Mapping[int, Sequence[float]], resampler: Resampler) -> Laws | None:
    """Fit both laws to the makespans of fixed work, by core count one value per block in one order of blocks.

    None with fewer than 6 core counts, or with fewer than 3 blocks that all of them have: then there is no interval.
    Source: Gunther 2007 (USL); Amdahl 1967.
    """
    counts = sorted(seconds)
    n = min((len(values) for values in seconds.values()), default=0)
    if len(counts) < FEWEST_COUNTS or n < 3:
        return None
    cores = np.array(counts, dtype=np.float64)
    logs = np.log(np.array([list(seconds[p])[:n] for p in counts]))  # (core counts, blocks)
    draws = _unique(resampler.indices(n))
    means = np.array([logs[:, chosen].mean(axis=1) for chosen, _ in draws])
    weights = np.array([times for _, times in draws])
    amdahl = np.array([_fit(cores, mean, usl=False) for mean in means])
    usl = np.array([_fit(cores, mean, usl=True) for mean in means])
    whole = logs.mean(axis=1)
    serial, both = _fit(cores, whole, usl=False), _fit(cores, whole, usl=True)
    return Laws(
        serial=_with_interval(serial[1], amdahl[:, 1], weights),
        contention=_with_interval(both[1], usl[:, 1], weights),
        coherency=_with_interval(both[2], usl[:, 2], weights),
        counts=tuple(counts),
        n=n,
        errors={"Amdahl": _worst(cores, whole, serial), "USL": _worst(cores, whole, both)},
    )


def _unique(indices: npt.NDArray[np.intp]) -> list[tuple[npt.NDArray[np.intp], int]]:
    """Return each resample of blocks once, with how often it was drawn: of 3 blocks there are only ten."""
    found, counts = np.unique(np.sort(indices, axis=1), axis=0, return_counts=True)
    return list(zip(found, map(int, counts), strict=True))


def _fit(cores: Floats, logs: Floats, *, usl: bool) -> tuple[float, float, float]:
    """Return log T(1), a and b that fit best; b is 0 for Amdahl."""

    def miss(parameters: Floats) -> Floats:
        return _log_seconds(cores, *parameters) - logs

    start = [float(logs[0] + math.log(cores[0])), 0.01, *([1e-4] if usl else [])]
    bounds = ([-np.inf, 0.0, *([0.0] if usl else [])], [np.inf, 1.0, *([1.0] if usl else [])])
    found = scipy.optimize.least_squares(miss, start, bounds=bounds, x_scale=[1.0, 0.01, *([1e-4] if usl else [])]).x
    return float(found[0]), float(found[1]), float(found[2]) if usl else 0.0


def _log_seconds(cores: Floats, first: float, a: float, b: float = 0.0) -> Floats:
    return np.asarray(first + np.log((1 + a * (cores - 1) + b * cores * (cores - 1)) / cores))


def _with_interval(point: float, values: Floats, weights: npt.NDArray[np.int64]) -> Fit:
    low, high = interval(np.repeat(values, weights))
    return Fit(point=point, low=min(low, point), high=max(high, point))


def _worst(cores: Floats, logs: Floats, parameters: tuple[float, float, float]) -> float:
    return float(np.abs(np.expm1(_log_seconds(cores, *parameters) - logs)).max())
