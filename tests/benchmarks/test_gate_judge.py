"""The gate passes equal code, names what is slower, and says what it could not have seen."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from gate.judge import (
    FLOOR,
    Judgement,
    Outcome,
    Rounds,
    draw,
    find_failures,
    judge,
    logs_of,
    look,
    redraw,
    replay,
)
from raybench.model.errors import RaybenchError

Sides = npt.NDArray[np.float64]  # logarithms: three sides by rounds


def rounds(noise: float, *, n: int = 10, slower: float = 1.0, seed: int = 1, name: str = "planning") -> Rounds:
    """Draw log-normal times around one second, with a drift that all sides of a round share."""
    rng = np.random.default_rng(seed)
    drift = 1 + np.linspace(0, 0.3, n)
    sides = [drift * np.exp(rng.normal(0, noise, n)) if noise else drift for _ in range(3)]
    return Rounds(
        benchmark=name,
        unit="s",
        reference=tuple(map(float, sides[0])),
        twin=tuple(map(float, sides[1])),
        candidate=tuple(map(float, sides[2] * slower)),
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
    looks = [look(logs_of(rounds(0.1, seed=seed))) for seed in range(400)]

    assert np.mean([step > threshold for step, threshold in looks]) <= 0.04


def test_the_detectable_effect_is_found_about_as_often_as_promised() -> None:
    """Planted is the median detectable effect of this noise; the promise is 95 % per look."""
    effect = float(np.median([judge(rounds(0.1, seed=seed)).detectable for seed in range(30)]))
    looks = [look(logs_of(rounds(0.1, slower=effect, seed=seed))) for seed in range(1_000, 1_300)]

    assert np.mean([step > threshold for step, threshold in looks]) >= 0.88


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


def heavy_tails(rng: np.random.Generator, n: int) -> Sides:
    """One value in fifteen is half as long again."""
    return rng.normal(0, 0.03, (3, n)) + np.log(1.5) * (rng.random((3, n)) < 1 / 15)


def drift(rng: np.random.Generator, n: int) -> Sides:
    """The machine slows down by 5 % from side to side, and on from round to round."""
    slots = 0.05 * (np.arange(3 * n).reshape(n, 3))
    return rng.permuted(slots, axis=1).T + rng.normal(0, 0.01, (3, n))


def two_modes(rng: np.random.Generator, n: int) -> Sides:
    """Three values in ten take 15 % longer."""
    return rng.normal(0, 0.01, (3, n)) + np.log(1.15) * (rng.random((3, n)) < 0.3)


def neighbour(rng: np.random.Generator, n: int) -> Sides:
    """Another process comes and goes: stretches of five sides or so take 15 % longer."""
    busy = np.cumsum(rng.random(3 * n) < 0.2) % 2
    return rng.permuted(np.log(1.15) * busy.reshape(n, 3), axis=1).T + rng.normal(0, 0.02, (3, n))


NOISES = [heavy_tails, drift, two_modes, neighbour]


def made(sides: Sides, name: str = "planning") -> Rounds:
    reference, twin, candidate = (tuple(map(float, side)) for side in np.exp(sides))
    return Rounds(benchmark=name, unit="s", reference=reference, twin=twin, candidate=candidate)


@pytest.mark.parametrize("noise", NOISES)
def test_no_noise_makes_many_suspects(noise: Callable[[np.random.Generator, int], Sides]) -> None:
    """The nominal share is 2 % of 500 looks; 4 % leaves three standard errors."""
    rng = np.random.default_rng(4)
    looks = [look(logs_of(made(noise(rng, 6)))) for _ in range(500)]

    assert np.mean([step > threshold for step, threshold in looks]) <= 0.04


@pytest.mark.parametrize("noise", NOISES)
def test_replay_of_equal_code_passes_and_finds_what_is_planted(
    noise: Callable[[np.random.Generator, int], Sides],
) -> None:
    """Five runs of six rounds, the least that is allowed; the promises are 98 % and 90 %."""
    rng = np.random.default_rng(5)
    runs = [[made(noise(rng, 6), name) for name in "abc"] for _ in range(5)]

    calibration = replay(runs, resamples=200)

    assert calibration.passed >= 0.98
    assert np.mean(list(calibration.found.values())) >= 0.9


def test_a_resample_keeps_the_benchmarks_of_a_round_together() -> None:
    """One benchmark is the other times two, in whatever order rounds and sides are drawn."""
    rng = np.random.default_rng(6)
    table = logs_of(made(heavy_tails(rng, 6)))
    places, sides = draw(6, rng)

    assert redraw(2 * table, places, sides) == pytest.approx(2 * redraw(table, places, sides))


def test_rounds_are_drawn_in_stretches() -> None:
    places, _ = draw(8, np.random.default_rng(7))

    assert all((places[i] + 1) % 8 == places[i + 1] for i in range(0, 8, 2))


def test_the_same_rounds_give_the_same_judgement() -> None:
    assert judge(rounds(0.1)) == judge(rounds(0.1))


def test_a_planted_slow_down_of_a_tenth_of_the_noise_is_not_claimed() -> None:
    rng = np.random.default_rng(3)
    table = logs_of(rounds(0.2))

    found = [find_failures({"planning": table}, {"planning": 1.02}, rng) for _ in range(50)]

    assert sum(map(bool, found)) <= 2
