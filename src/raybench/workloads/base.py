"""The contract of a workload: a set of independent tasks with a known right answer."""

import hashlib
import os
import pickle
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from raybench.model.measurement import Details, Progress, Task, TaskResult

BLOCK = "RAYBENCH_BLOCK"  # the measurement's block, in the driver's environment


class Workload(ABC):
    """A set of independent tasks. The constructor takes the YAML's `params`; instances are small and pickle.

    An instance holds parameters only: no data, no results, no random state.
    `tasks` and `data` depend on nothing but the parameters and the seed.
    """

    @abstractmethod
    def tasks(self, seed: int) -> list[Task]:
        """Draw the task list; equal for every backend. Indices are 0, 1, 2 ..."""

    def data(self, seed: int) -> Any:
        """Load, in the driver, what every worker needs. Test labels stay out of it."""

    def prepare(self, data: Any) -> Any:
        """Turn the data into what `run` wants; called once per worker process. The data's arrays are read-only."""
        return data

    @abstractmethod
    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        """Work on one task, yielding at each rung and at the end; the last one carries the answer.

        A task without steps yields once. Closing the iterator early ends the task.
        Native threads: exactly `threads()`. What to do stands in `task.params` and `task.steps`;
        the index is a label (warm-up tasks are numbered anew).
        """

    @abstractmethod
    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Raise WrongAnswer unless the answers are the independently known right ones.

        `results` has one entry per task, in the order of `tasks`. Tasks stopped early have an answer too
        if they yielded one; a workload with steps judges what the steps done allow.
        """

    def score(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> dict[str, float]:
        """Score the results (rmse, r2, accuracy ...) in the driver, untimed. Without a score: {}."""
        return {}

    def warm_up(self, seed: int) -> list[Task]:
        """List tiny tasks that make a worker import, prepare and touch everything; need not be of the task set."""
        first = self.tasks(seed)[0]
        return [first]

    def sweep(self, seed: int) -> list[tuple[int, list[Task]]]:
        """List the steps (work per task, tasks) of a granularity sweep, run in one warm process; [] for no sweep."""
        return []

    def services(self) -> AbstractContextManager[None]:
        """Run what must stand beside the tasks (a loopback server), from before `data` to after `check`."""
        return nullcontext()

    def details(self, tasks: Sequence[Task], results: Sequence[TaskResult]) -> Details:
        """Return what the analysis looks for by type: planted failures, GPUs, bytes used."""
        return Details()

    def facts(self, tasks: Sequence[Task], results: Sequence[TaskResult]) -> dict[str, Any]:
        """Add facts to the raw line by names of your own (JSON values), e.g. rows per task."""
        return {}

    def baseline(self, seed: int) -> Task | None:
        """Return the named model that tuning is compared with, as a task; None where nothing is tuned."""
        return None

    def row_errors(self, answer: Any, seed: int) -> npt.NDArray[np.float64]:
        """Return squared error (or 0/1 loss) of each untouched test row; only with `baseline`."""
        raise NotImplementedError


def drawn(seed: int, count: int) -> int:
    """Draw which one of `count` results a check computes again, from the seed and the measurement's block.

    So a backend that does the work of the cheapest task only is found out.
    """
    return int(np.random.default_rng([seed, int(os.environ.get(BLOCK, "0"))]).integers(count))


def threads() -> int:
    """Native threads that a task may use here: the runner exports one value for all backends."""
    return max(1, int(os.environ.get("OMP_NUM_THREADS", "1")))


def granted_device() -> str:
    """Say where a task that takes what its cell grants computes: `cuda`, or `cpu` where it has no GPU.

    By the variable with which the runner hides all GPUs from a cell without one, and Ray gives each worker its own.
    """
    return "cuda" if os.environ.get("CUDA_VISIBLE_DEVICES", "all") else "cpu"


def spawn_seeds(seed: int, count: int, *, stream: int = 0) -> list[np.random.SeedSequence]:
    """Return one independent seed per task index; never keyed by worker or by completion order.

    stream : tells apart uses of one seed (0 tasks, 1 split ...). Source: numpy, "Parallel random number generation".
    """
    return np.random.SeedSequence([seed, stream]).spawn(count)


def answer_hash(answer: Any) -> str:
    """Hash an answer: floats by bit pattern, arrays by dtype, shape and bytes, mappings by key."""
    sha = hashlib.sha256()
    _feed(sha, answer)
    return sha.hexdigest()[:16]


def _feed(sha: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):
        sha.update(f"{value.dtype}{value.shape}".encode())
        sha.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, dict):
        for key in sorted(value):
            sha.update(str(key).encode())
            _feed(sha, value[key])
    elif isinstance(value, (list, tuple)):
        for item in value:
            _feed(sha, item)
    elif isinstance(value, (bool, int, float, str, type(None), np.generic)):
        sha.update(repr(value.item() if isinstance(value, np.generic) else value).encode())
    else:
        sha.update(pickle.dumps(value))
