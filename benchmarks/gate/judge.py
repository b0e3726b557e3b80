"""Is this tree slower than its reference? Ratios within one run, and a threshold from that run's own noise.

No measuring here: compare.py takes the rounds. A round holds three sides in random order, side by side:
the reference, its twin (the same code again), and the candidate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import scipy.stats

from raybench.model.errors import RaybenchError

ALPHA = 0.02  # chance that noise alone makes one benchmark suspected; squared, as a suspect is measured again
POWER = 0.95  # chance that one look suspects a slow-down of the detectable effect; two looks make 9 of 10
MIN_ROUNDS = 6  # below, the noise of three sides says nothing about its own tail
FLOOR = 0.02  # log ratio: two folders with the same code may differ by as much for ever (layout, page cache)
DRAWS = 1_000
LOOKS = 200  # resampled for the detectable effect
STRETCH = 2  # rounds that are resampled together: a disturbance outlasts one
SEED = 7_001

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """What one benchmark gave: one value per round and side, same order; the smaller the better."""

    benchmark: str
    unit: str
    reference: tuple[float, ...]
    twin: tuple[float, ...]
    candidate: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A benchmark's ratio of candidate to reference, held against the noise of the same rounds.

    threshold : ratio above which the benchmark is suspected. detectable : ratio that fails in 9 of 10 runs.
    """

    benchmark: str
    ratio: float
    threshold: float
    detectable: float
    n: int

    @property
    def suspected(self) -> bool:
        """Say whether noise alone would rarely give this ratio."""
        return self.ratio > self.threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a gate says at its end. `again` holds the second, independent look at what was suspected."""

    first: tuple[Judgement, ...]
    again: tuple[Judgement, ...] = ()

    @property
    def failed(self) -> tuple[str, ...]:
        """Name the benchmarks that were suspected twice."""
        return tuple(j.benchmark for j in self.again if j.suspected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How the gate behaves on resamples of recorded runs of equal code.

    passed : share of resamples without a planted slow-down that pass.
    found : benchmark -> share of resamples in which its planted slow-down is named.
    """

    resamples: int
    passed: float
    found: Mapping[str, float]
    planted: Mapping[str, float] = field(default_factory=dict)  # benchmark -> median ratio planted


def judge(rounds: Rounds) -> Judgement:
    """Compare the candidate with both references by medians of log ratios within rounds; the nearer one counts.

    The null distribution is that of the same median over the twin's log ratios to the reference: equal code gives
    the candidate the very same ratios, whatever the shape of the noise. What is detectable is found by resampling
    the whole look, its threshold included; a slow-down in the candidate is taken out before.
    """
    table = logs_of(rounds)
    n = len(table)
    step, threshold = look(table)
    centred = table - np.array([0.0, 0.0, np.median(table[:, 2] - table[:, :2].mean(axis=1))])
    return Judgement(
        benchmark=rounds.benchmark,
        ratio=float(np.exp(step)),
        threshold=float(np.exp(threshold)),
        detectable=float(np.exp(max(detectable(centred), threshold))),
        n=n,
    )


def logs_of(rounds: Rounds) -> Floats:
    """Return a row of logarithms per round: reference, twin, candidate."""
    sides = (rounds.reference, rounds.twin, rounds.candidate)
    n = len(rounds.reference)
    if n < MIN_ROUNDS or {len(side) for side in sides} != {n}:
        raise RaybenchError(f"{rounds.benchmark}: {n} rounds; expected at least {MIN_ROUNDS}, with all three sides")
    return np.log(np.asarray(sides, dtype=np.float64)).T


def look(table: Floats) -> tuple[float, float]:
    """Return the candidate's log ratio to the nearer reference, and the threshold."""
    draws = np.random.default_rng(SEED)
    return float(steps(table[None])[0]), float(thresholds((table[:, 1] - table[:, 0])[None], draws, DRAWS)[0])


def steps(tables: Floats) -> Floats:
    """Return, per table, how far the candidate's median lies above both references."""
    nearer: Floats = np.median(tables[..., 2:] - tables[..., :2], axis=-2).min(axis=-1)
    return nearer


