"""Tasks that wait as long as others computed: real scheduling, leases, transfers and collection, without the computing.

Lengths are given, or read from the raw lines of a run (`recorded`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from raybench.model.clock import pause
from raybench.model.errors import WrongAnswer
from raybench.model.measurement import Details, Progress, Task, TaskResult
from raybench.workloads.answers import demand_close, demand_equal
from raybench.workloads.base import Workload
from raybench.workloads.recorded import read_lengths

CLOCK_STEP_S = 1e-4  # a wait may end this much early by the rounding of the clock
LENGTHS = 11  # stream of the seed from which lengths are drawn
MICROSECOND = 6  # decimals of a length


@dataclass(frozen=True, kw_only=True)
class Replay(Workload):
    """Wait in each task as long as it would compute.

    seconds : a length, or several that are taken in turn. recorded : instead, `workload`, `backend`, `cpus` (and `run`,
        a folder; else the run that is being measured) whose lengths are taken.
    count : number of tasks, drawn from recorded lengths with replacement; 0: each length once, or `per_cpu` tasks.
    inflation : factor on every length. jitter : each length is multiplied by a factor drawn from 1 - jitter to
        1 + jitter: tasks of one length would end together and charge their backend in bursts.
    """

    seconds: float | Sequence[float] = ()
    recorded: Mapping[str, Any] | None = None
    count: int = 0
    per_cpu: int = 0
    inflation: float = 1.0
    jitter: float = 0.0

    def lengths(self, seed: int) -> list[float]:
        """Return the seconds of each task."""
        rng = np.random.default_rng([seed, LENGTHS])
        given = read_lengths(**self.recorded) if self.recorded else self._given
        count = self.count or self.per_cpu or len(given)
        if count == len(given):
            chosen = np.array(given)
        elif self.recorded:
            chosen = rng.choice(given, size=count)
        else:
            chosen = np.resize(given, count)
        spread = rng.uniform(1 - self.jitter, 1 + self.jitter, size=count)
        return [round(float(s), MICROSECOND) for s in chosen * self.inflation * spread]

    @property
    def _given(self) -> list[float]:
        return [float(self.seconds)] if isinstance(self.seconds, int | float) else [float(s) for s in self.seconds]

    def tasks(self, seed: int) -> list[Task]:
        return [Task(index=i, params={"number": i, "seconds": s}) for i, s in enumerate(self.lengths(seed))]

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        pause(task.params["seconds"])
        yield Progress(answer=task.params["number"])

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Demand each task's own number, and by its stamps that it really waited."""
        demand_equal("replay", results, [t.params["number"] for t in tasks])
        demand_waits(tasks, results)

    def warm_up(self, seed: int) -> list[Task]:
        return [Task(index=0, params={"number": 0, "seconds": 0.0})]

    def details(self, tasks: Sequence[Task], results: Sequence[TaskResult]) -> Details:
        return Details(waits_s=tuple(waits(tasks, results)))


@dataclass(frozen=True, kw_only=True)
class ReplaySearch(Workload):
    """A search whose trials wait: each of `count` trials has `steps` steps and reports at `rungs` and at the end.

    seconds : of a whole trial, give or take `jitter`; every step of a trial takes the same time. The loss of a trial
    falls with its steps towards a value of its own, so that which trials deserve to go on is known.
    """

    seconds: float
    count: int
    steps: int
    rungs: Sequence[int]
    jitter: float = 0.0

    def tasks(self, seed: int) -> list[Task]:
        rng = np.random.default_rng([seed, LENGTHS])
        lengths = self.seconds * rng.uniform(1 - self.jitter, 1 + self.jitter, size=self.count)
        return [
            Task(index=i, params={"quality": float(q), "seconds": round(float(s), MICROSECOND)}, steps=self.steps)
            for i, (q, s) in enumerate(zip(rng.permutation(self.count), lengths, strict=True))
        ]

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        done = 0
        for upto in sorted({*self.rungs, self.steps}):
            pause(task.params["seconds"] * (upto - done) / self.steps)
            done = upto
            loss = _loss(task, done, self.steps)
            yield Progress(steps=done, loss=loss, answer=loss)

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Demand each trial's own loss at the steps that it did, and by its stamps that it really waited."""
        wanted = [_loss(task, result.steps, self.steps) for task, result in zip(tasks, results, strict=True)]
        demand_close("replay_search", results, wanted)
        demand_waits(tasks, results)

    def score(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> dict[str, float]:
        return {"loss": min(float(result.answer) for result in results)}

    def warm_up(self, seed: int) -> list[Task]:
        return [Task(index=0, params={"quality": 0.0, "seconds": 0.0}, steps=self.steps)]

    def details(self, tasks: Sequence[Task], results: Sequence[TaskResult]) -> Details:
        return Details(waits_s=tuple(waits(tasks, results)))

    def baseline(self, seed: int) -> Task:
        """Return the trial in the middle of all."""
        return Task(index=0, params={"quality": self.count / 2, "seconds": 0.0}, steps=self.steps)

    def row_errors(self, answer: Any, seed: int) -> npt.NDArray[np.float64]:
        return np.array([float(answer)])


def waits(tasks: Sequence[Task], results: Sequence[TaskResult]) -> Iterator[float]:
    """Yield the seconds that each task was to wait, of a trial that was stopped early the part that it did."""
    for task, result in zip(tasks, results, strict=True):
        share = result.steps / task.steps if task.steps else 1.0
        yield round(task.params["seconds"] * share, MICROSECOND)


def demand_waits(tasks: Sequence[Task], results: Sequence[TaskResult]) -> None:
    """Raise WrongAnswer where a task came back sooner than it was to wait."""
    for result, asked_s in zip(results, waits(tasks, results), strict=True):
        waited_s = result.ended - result.started
        if waited_s < asked_s - CLOCK_STEP_S:
            raise WrongAnswer(f"replay: task {result.index} took {waited_s:.6f} s, asked for {asked_s:g} s")


def _loss(task: Task, steps: int, whole: int) -> float:
    """Return a trial's loss: its own value at its full budget, more before."""
    return float(task.params["quality"] + 1 - steps / whole)
