"""Fit how far predictions are off to those that were recorded, and judge the fit on those that it has not seen.

`python benchmarks/try/fit.py` writes src/raybench/analysis/predictor.json and reports/TRY.md from reports/try.json.
"""

import math
from collections.abc import Sequence

import numpy as np
import scipy.optimize
import scipy.stats
from points import Point

from raybench.analysis.held_out import LeftOut
from raybench.analysis.predictor import LEVEL, NARROW, Errors, Fit, Spread, errors

LEAST, MOST = 0.01, 3.0  # of a standard deviation: no model is better than 1 %, none worth using is off 20 times
DEGREES = 4.0  # of Student's t: a few predictions fail altogether, and must not widen all others
START = (0.05, 0.5, 0.25, 0.05)  # where the search begins

Seen = tuple[Point, Spread]  # a prediction with the spread that was fitted without it


def fit(points: Sequence[Point]) -> Fit:
    """Return what the predictor needs: the spread, and the errors of held-out predictions that would be shown."""
    parts = {str(part): judge(held_out(points, part), narrow=True) for part in LeftOut}
    return Fit(spread=fit_spread(points), errors={name: found for name, found in parts.items() if found is not None})


def fit_spread(points: Sequence[Point]) -> Spread:
    """Return the standard deviations that make these errors most likely.

    The errors of log seconds are Student's t with 4 degrees of freedom, scaled so that their 90 % interval is the one
    that `Spread.sd` gives. What a doubling of the cores costs is
    told by predictions for two cores that do not know how two tasks slow each other down.
    """
    seen = [*points, *(point.as_blind() for point in points if point.cpus > 1)]
    found = np.array([point.log_error for point in seen])
    sampled = np.array([point.parts.sampled for point in seen]) ** 2
    causes = np.array([[1.0, p.parts.overhead, p.parts.lock, p.parts.doubling] for p in seen]) ** 2
    scale = LEVEL / float(scipy.stats.t.ppf(0.95, DEGREES))

    def unlikely(logs: np.ndarray) -> float:
        variance = (causes @ np.exp(2 * logs) + sampled) * scale**2
        return float(((DEGREES + 1) * np.log1p(found**2 / (DEGREES * variance)) + np.log(variance)).sum()) / 2

    bounds = [(math.log(LEAST), math.log(MOST))] * len(START)
    best = scipy.optimize.minimize(unlikely, np.log(START), bounds=bounds, method="L-BFGS-B")
    model, overhead, lock, doubling = (round(float(one), 3) for one in np.exp(best.x))
    return Spread(model=model, overhead=overhead, lock=lock, doubling=doubling)


def held_out(points: Sequence[Point], part: LeftOut) -> list[Seen]:
    """Return predictions with the spread that was fitted without the prediction itself, or without its function.

    Without its P: those for several cores, made without knowing how tasks slow each other down.
    """
    if part is LeftOut.CELL:
        return [(one, fit_spread([other for other in points if other is not one])) for one in points]
    spreads = {
        name: fit_spread([point for point in points if point.function != name])
        for name in dict.fromkeys(point.function for point in points)
    }
    if part is LeftOut.CORES:
        return [(one.as_blind(), spreads[one.function]) for one in points if one.cpus > 1]
    return [(one, spreads[one.function]) for one in points]


def judge(seen: Sequence[Seen], *, narrow: bool) -> Errors | None:
    """Sum up held-out predictions. narrow : only those that would be shown."""
    kept = [(point, spread) for point, spread in seen if not narrow or point.half_width(spread) <= NARROW]
    return errors([point.error for point, _ in kept], [covers(point, spread) for point, spread in kept])


def covers(point: Point, spread: Spread) -> bool:
    """Return whether the 90 % interval holds what was measured."""
    return abs(point.log_error) <= point.half_width(spread)
