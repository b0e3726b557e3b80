"""Quantities about what a search found, from the quality pass and from early stopping."""

from collections.abc import Iterator

import numpy as np

from raybench.claims.selection import Sample, Selection
from raybench.model import units
from raybench.model.estimate import Estimate
from raybench.model.stats import MIN_BLOCKS, from_draws, insufficient, median_rank_ci


def rmse_delta(selection: Selection, *, variant: str) -> Iterator[Sample]:
    """Return by which share the variant's error on untouched rows lies below the baseline's; above 0 is better."""
    for delta in selection.material.findings.deltas:
        if delta.variant == variant and delta.workload in selection.workloads:
            absolute = f"{units.plain(delta.baseline_test.point)} to {units.plain(delta.tuned_test.point)}"
            yield Sample(
                about=f"{delta.workload}, {variant} against {delta.baseline}",
                estimate=delta.relative if delta.n >= MIN_BLOCKS else insufficient(delta.relative.point, delta.n),
                note="; ".join([f"{delta.metric} {absolute}", *delta.flags]),
            )


def variant_error(selection: Selection, *, variant: str) -> Iterator[Sample]:
    """Return the variant's mean error on untouched rows, in units of the error."""
    for delta in selection.material.findings.deltas:
        if delta.variant == variant and delta.workload in selection.workloads:
            yield Sample(about=f"{delta.metric} of {delta.workload}, {variant}", estimate=delta.tuned_test)


def variant_ratio(selection: Selection, *, variant: str, against: str) -> Iterator[Sample]:
    """Return the mean error of a variant / that of another one, on the same untouched rows, paired."""
    by_variant: dict[tuple[str, str], dict[int, float]] = {}
    for line in selection.material.run.qualities:
        by_variant.setdefault((line.workload, line.variant), {})[line.pair] = line.tuned_test
    for workload in sorted(selection.workloads):
        mine, theirs = by_variant.get((workload, variant), {}), by_variant.get((workload, against), {})
        pairs = sorted(mine.keys() & theirs.keys())
        if pairs:
            both = np.array([(mine[p], theirs[p]) for p in pairs])
            yield Sample(about=f"{workload}, {variant} against {against}", estimate=_ratio_of_means(selection, both))


def steps_saved(selection: Selection) -> Iterator[Sample]:
    """Return the share of the steps (boosting rounds, trees) that were selection for and not done."""
    for of in selection.cells:
        good = [m for m in of.in_order if m.steps_asked]
        if good:
            yield selection.sample(of, median_rank_ci([1 - m.steps_done / m.steps_asked for m in good]))


def _ratio_of_means(selection: Selection, both: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> Estimate:
    n = len(both)
    top, bottom = both.mean(axis=0)
    point = float(top / bottom) if bottom > 0 else float("nan")
    if n < MIN_BLOCKS or not bottom > 0:
        return insufficient(point, n)
    drawn = both[selection.material.draws.indices(n)].mean(axis=1)
    return from_draws(point, drawn[:, 0] / drawn[:, 1], n)
