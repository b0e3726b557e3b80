"""What a search found: error deltas over pairs of the quality pass; and why early stopping was faster.

Every error is a loss, to be made small. Deltas are ratios of means, never means of ratios.
Curves over time are in `anytime`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.stats

from raybench.analysis.dataset import CellData, Dataset, makespan
from raybench.analysis.pairs import compare, pair_cells
from raybench.model.estimate import Estimate
from raybench.model.measurement import Measurement, Quality
from raybench.model.plan import Cell
from raybench.model.stats import MIN_BLOCKS, Resampler, from_draws, insufficient, ratio, wilson_interval

Floats = npt.NDArray[np.float64]
PAIRS = 10  # fewer (split, search seed) pairs are flagged
TEST_ROWS = 30  # fewer test rows are flagged
CHUNK = 1_000  # resamples of test rows drawn at once
FULL_WORK = 0.999  # of the steps asked for; a backend that did less stopped early
PRODUCT_ERROR = 0.01  # the factors of a split may miss the total by that much


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """How much better the tuned model is than the named baseline, on untouched rows; positive is better.

    relative : 1 - mean tuned / mean baseline; interval over pairs and rows (two levels).
    relative_rows : the same, interval over the test rows of these pairs only; None without row errors.
    optimism : mean of test - validation of the tuned.
    better : share of pairs in which the tuned model won (ties half). p : Wilcoxon signed-rank, None below 6 pairs.
    """

    workload: str
    variant: str
    metric: str
    baseline: str
    n: int
    rows: int
    baseline_test: Estimate
    tuned_test: Estimate
    tuned_validation: Estimate
    relative: Estimate
    relative_rows: Estimate | None
    optimism: Estimate
    better: Estimate
    p: float | None
    flags: tuple[str, ...] = ()


def deltas(lines: Sequence[Quality], resampler: Resampler | None = None) -> list[Delta]:
    """Return one delta per (workload, variant, metric, baseline), in order of first appearance."""
    groups: dict[tuple[str, str, str, str], list[Quality]] = {}
    for line in lines:
        groups.setdefault((line.workload, line.variant, line.metric, line.baseline), []).append(line)
    draws = resampler or Resampler()
    rows = _RowDraws(draws)
    return [_delta(sorted(group, key=lambda q: q.pair), draws, rows) for group in groups.values()]


def _delta(pairs: Sequence[Quality], resampler: Resampler, row_draws: "_RowDraws") -> Delta:
    first = pairs[0]
    base = np.array([q.baseline_test for q in pairs])
    tuned = np.array([q.tuned_test for q in pairs])
    validation = np.array([q.tuned_validation for q in pairs])
    rows = min(min(len(q.baseline_errors), len(q.tuned_errors)) for q in pairs)
    drawn = _resample_rows(pairs, row_draws) if rows else None
    won = float((tuned < base).sum() + 0.5 * (tuned == base).sum())
    low, high = wilson_interval(won, len(pairs))
    flags = [
        (f"only {len(pairs)} pairs", len(pairs) < PAIRS),
        (f"only {rows} test rows", 0 < rows < TEST_ROWS),
        ("baseline error is 0", base.mean() == 0),
    ]
    return Delta(
        workload=first.workload,
        variant=first.variant,
        metric=first.metric,
        baseline=first.baseline,
        n=len(pairs),
        rows=rows,
        baseline_test=_mean(base, resampler),
        tuned_test=_mean(tuned, resampler),
        tuned_validation=_mean(validation, resampler),
        relative=_relative(base, tuned, drawn, resampler),
        relative_rows=_conditional(base, tuned, drawn) if drawn is not None else None,
        optimism=_mean(tuned - validation, resampler),
        better=Estimate(point=won / len(pairs), low=low, high=high, n=len(pairs)),
        p=_signed_rank(base - tuned),
        flags=tuple(flag for flag, true in flags if true),
    )


def _gain(base: npt.NDArray[np.floating], tuned: npt.NDArray[np.floating]) -> Floats:
    """Return 1 - mean tuned / mean baseline over the last axis; NaN where the baseline's error is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1 - tuned.mean(axis=-1) / base.mean(axis=-1))


def _mean(values: Floats, resampler: Resampler) -> Estimate:
    """Estimate a mean over pairs by the percentile bootstrap."""
    point = float(values.mean())
    if len(values) < MIN_BLOCKS:
        return insufficient(point, len(values))
    return from_draws(point, values[resampler.indices(len(values))].mean(axis=1), len(values))


def _relative(base: Floats, tuned: Floats, drawn: tuple[Floats, Floats] | None, resampler: Resampler) -> Estimate:
    """Resample pairs, and within each drawn pair its rows (where known)."""
    n, point = len(base), float(_gain(base, tuned))
    if n < MIN_BLOCKS or not np.isfinite(point):
        return insufficient(point, n)
    chosen = resampler.indices(n)
    if drawn is None:
        draws = _gain(base[chosen], tuned[chosen])
    else:
        rng = np.random.default_rng([resampler.seed, n, 2])
        places = np.stack([rng.permutation(resampler.resamples) for _ in range(n)], axis=1)  # rows anew per place
        draws = _gain(drawn[0][chosen, places], drawn[1][chosen, places])
    return from_draws(point, draws, n)


def _conditional(base: Floats, tuned: Floats, drawn: tuple[Floats, Floats]) -> Estimate:
    """Resample rows within the given pairs."""
    point = float(_gain(base, tuned))
    if not np.isfinite(point):
        return insufficient(point, len(base))
    return from_draws(point, _gain(drawn[0].T, drawn[1].T), len(base))


