"""What tracking costs per trial, from made runs with round numbers; and what stands there without a number."""

from dataclasses import replace

import numpy as np
import pytest

from made_study import POOL, cell, noisy, planned, series, stamps
from peers.tracking_cost import STORE, costs
from raybench.analysis.dataset import Dataset
from raybench.model.plan import Plan, Requires, Role, Skip

PLAIN = cell(POOL, 2)
SPEC = replace(POOL, name="pool_mlflow", variant_of=POOL.name, role=Role.PEER, requires=Requires(packages=("mlflow",)))
TRACKED = cell(SPEC, 2)
FOUR = stamps([(1, 0.0, 1.0), (1, 1.0, 2.0), (2, 0.0, 1.0), (2, 1.0, 2.0)])
NO_MLFLOW = "package mlflow is not installed; pip install 'raybench[mlflow]'"


def test_the_cost_of_a_trial_is_what_the_search_takes_longer_by():
    lines = series(PLAIN, [2.0, 2.2, 1.8] * 2, tasks=FOUR)
    lines += series(TRACKED, [3.0, 3.3, 2.7] * 2, tasks=FOUR, phases={"start_parts": {STORE: 0.5}, "start_up": 4.0})

    (found,) = costs(Dataset(planned([PLAIN, TRACKED], blocks=6), lines))

    plain = float(np.exp(np.log([2.0, 2.2, 1.8]).mean()))
    assert (found.cell, found.trials, found.why) == (TRACKED, 4, "")
    assert found.ratio.point == pytest.approx(1.5)
    assert found.plain.point == pytest.approx(plain)
    assert found.per_trial.point == pytest.approx(0.5 * plain / 4)
    assert found.store.point == 0.5


def test_the_cost_has_an_interval_that_may_lie_on_both_sides_of_nothing():
    lines = series(PLAIN, noisy(2.0, 6, seed=1), tasks=FOUR) + series(TRACKED, noisy(2.0, 6, seed=2), tasks=FOUR)

    (found,) = costs(Dataset(planned([PLAIN, TRACKED], blocks=6), lines))

    assert found.per_trial.low < 0 < found.per_trial.high
    assert found.per_trial.n == 6


def test_a_backend_that_needs_no_tracker_is_no_tracked_variant():
    other = cell(replace(SPEC, requires=Requires()), 2)

    assert costs(Dataset(planned([PLAIN, other], blocks=1), series(PLAIN, [1.0]) + series(other, [2.0]))) == []


@pytest.mark.parametrize(
    ("plan", "lines", "why"),
    [
        (planned([PLAIN], skipped=[Skip(cell=TRACKED, reason=NO_MLFLOW)]), series(PLAIN, [1.0]), NO_MLFLOW),
        (planned([TRACKED], blocks=1), series(TRACKED, [1.0]), "pool is not in the study"),
        (planned([PLAIN, TRACKED], blocks=1), series(TRACKED, [1.0], tasks=FOUR), "1 x not measured"),
    ],
)
def test_without_a_number_it_says_why(plan: Plan, lines: list, why: str):
    (found,) = costs(Dataset(plan, lines))

    assert (found.per_trial, found.why) == (None, why)
