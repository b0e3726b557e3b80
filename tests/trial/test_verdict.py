"""The verdict in words: what to use, from when on, and the reason that decides against it."""

import math
from dataclasses import replace

import pytest

from raybench.analysis import predictor
from raybench.analysis.predictor import Fit
from raybench.trial.predict import predict
from raybench.trial.verdict import Option, choose, conclude
from trial.conftest import COSTS
from trial.made_looks import made


def option(backend: str, speedup: float, *, start_s: float = 1.0, base_s: float = 8.0, half: float = 0.02) -> Option:
    return Option(
        backend=backend,
        cpus=2,
        seconds=base_s / speedup,
        base_s=base_s,
        low=speedup * (1 - half),
        high=speedup * (1 + half),
        start_s=start_s,
        told=True,
    )


def test_of_two_that_are_equally_fast_the_one_that_starts_sooner_is_used() -> None:
    found = choose([option("ray_tasks", 1.95, start_s=6.0), option("joblib", 1.94)], 200)

    assert found is not None
    assert found.backend == "joblib"


def test_the_first_sentence_says_what_to_use_and_from_when_on_it_pays() -> None:
    look = made(seconds=0.04)
    found = conclude(look, [option("joblib", 2.0), option("ray_tasks", 1.9, start_s=6.0)], COSTS, elsewhere=())

    assert found.use == "joblib"
    assert found.sentences[0] == (
        "Use joblib on 2 cores: 2x faster once its workers are up; it pays from 50 tasks of this size on (start 1 s)."
    )
    assert found.sentences[1] == "Ray would pay from 317 tasks of this size on (start 6 s)."


def test_where_one_pays_it_is_used_even_if_another_would_be_faster_with_more_tasks() -> None:
    options = [option("joblib", 2.4, start_s=7.0), option("joblib_threads", 1.9, start_s=0.1)]

    few, many = conclude(made(seconds=0.04), options, COSTS, elsewhere=()), choose(_more(options), 20_000)

    assert few.use == "joblib_threads"
    assert "Joblib would pay from 300 tasks" in few.sentences[1]
    assert many is not None
    assert many.backend == "joblib"


def _more(options: list[Option]) -> list[Option]:
    return [replace(one, seconds=100 * one.seconds, base_s=100 * one.base_s) for one in options]


def test_a_start_longer_than_what_is_saved_is_no_reason_to_distribute() -> None:
    found = conclude(made(seconds=0.04), [option("ray_tasks", 1.9, start_s=6.0)], COSTS, elsewhere=())

    assert found.use == "sequential"
    assert "pays from 317 tasks" in found.sentences[0]


@pytest.mark.parametrize("speedup", [0.3, 0.94, 1.01, 1.04])
def test_distribute_is_never_said_where_the_baseline_is_as_fast(speedup: float) -> None:
    found = conclude(made(seconds=0.04), [option("joblib", speedup, start_s=0.0)], COSTS, elsewhere=())

    assert found.use == "sequential"
    assert found.sentences[0].startswith("Do not distribute")


def test_nor_where_the_interval_holds_no_gain() -> None:
    found = conclude(made(seconds=0.04), [option("joblib", 1.3, half=0.4)], COSTS, elsewhere=())

    assert found.use == "sequential"
    assert found.sentences[0].startswith(
        "Not decided, so run it sequentially: joblib on 2 cores is measured at 1.3x, between"
    )


def test_too_few_rounds_decide_nothing() -> None:
    once = replace(option("joblib", 1.9), low=0.0, high=math.inf)

    found = conclude(made(seconds=0.04), [once], COSTS, elsewhere=())

    assert "1.9x, from too few rounds; a larger --budget" in found.sentences[0]


@pytest.mark.parametrize(
    ("look", "told"),
    [
        (made(seconds=1e-5), "too short"),
        (made(seconds=0.01, sizes=(10, 10**8)), "results are too large"),
        (made(seconds=0.01, sizes=(10**8, 10)), "items are too large"),
        (made(seconds=0.1, threads_gain=1.9), "library threads already use the cores"),
        (replace(made(seconds=0.1), slowdown=1.9), "two calls at once take 1.9 times as long"),
        (made(seconds=0.1), "nothing was found to be faster"),
    ],
)
def test_the_reason_that_decides_is_named(look, told: str) -> None:
    found = conclude(look, [option("joblib", 0.9)], COSTS, elsewhere=())

    assert told in found.sentences[0]


def test_one_item_and_a_failing_function_need_no_numbers() -> None:
    assert "one item" in conclude(made(seconds=1.0, count=1), (), COSTS, elsewhere=()).sentences[0]
    failed = conclude(replace(made(seconds=1.0), failure="f raises"), (), COSTS, elsewhere=())
    assert failed.sentences == ("Cannot tell: f raises.",)
    assert failed.use == ""


def test_waiting_tasks_say_so() -> None:
    found = conclude(made(seconds=0.04, waiting=0.99), [option("joblib_threads", 2.0)], COSTS, elsewhere=())

    assert "Use threads on 2 cores" in found.sentences[0]
    assert "wait 99 %" in found.sentences[0]


def test_other_machines_are_marked_as_predicted(certain: None) -> None:
    look = made(seconds=0.04)
    there = predict(look, COSTS, ("joblib", "ray_tasks"), (25,))

    found = conclude(look, [option("joblib", 2.0)], COSTS, elsewhere=there)

    assert found.sentences[-1].startswith("On 25 CPUs (PREDICTED, one machine): joblib ")
    assert "efficiency 0.75 is kept down to tasks of" in found.sentences[-1]


def test_predictions_whose_errors_miss_the_limits_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = Fit(spread=predictor.fitted().spread, errors={})
    monkeypatch.setattr(predictor, "fitted", lambda: fit)
    look = made(seconds=0.04)
    there = predict(look, COSTS, ("joblib",), (25,))
    hidden = replace(option("joblib", 2.0), told=False, shown=False)

    assert conclude(look, [option("joblib", 2.0)], COSTS, elsewhere=there).sentences[-1] == (
        "On 25 CPUs: no prediction is certain enough to be shown."
    )
    assert "nothing was measured" in conclude(look, [hidden], COSTS, elsewhere=()).sentences[0]


def test_a_prediction_with_a_wide_interval_is_not_shown(certain: None) -> None:
    sure, wide = (predict(made(seconds=length), COSTS, ("ray_tasks",), (2,))[0] for length in (0.5, 1e-6))

    assert sure.shown
    assert not wide.shown
