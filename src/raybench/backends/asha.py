"""The stopping rule of asynchronous successive halving, apart from any library that runs trials."""

from collections.abc import Sequence

import numpy as np

from raybench.errors import BackendFailed
from raybench.model import Task


class StoppingAsha:
    """Decide at each rung whether a trial goes on; a stopped trial is never resumed.

    A trial goes on unless its loss is above the 1/reduction_factor quantile of the losses recorded at that rung
    before it: the first one always goes on, ties go on. Losses are made small.
    Source: the stopping variant of Li et al. 2018 (arXiv:1810.05934) as Ray Tune's AsyncHyperBandScheduler has it.
    """

    def __init__(self, rungs: Sequence[int], *, reduction_factor: float = 3) -> None:
        self.reduction_factor = reduction_factor
        self._losses: dict[int, list[float]] = {rung: [] for rung in rungs}

    def decide(self, rung: int, loss: float) -> bool:
        """Record the loss at this rung and say whether the trial goes on."""
        earlier = self._losses[rung]
        cutoff = np.nanpercentile(earlier, 100 / self.reduction_factor) if earlier else np.inf
        earlier.append(loss)
        return not loss > cutoff

    def goes_on(self, task: Task, steps: int, loss: float | None) -> bool:
        """Decide for a trial that has done so many steps; off the rungs it goes on, at its full budget it ends."""
        at_rung = steps in self._losses and loss is not None
        kept = self.decide(steps, loss) if at_rung and loss is not None else True
        return kept and (task.steps is None or steps < task.steps)


def rungs_of(workload: object, tasks: Sequence[Task], *, reduction_factor: float = 3) -> tuple[int, ...]:
    """Read the workload's rungs up to the largest budget; BackendFailed unless each is the one before times the factor.

    Ray's scheduler can only place its rungs so, and records a late loss where a trial reports elsewhere.
    """
    name = type(workload).__name__
    top = max((task.steps or 0 for task in tasks), default=0)
    rungs = tuple(int(rung) for rung in getattr(workload, "rungs", ()) if rung <= top)
    if not rungs:
        raise BackendFailed(
            f"{name} has no rungs up to its budget of {top} steps; give it `rungs`, a tuple of step counts"
        )
    expected = tuple(round(rungs[0] * reduction_factor**k) for k in range(len(rungs) + 1))
    if rungs != expected[:-1] or expected[-1] <= top:
        raise BackendFailed(
            f"{name}: rungs {rungs} up to {top} steps do not grow by {reduction_factor:g}; expected "
            f"{tuple(rung for rung in expected if rung <= top)}"
        )
    return rungs
