"""The stopping rule of asynchronous successive halving, apart from any library that runs trials."""

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from raybench.backends.worker_session import TaskRun
from raybench.backends.worker_side import failed_result
from raybench.model.errors import BackendFailed
from raybench.model.measurement import Task, TaskResult
from raybench.workloads.base import Workload


class StoppingAsha:
    """Decide at each rung whether a trial goes on; a stopped trial is never resumed.

    Source: the stopping variant of Li et al. 2018 (arXiv:1810.05934), as Ray Tune's AsyncHyperBandScheduler has it.
    """

    def __init__(self, rungs: Sequence[int], *, reduction_factor: float = 3) -> None:
        self.reduction_factor = reduction_factor
        self._losses: dict[int, list[float]] = {rung: [] for rung in rungs}

    def forget(self, rungs: Sequence[int]) -> None:
        """Begin other tasks, with these rungs."""
        self._losses = {rung: [] for rung in rungs}

    def decide(self, rung: int, loss: float) -> bool:
        """Record the loss at this rung and say whether the trial goes on."""
        earlier = self._losses[rung]
        kept = survives(earlier, loss, reduction_factor=self.reduction_factor)
        if not math.isnan(loss):
            earlier.append(loss)
        return kept


def survives(earlier: Sequence[float], loss: float, *, reduction_factor: float = 3) -> bool:
    """Compare a loss with those recorded at the same rung before it; losses are made small.

    It survives unless it is above their 1/reduction_factor quantile: the first always does, ties do.
    NaN never does, and is to be left out of the losses: the rule of every backend here, Ray Tune's too.
    Written with scores to be made large, as Ray has it, so that ties round alike.
    """
    if math.isnan(loss):
        return False
    cutoff = np.percentile([-of for of in earlier], (1 - 1 / reduction_factor) * 100) if earlier else -np.inf
    return not -loss < cutoff


def run_trial(
    workload: Workload, task: Task, context: Any, decide: Callable[[int, float], bool], rungs: Sequence[int]
) -> TaskResult:
    """Run a task in this process until `decide` stops it at a rung, or to its full budget.

    What it raises is named, or collected where the workload wants that.
    """
    run = TaskRun(task)
    try:
        with closing(run.reports(workload, context)) as reports:
            for last in reports:
                if last.steps in rungs and last.loss is not None and not decide(last.steps, last.loss):
                    break
            return run.result()
    except BaseException as error:  # noqa: BLE001  a task may raise anything, and that is data
        failure = error
    return failed_result(workload, run, failure)


def rungs_of(workload: object, tasks: Sequence[Task], *, reduction_factor: float = 3) -> tuple[int, ...]:
    """Read the workload's rungs up to the largest budget; none where all budgets lie below the first.

    BackendFailed unless each rung is the one before times the factor: Ray's scheduler can only place its rungs so,
    and records a late loss where a trial reports elsewhere.
    """
    name = type(workload).__name__
    if not getattr(workload, "rungs", ()):
        raise BackendFailed(f"{name} has no rungs to stop trials at; give it `rungs`, a tuple of step counts")
    every = tuple(int(rung) for rung in workload.rungs)  # type: ignore[attr-defined]
    top = max((task.steps or 0 for task in tasks), default=0)
    rungs = tuple(rung for rung in every if rung <= top)
    expected = tuple(round(every[0] * reduction_factor**k) for k in range(len(rungs) + 1))
    if rungs != expected[:-1] or (rungs and expected[-1] <= top):
        raise BackendFailed(
            f"{name}: rungs {rungs} up to {top} steps do not grow by {reduction_factor:g}; expected "
            f"{tuple(rung for rung in expected if rung <= top)}"
        )
    return rungs
