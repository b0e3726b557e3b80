"""Is this tree slower than its reference? Ratios within one run, and a threshold from that run's own noise.

No measuring here: benchmarks/gate.py takes the rounds. A round holds three arms in random order, side by side:
the reference, its twin (the same code again), and the candidate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import scipy.stats

from raybench.errors import RaybenchError

ALPHA = 0.02  # chance that noise alone makes one benchmark suspected; squared, as a suspect is measured again
POWER = 0.95  # chance that one look suspects a slow-down of the detectable effect; two looks make 9 of 10
MIN_ROUNDS = 6  # below, the noise of three arms says nothing about its own tail
FLOOR = 0.02  # log ratio: two folders with the same code may differ by as much for ever (layout, page cache)
DRAWS = 4_000
SEED = 7_001

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """What one benchmark gave: one value per round and arm, same order; the smaller the better."""

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
    """Compare the candidate with its reference by the median of log ratios within rounds.

    The null distribution is that of the same median over the twin's log ratios, signs flipped at random, widened
    for few rounds (t quantile). Three equally noisy arms: var(c - (r + t) / 2) is 3/4 of var(r - t).
    """
    logs = [np.log(np.asarray(arm, dtype=np.float64)) for arm in (rounds.reference, rounds.twin, rounds.candidate)]
    n = len(logs[0])
    if n < MIN_ROUNDS or {len(arm) for arm in logs} != {n}:
        raise RaybenchError(f"{rounds.benchmark}: {n} rounds; expected at least {MIN_ROUNDS}, with all three arms")
    reference, twin, candidate = logs
    null = null_medians((twin - reference) * np.sqrt(0.75))
    spread = [widened(null, level, n) for level in (1 - ALPHA, POWER)]
    threshold = max(spread[0], FLOOR)
    return Judgement(
        benchmark=rounds.benchmark,
        ratio=float(np.exp(np.median(candidate - (reference + twin) / 2))),
        threshold=float(np.exp(threshold)),
        detectable=float(np.exp(threshold + spread[1])),
        n=n,
    )


def null_medians(noise: Floats) -> Floats:
    """Give sorted medians of as many draws from the symmetrised noise as there are rounds."""
    draws = np.random.default_rng(SEED).choice(np.concatenate([noise, -noise]), size=(DRAWS, len(noise)))
    return np.sort(np.median(draws, axis=1))


def widened(null: Floats, level: float, n: int) -> float:
    """Give a quantile of the null medians, widened for n rounds. Source: Hesterberg 2015, expanded percentile."""
    factor = np.sqrt(n / (n - 1)) * scipy.stats.t.ppf(level, n - 1) / scipy.stats.norm.ppf(level)
    return float(np.quantile(null, level) * factor)


# --- calibration by replay ------------------------------------------------------------------------


def replay(runs: Sequence[Sequence[Rounds]], *, resamples: int = 1_000, seed: int = SEED) -> Calibration:
    """Judge resamples of recorded runs of equal code, with and without a planted slow-down of one benchmark.

    Rounds are drawn with replacement from one run, their three arms shuffled; the second look is drawn anew.
    What is planted is twice the detectable effect of the recorded run.
    """
    rng = np.random.default_rng(seed)
    passed = 0
    hits: dict[str, list[bool]] = {rounds.benchmark: [] for run in runs for rounds in run}
    planted: dict[str, list[float]] = {name: [] for name in hits}
    for _ in range(resamples):
        run = runs[int(rng.integers(len(runs)))]
        passed += not any(twice_suspected(rounds, 1.0, rng) for rounds in run)
        slow = run[int(rng.integers(len(run)))]
        factor = 1 + 2 * (judge(slow).detectable - 1)
        planted[slow.benchmark].append(factor)
        hits[slow.benchmark].append(twice_suspected(slow, factor, rng))
    return Calibration(
        resamples=resamples,
        passed=passed / resamples,
        found={name: sum(found) / len(found) for name, found in hits.items() if found},
        planted={name: float(np.median(factors)) for name, factors in planted.items() if factors},
    )


def twice_suspected(rounds: Rounds, factor: float, rng: np.random.Generator) -> bool:
    """Say whether both looks at resampled rounds suspect a candidate made slower by the factor."""
    return all(judge(resampled(rounds, factor, rng)).suspected for _ in range(2))


def resampled(rounds: Rounds, factor: float, rng: np.random.Generator) -> Rounds:
    """Draw rounds with replacement and shuffle the arms of each; the candidate's values grow by the factor."""
    table = np.array([rounds.reference, rounds.twin, rounds.candidate]).T
    drawn = rng.permuted(table[rng.integers(len(table), size=len(table))], axis=1)
    reference, twin, candidate = (tuple(map(float, arm)) for arm in drawn.T)
    slower = tuple(factor * value for value in candidate)
    return Rounds(benchmark=rounds.benchmark, unit=rounds.unit, reference=reference, twin=twin, candidate=slower)
