"""Two cells side by side: a metric of both in the same blocks and rounds, and the ratio that follows from it.

A cell that was measured twice a block (A/A) counts with the mean log of both replicas.
"""

import math
from functools import cache

import numpy as np

from raybench.analysis.dataset import Blocks, CellData, Dataset, Floats, Metric, Process, cold, makespan
from raybench.model.log_ratio import Prior, fit_prior
from raybench.model.measurement import Measurement
from raybench.model.pairing import round_differences
from raybench.model.stats import Ratio, Resampler, ratio

Pairs = dict[int, tuple[float, float]]  # by block
SHRUNK: tuple[Metric, ...] = (makespan, cold)  # metrics whose variances are compared over the study's cells


def compare(top: CellData, bottom: CellData, metric: Metric, resampler: Resampler) -> Ratio | None:
    """Estimate a metric of one cell / of another, over the blocks in which both have it; None without any."""
    a, b = pair_cells(top, bottom, metric)
    prior = priors(bottom.study, metric) if metric in SHRUNK else None
    return ratio(a, b, resampler, prior=prior) if len(a) else None


def pair_cells(top: CellData, bottom: CellData, metric: Metric) -> tuple[Floats, Floats]:
    """Return a metric of two cells over the blocks in which both have it; both replicas where there are two."""
    return _columns(pair_blocks(top, bottom, metric))


def pair_blocks(top: CellData, bottom: CellData, metric: Metric) -> Pairs:
    """Return the same by block."""
    found = _pairs(top.good, bottom.good, metric)
    tops, bottoms = _second_factor(top, bottom, metric), _second_factor(bottom, top, metric)
    return {b: (x * tops.get(b, 1.0), y * bottoms.get(b, 1.0)) for b, (x, y) in found.items()}


def pair(top: Blocks, bottom: Blocks, metric: Metric) -> tuple[Floats, Floats]:
    """Return a metric of two series over the blocks in which both have it, in the order of blocks.

    Makespans of processes that were alive together are geometric means over the rounds that both have; those of the
    baseline are the means of the samples before and after each round of the other.
    """
    return _columns(_pairs(top, bottom, metric))


def compare_replicas(of: CellData, resampler: Resampler) -> Ratio | None:
    """Return the A/A ratio (first replica / second) of a cell measured twice a block; None of any other."""
    if not of.second:
        return None
    return ratio(*pair(of.good, of.second, makespan), resampler, prior=priors(of.study, makespan))


@cache
def priors(data: Dataset, metric: Metric) -> Prior | None:
    """Return how the variances of a run's log ratios to the baseline are distributed; None for few ratios."""
    differences, seconds = [], []
    for of in data.cells:
        if of.baseline is not None and not of.is_baseline and not of.is_sweep:
            top, bottom = pair_cells(of.baseline, of, metric)
            differences.append(np.log(top / bottom))
            seconds.append(float(np.exp(np.log(bottom).mean())) if len(bottom) else 0.0)
    return fit_prior(differences, seconds)


def _columns(found: Pairs) -> tuple[Floats, Floats]:
    both = np.array([found[block] for block in sorted(found)], dtype=np.float64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _pairs(top: Blocks, bottom: Blocks, metric: Metric) -> Pairs:
    found = {}
    for block in top.keys() & bottom.keys():
        together = _pair_rounds(top[block], bottom[block]) if metric is makespan else None
        a, b = together or (metric(top[block]), metric(bottom[block]))
        if a is not None and b is not None:
            found[block] = (a, b)
    return found


def _second_factor(of: CellData, other: CellData, metric: Metric) -> dict[int, float]:
    """Return, by block, mean of both replicas / first replica, on the log scale, where the other cell had both."""
    if not of.second or of is other:
        return {}
    return {
        block: math.sqrt(second / first)
        for block, (first, second) in _pairs(of.good, of.second, metric).items()
        if first > 0 and second > 0 and block in other.good and other.good[block].group == of.second[block].group
    }


def _pair_rounds(top: Measurement, bottom: Measurement) -> tuple[float, float] | None:
    """Return two makespans whose ratio is that of their common rounds; None where they share no group."""
    if not (isinstance(top, Process) and isinstance(bottom, Process)):
        return None
    if bottom.beside and top.cell == bottom.beside[0].cell:
        return _over_baseline(bottom)
    if top.beside and bottom.cell == top.beside[0].cell:
        found = _over_baseline(top)
        return found and (found[1], found[0])
    if (top.block, top.group, top.attempt) != (bottom.block, bottom.group, bottom.attempt):
        return None
    mine, theirs = ({s.round: np.log(s.seconds) for s in one.samples} for one in (top, bottom))
    rounds = sorted(mine.keys() & theirs.keys())
    if not rounds:
        return None
    means = [float(np.exp(np.mean([logs[r] for r in rounds]))) for logs in (mine, theirs)]
    return means[0], means[1]


def _over_baseline(process: Process) -> tuple[float, float] | None:
    """Return the makespan of the baseline beside a process, and the process's own."""
    differences = round_differences(process.beside, process.samples)
    if not differences:
        return None
    own = process.seconds
    return own * float(np.exp(np.mean(differences))), own
