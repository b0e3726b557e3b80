"""The stopping rule, against values worked out by hand and against Ray's own scheduler."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import task_sets
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from peers.backends.joblib_asha import RungFiles
from raybench.backends.asha import StoppingAsha, run_trial, rungs_of, survives
from raybench.backends.ray_tune import scheduler
from raybench.model.errors import BackendFailed
from raybench.model.measurement import Task


def test_the_first_at_a_rung_goes_on_whatever_its_loss() -> None:
    assert survives([], 1e9)


def test_a_loss_above_the_lower_third_of_those_before_it_stops() -> None:
    # of 4 and 5 the lower third lies at 4 + (5 - 4) / 3 = 4.33; of 4, 5 and 6 at 4 + 2 / 3 = 4.67
    rule = StoppingAsha((1,))
    decisions = [rule.decide(1, loss) for loss in (5.0, 4.0, 6.0, 4.6)]
    assert decisions == [True, True, False, True]


def test_a_tie_goes_on() -> None:
    assert survives([2.0, 2.0, 2.0], 2.0)


def test_each_rung_keeps_its_own_losses() -> None:
    rule = StoppingAsha((1, 3))
    assert rule.decide(1, 1.0)
    assert rule.decide(3, 100.0)
    assert not rule.decide(1, 2.0)


def test_another_task_set_begins_without_losses() -> None:
    rule = StoppingAsha((1,))
    assert rule.decide(1, 1.0)
    rule.forget((2,))
    assert rule.decide(2, 100.0)


def test_with_a_factor_of_two_the_median_decides() -> None:
    # the median of 1, 2, 3, 10 is 2.5
    assert survives([1.0, 2.0, 3.0, 10.0], 2.5, reduction_factor=2)
    assert not survives([1.0, 2.0, 3.0, 10.0], 2.51, reduction_factor=2)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_rule_decides_as_ray_does(factor: int) -> None:
    rungs = tuple(5 * factor**k for k in range(3))
    ours = StoppingAsha(rungs, reduction_factor=factor)
    rays = AsyncHyperBandScheduler(
        time_attr="steps",
        metric="loss",
        mode="min",
        grace_period=rungs[0],
        max_t=rungs[-1] * factor,
        reduction_factor=factor,
    )
    draw = np.random.default_rng(7)
    for number in range(60):
        trial = SimpleNamespace(trial_id=str(number))
        rays.on_trial_add(None, trial)
        for rung in rungs:
            loss = float(draw.integers(0, 20))  # of few values, so that there are ties
            theirs = rays.on_trial_result(None, trial, {"steps": rung, "loss": loss}) == TrialScheduler.CONTINUE
            assert ours.decide(rung, loss) is theirs
            if not theirs:
                break


def test_rays_rungs_are_the_workloads() -> None:
    workload = task_sets.Steps()
    built = scheduler(workload, workload.tasks(0), adaptive=True, reduction_factor=3)
    assert sorted(milestone for milestone, _ in built._brackets[0]._rungs) == [1, 3, 9]


def test_the_rule_in_files_decides_as_the_rule_in_memory(tmp_path: Path) -> None:
    memory, files = StoppingAsha((1, 3)), RungFiles(folder=str(tmp_path), reduction_factor=3)
    draw = np.random.default_rng(3)
    for _ in range(40):
        rung, loss = int(draw.choice([1, 3])), float(draw.normal())
        assert files.decide(rung, loss) is memory.decide(rung, loss)


def test_rungs_that_do_not_grow_by_the_factor_are_refused() -> None:
    workload = task_sets.Steps()
    workload.rungs = (1, 4, 9)  # type: ignore[assignment]
    with pytest.raises(BackendFailed, match=r"rungs \(1, 4, 9\) up to 9 steps do not grow by 3; expected \(1, 3, 9\)"):
        rungs_of(workload, workload.tasks(0))


def test_a_missing_rung_below_the_largest_budget_is_refused() -> None:
    workload = task_sets.Steps()
    workload.rungs = (1, 3)  # type: ignore[assignment]
    with pytest.raises(BackendFailed, match=r"expected \(1, 3, 9\)"):
        rungs_of(workload, workload.tasks(0))


def test_a_workload_without_rungs_is_refused() -> None:
    with pytest.raises(BackendFailed, match="Squares has no rungs"):
        rungs_of(task_sets.Squares(), [])


def test_budgets_below_the_first_rung_leave_none() -> None:
    workload = task_sets.Steps()
    workload.rungs = (20, 60)  # type: ignore[assignment]
    assert rungs_of(workload, [Task(index=0, params={}, steps=2)]) == ()


def test_a_stopped_trial_keeps_its_points_and_has_no_answer() -> None:
    workload = task_sets.Steps()
    task = workload.tasks(0)[0]
    context = workload.prepare(workload.data(0))
    stopped = run_trial(workload, task, context, lambda rung, _: rung < 3, workload.rungs)
    whole = run_trial(workload, task, context, lambda *_: True, workload.rungs)
    assert [(p.steps, p.loss) for p in stopped.points] == [(1, 1.0), (3, 1 / 3)]
    assert stopped.steps == 3
    assert stopped.answer is None
    assert whole.steps == 9
    assert whole.answer.tolist() == [1 / 9] * 3