class _RowDraws:
    """Draws of test rows with replacement, the same for all pairs with as many rows, whatever their workload."""

    def __init__(self, resampler: Resampler) -> None:
        self.seed, self.resamples = resampler.seed, resampler.resamples
        self._drawn: dict[int, tuple[list[npt.NDArray[np.uint16]], np.random.Generator]] = {}
        self._orders: dict[int, list[npt.NDArray[np.intp]]] = {}

    def mean_errors(self, errors: Floats) -> Floats:
        """Return the mean error of each resample, (resamples, models). errors : (rows, models)."""
        size = len(errors)
        counts, _ = self._draw(size)
        return np.concatenate([np.asarray(chunk.astype(np.float64) @ errors / size) for chunk in counts])

    def order(self, size: int, place: int) -> npt.NDArray[np.intp]:
        """Return the order in which the pair at that place takes the resamples: pairs are independent."""
        _, rng = self._draw(size)
        orders = self._orders.setdefault(size, [])
        while len(orders) <= place:
            orders.append(rng.permutation(self.resamples))
        return orders[place]

    def _draw(self, size: int) -> tuple[list[npt.NDArray[np.uint16]], np.random.Generator]:
        """Count how often each row was drawn, (resamples, rows) in chunks, and return the generator to go on with."""
        if size not in self._drawn:
            rng = np.random.default_rng([self.seed, size, 1])
            starts = range(0, self.resamples, CHUNK)
            counts = [_count_draws(rng, min(CHUNK, self.resamples - start), size) for start in starts]
            self._drawn[size] = (counts, rng)
        return self._drawn[size]


def _count_draws(rng: np.random.Generator, resamples: int, size: int) -> npt.NDArray[np.uint16]:
    flat = rng.integers(0, size, size=(resamples, size)) + size * np.arange(resamples)[:, None]
    return np.bincount(flat.ravel(), minlength=size * resamples).reshape(resamples, size).astype(np.uint16)


def _resample_rows(pairs: Sequence[Quality], draws: _RowDraws) -> tuple[Floats, Floats]:
    """Resample the test rows of each pair, both models together: errors of the resamples, (pairs, resamples)."""
    base, tuned = np.empty((2, len(pairs), draws.resamples))
    by_size: dict[int, list[int]] = {}
    for place, q in enumerate(pairs):
        by_size.setdefault(len(q.baseline_errors), []).append(place)
    for size, places in by_size.items():
        errors = np.array([pairs[p].baseline_errors for p in places] + [pairs[p].tuned_errors for p in places]).T
        means = draws.mean_errors(errors)
        for column, place in enumerate(places):
            order = draws.order(size, column)
            base[place] = _metric(pairs[place].metric, means[order, column])
            tuned[place] = _metric(pairs[place].metric, means[order, column + len(places)])
    return base, tuned


def _metric(name: str, mean_errors: Floats) -> Floats:
    return np.sqrt(mean_errors) if name == "rmse" else mean_errors


def _signed_rank(differences: Floats) -> float | None:
    if len(differences) < MIN_BLOCKS:
        return None
    if not differences.any():
        return 1.0
    return float(scipy.stats.wilcoxon(differences).pvalue)


# --- early stopping -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyStopping:
    """Why a backend that stops tasks early was faster: total = saving x cores x efficiency.

    total : makespan of the baseline, which runs all steps, / that of the cell. saving : busy seconds of the baseline /
    those of the cell. efficiency : busy seconds of the cell / (P x makespan). saving_steps : the saving counted in
    steps. same_resources : the threaded baseline on P cores / the cell; None if not measured.
    product_error : product / total - 1; what the baseline spends between its tasks.
    """

    cell: Cell
    n: int
    total: Estimate
    saving: Estimate
    cores: int
    efficiency: Estimate
    saving_steps: Estimate
    same_resources: Estimate | None
    product_error: float
    flags: tuple[str, ...] = ()


def split_gains(data: Dataset, resampler: Resampler | None = None) -> list[EarlyStopping]:
    """Split the gain of every cell that stopped tasks early, in reading order."""
    draws = resampler or Resampler()
    found = (_split(of, draws) for of in data.cells if _stops_early(of))
    return [split for split in found if split is not None]


def busy_seconds(m: Measurement) -> float | None:
    """Sum the tasks' own seconds; None without stamps.

    Where a search pauses its tasks, the span of a stamp is not time at work, and the backend tells the sum itself.
    """
    if m.details.search:
        return m.details.search.busy_s
    return math.fsum(t.ended - t.started for t in m.tasks) or None


def _stops_early(of: CellData) -> bool:
    asked, done = of.values(lambda m: float(m.steps_asked)), of.values(lambda m: float(m.steps_done))
    return bool(len(asked)) and float(np.median(done)) < FULL_WORK * float(np.median(asked))


def _split(of: CellData, resampler: Resampler) -> EarlyStopping | None:
    base, threaded, cpus = of.baseline, of.threaded, of.cell.cpus
    if base is None:
        return None
    whole, part = pair_cells(base, of, makespan)
    full, done = pair_cells(base, of, busy_seconds)
    if not len(whole) or len(full) != len(whole):
        return None
    total, saving = ratio(whole, part, resampler), ratio(full, done, resampler)
    efficiency = ratio(done, cpus * part, resampler)
    steps = pair_cells(base, of, lambda m: float(m.steps_done))
    same = compare(threaded, of, makespan, resampler) if threaded else None
    product_error = saving.point * cpus * efficiency.point / total.point - 1
    return EarlyStopping(
        cell=of.cell,
        n=len(whole),
        total=total.estimate(),
        saving=saving.estimate(),
        cores=cpus,
        efficiency=efficiency.estimate(),
        saving_steps=ratio(*steps, resampler).estimate(),
        same_resources=same.estimate() if same else None,
        product_error=product_error,
        flags=("product misses the total",) if abs(product_error) > PRODUCT_ERROR else (),
    )
