"""The gate passes equal code, names what is slower, and says what it could not have seen."""

import numpy as np
import pytest

from raybench.errors import RaybenchError
from raybench.gate import FLOOR, Calibration, Judgement, Outcome, Rounds, judge, replay, twice_suspected


def rounds(noise: float, *, n: int = 10, slower: float = 1.0, seed: int = 1, name: str = "planning") -> Rounds:
    """Draw log-normal times around one second, with a drift that all arms of a round share."""
    rng = np.random.default_rng(seed)
    drift = 1 + np.linspace(0, 0.3, n)
    arms = [drift * np.exp(rng.normal(0, noise, n)) if noise else drift for _ in range(3)]
    return Rounds(
        benchmark=name,
        unit="s",
        reference=tuple(map(float, arms[0])),
        twin=tuple(map(float, arms[1])),
        candidate=tuple(map(float, arms[2] * slower)),
    )


def test_without_noise_the_ratio_is_exact_and_the_threshold_is_the_floor() -> None:
    judgement = judge(rounds(0, slower=1.1))

    assert judgement.ratio == pytest.approx(1.1)
    assert judgement.threshold == pytest.approx(np.exp(FLOOR))
    assert judgement.suspected


def test_a_slow_down_below_the_floor_is_not_suspected() -> None:
    assert not judge(rounds(0, slower=1.015)).suspected


def test_drift_that_all_arms_share_is_no_noise() -> None:
    """The drift is 30 %; only ratios within a round count."""
    assert judge(rounds(0)).ratio == pytest.approx(1)


def test_more_noise_raises_threshold_and_detectable_effect() -> None:
    quiet, loud = judge(rounds(0.02)), judge(rounds(0.2))

    assert loud.threshold > quiet.threshold
    assert loud.detectable > loud.threshold


def test_a_faster_candidate_is_never_suspected() -> None:
    assert not judge(rounds(0.01, slower=0.5)).suspected


def test_noise_alone_makes_few_suspects() -> None:
    """The nominal share is 2 %, of 400; 4 % leaves nearly three standard errors."""
    suspected = [judge(rounds(0.1, seed=seed)).suspected for seed in range(400)]

    assert np.mean(suspected) <= 0.04


def test_the_detectable_effect_is_found_about_as_often_as_promised() -> None:
    """Planted is the median detectable effect of this noise; the promise is 95 % per look."""
    effect = float(np.median([judge(rounds(0.1, seed=seed)).detectable for seed in range(100)]))
    found = [judge(rounds(0.1, slower=effect, seed=seed)).suspected for seed in range(1_000, 1_300)]

    assert np.mean(found) >= 0.88


def test_fewer_than_six_rounds_are_refused() -> None:
    with pytest.raises(RaybenchError, match="planning: 5 rounds; expected at least 6"):
        judge(rounds(0.1, n=5))


def test_only_what_is_suspected_twice_fails() -> None:
    def judgement(name: str, ratio: float) -> Judgement:
        return Judgement(benchmark=name, ratio=ratio, threshold=1.1, detectable=1.2, n=10)

    outcome = Outcome(
        first=(judgement("a", 1.3), judgement("b", 1.3), judgement("c", 1.0)),
        again=(judgement("a", 1.3), judgement("b", 1.0)),
    )

    assert outcome.failed == ("a",)


def test_replay_of_equal_code_passes_and_finds_what_is_planted() -> None:
    """Five runs of three benchmarks with heavy tails: one value in thirty is half as long again."""
    rng = np.random.default_rng(5)

    def recorded(name: str) -> Rounds:
        arms = np.exp(rng.normal(0, 0.03, (3, 12))) * np.where(rng.random((3, 12)) < 1 / 30, 1.5, 1)
        reference, twin, candidate = (tuple(map(float, arm)) for arm in arms)
        return Rounds(benchmark=name, unit="s", reference=reference, twin=twin, candidate=candidate)

    calibration = replay([[recorded(name) for name in "abc"] for _ in range(5)], resamples=150)

    assert isinstance(calibration, Calibration)
    assert calibration.passed >= 0.97
    assert min(calibration.found.values()) >= 0.9


def test_a_planted_slow_down_of_a_tenth_of_the_noise_is_not_claimed() -> None:
    rng = np.random.default_rng(3)

    found = [twice_suspected(rounds(0.2, slower=1.0), 1.02, rng) for _ in range(50)]

    assert sum(found) <= 2
