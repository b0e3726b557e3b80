"""Tasks of which some fail at their first try, by plan: by an exception, by hanging, or with their whole worker."""

import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from raybench.model.clock import pause
from raybench.model.errors import BackendFailed, BadSettings, WrongAnswer
from raybench.model.measurement import Details, PlantedFailures, Progress, Task, TaskResult
from raybench.workloads.answers import demand_equal
from raybench.workloads.base import Workload, spawn_seeds
from raybench.workloads.ranges import sum_of_squares
from raybench.workloads.services import scratch

FOLDER = "RAYBENCH_FLAKY_DIR"
FAILURES = ("exception", "kill", "hang")


class PlantedFailure(RuntimeError):
    """The exception that a task raises by plan; its text names the task."""


@dataclass(frozen=True, kw_only=True)
class Flaky(Workload):
    """Do the work of `square`, failing as planned: a planted task first does its work, then fails; its next try works.

    exceptions, kills, hangs : share of the tasks that fail so. A hang lasts `hang_s`, longer than any time-out.
    retries : how often a backend may start a failed task again; it reads this attribute.
    collect_errors : a task that still fails comes back as a result: answer None, and an error that says
        `task N`; the backend reads this attribute too. False: all tasks fail with it.
    Tries are counted in a folder of this measurement, so all workers must see the driver's file system.
    """

    count: int
    work: int
    exceptions: float = 0.0
    kills: float = 0.0
    hangs: float = 0.0
    hang_s: float = 600.0
    retries: int = 0
    collect_errors: bool = False

    def __post_init__(self) -> None:
        shares = (self.exceptions, self.kills, self.hangs)
        if min(shares) < 0 or sum(shares) > 1:
            raise BadSettings(f"flaky: shares of failures {shares} must be at least 0 and add up to at most 1")

    def tasks(self, seed: int) -> list[Task]:
        """Plant the failures at random places among the tasks, at least one of each kind whose share is not 0."""
        shares = dict(zip(FAILURES, (self.exceptions, self.kills, self.hangs), strict=True))
        kinds = [kind for kind, share in shares.items() if share for _ in range(max(1, round(share * self.count)))]
        kinds = [*kinds, *[""] * self.count][: self.count]
        order = np.random.default_rng(spawn_seeds(seed, 1)[0]).permutation(self.count)
        return [Task(index=i, params=self._params(i, kinds[place])) for i, place in enumerate(order)]

    def services(self) -> AbstractContextManager[None]:
        return scratch(FOLDER)

    def data(self, seed: int) -> str:
        """Return the folder, made by `services`, in which tries are counted."""
        if FOLDER not in os.environ:
            raise BackendFailed(f"flaky: {FOLDER} is not set; call data() within services(), which makes the folder")
        return os.environ[FOLDER]

    def run(self, task: Task, context: str) -> Iterator[Progress]:
        number, work = task.params["number"], task.params["work"]
        answer = sum(k * k for k in range(number * work, (number + 1) * work))
        if _count_try(context, number) == 1:
            self._fail(number, task.params["fails"])
        yield Progress(answer=answer)

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Demand that exactly the planted tasks failed, each as its own result, or that all were made good."""
        right, expected = [], []
        for task, result in zip(tasks, results, strict=True):
            lost = bool(task.params["fails"]) and not self.retries
            if lost and (result.answer is not None or f"task {task.index}" not in result.error):
                raise WrongAnswer(f"flaky: the planted failure of task {task.index} came back as {result.error!r}")
            if not lost and result.error:
                raise WrongAnswer(f"flaky: task {task.index} came back with the error {result.error!r}, expected none")
            if not lost:
                number, work = task.params["number"], task.params["work"]
                right.append(result)
                expected.append(sum_of_squares(number * work, (number + 1) * work))
        demand_equal("flaky", right, expected)
        tries = _tries(self.data(seed))
        idle = [t.index for t in tasks if t.params["fails"] and self.retries and tries[t.params["number"]] < 2]
        if idle:
            raise WrongAnswer(f"flaky: task {idle[0]} was to fail at its first try and was never tried again")

    def warm_up(self, seed: int) -> list[Task]:
        return [Task(index=0, params={**self._params(0, ""), "number": self.count, "work": 1})]

    def details(self, tasks: Sequence[Task], results: Sequence[TaskResult]) -> Details:
        """Count what was planted, what came back as an error, and every try (the warm-up's left out)."""
        tries = _tries(os.environ[FOLDER]) if FOLDER in os.environ else Counter[int]()
        failures = PlantedFailures(
            planted=dict(Counter(t.params["fails"] for t in tasks if t.params["fails"])),
            errors=sum(bool(r.error) for r in results),
            tries=sum(tries[t.params["number"]] for t in tasks),
        )
        return Details(failures=failures)

    def _params(self, number: int, fails: str) -> dict[str, Any]:
        return {"number": number, "work": self.work, "fails": fails}

    def _fail(self, number: int, how: str) -> None:
        if how == "exception":
            raise PlantedFailure(f"planted failure of task {number}")
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "hang":
            pause(self.hang_s)


def _count_try(folder: str, number: int) -> int:
    """Add one to the task's tries and give their number; an append is atomic, and survives the worker."""
    handle = os.open(Path(folder) / str(number), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    try:
        os.write(handle, b".")
        return os.fstat(handle).st_size
    finally:
        os.close(handle)


def _tries(folder: str) -> Counter[int]:
    return Counter({int(file.name): file.stat().st_size for file in Path(folder).iterdir()})