def thresholds(noise: Floats, rng: np.random.Generator, draws: int) -> Floats:
    """Return, per row of noise, the quantile of medians of as many draws from it and its mirror image.

    Widened for few rounds by the t quantile. Source: Hesterberg 2015, expanded percentile.
    """
    n = noise.shape[-1]
    mirrored = np.concatenate([noise, -noise], axis=1)
    picked = np.take_along_axis(mirrored, rng.integers(2 * n, size=(len(noise), draws * n)), axis=1)
    medians = np.median(picked.reshape(len(noise), draws, n), axis=-1)
    factor = np.sqrt(n / (n - 1)) * scipy.stats.t.ppf(1 - ALPHA, n - 1) / scipy.stats.norm.ppf(1 - ALPHA)
    widened: Floats = np.maximum(np.quantile(medians, 1 - ALPHA, axis=-1) * factor, FLOOR)
    return widened


def detectable(table: Floats) -> float:
    """Return the log ratio that a look suspects with the probability POWER, by resampling equal rounds."""
    rng = np.random.default_rng(SEED + 1)
    tables = np.stack([redraw(table, *draw(len(table), rng)) for _ in range(LOOKS)])
    gaps = thresholds(tables[..., 1] - tables[..., 0], rng, LOOKS) - steps(tables)
    return float(np.quantile(gaps, POWER))


# --- calibration by replay ------------------------------------------------------------------------


def replay(runs: Sequence[Sequence[Rounds]], *, resamples: int = 1_000, seed: int = SEED) -> Calibration:
    """Judge resamples of recorded runs of equal code, with and without a planted slow-down of one benchmark.

    A resample is a whole run: all its benchmarks share the rounds that were drawn; what is suspected is looked at
    again on rounds drawn anew. What is planted is twice the detectable effect that the recorded run printed.
    """
    rng = np.random.default_rng(seed)
    tables = [{rounds.benchmark: logs_of(rounds) for rounds in run} for run in runs]
    effects = [{rounds.benchmark: 1 + 2 * (judge(rounds).detectable - 1) for rounds in run} for run in runs]
    hits: dict[str, list[bool]] = {name: [] for run in tables for name in run}
    planted: dict[str, list[float]] = {name: [] for name in hits}
    passed = 0
    for number in range(resamples):
        which = number % len(runs)
        names = list(tables[which])
        passed += not find_failures(tables[which], {}, rng)
        slow = names[int(rng.integers(len(names)))]
        planted[slow].append(effects[which][slow])
        hits[slow].append(slow in find_failures(tables[which], {slow: effects[which][slow]}, rng))
    return Calibration(
        resamples=resamples,
        passed=passed / resamples,
        found={name: sum(found) / len(found) for name, found in hits.items() if found},
        planted={name: float(np.median(factors)) for name, factors in planted.items() if factors},
    )


def find_failures(run: Mapping[str, Floats], slower: Mapping[str, float], rng: np.random.Generator) -> set[str]:
    """Name what both looks at a resampled run suspect; `slower` are the candidate's factors."""
    suspects = set(run)
    for _ in range(2):
        drawn = {n: draw(n, rng) for n in sorted({len(table) for table in run.values()})}
        suspects = {name for name in suspects if is_suspected(run[name], drawn, slower.get(name, 1.0))}
    return suspects


def is_suspected(table: Floats, drawn: Mapping[int, tuple[Ints, Ints]], factor: float) -> bool:
    """Look at a table's redraw rounds, the candidate slower by the factor."""
    slower = np.array([0.0, 0.0, np.log(factor)])
    step, threshold = look(redraw(table, *drawn[len(table)]) + slower)
    return step > threshold


def draw(n: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Draw n rounds with replacement, in stretches as disturbances come, and an order of the sides for each."""
    starts = rng.integers(n, size=-(-n // STRETCH))
    places = (starts[:, None] + np.arange(STRETCH)).ravel()[:n] % n
    return places, rng.permuted(np.tile(np.arange(3), (n, 1)), axis=1)


def redraw(table: Floats, places: Ints, sides: Ints) -> Floats:
    """Pick rounds, with their sides in another order: of equal code each side could have been any other."""
    return np.take_along_axis(table[places], sides, axis=1)
