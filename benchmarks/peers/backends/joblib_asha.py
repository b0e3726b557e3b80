"""Stopping ASHA over joblib and loky: the workers share the losses of each rung through files in shared memory."""

import fcntl
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import joblib

from raybench.backends.asha import run_trial, rungs_of, survives
from raybench.backends.base import Backend, Resources
from raybench.backends.joblib_loky import Loky, load_bundle
from raybench.backends.worker_side import Brought, prepare_once
from raybench.model.measurement import Task, TaskResult
from raybench.workloads.base import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class RungFiles:
    """The rule of `asha.survives` over one file of losses per rung, held by one process at a time."""

    folder: str
    reduction_factor: float

    def decide(self, rung: int, loss: float) -> bool:
        """Record the loss at this rung and say whether the trial goes on."""
        with open(Path(self.folder) / f"rung-{rung}", "a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            earlier = [float(line) for line in file]
            if not math.isnan(loss):
                file.write(f"{loss!r}\n")
        return survives(earlier, loss, reduction_factor=self.reduction_factor)


def work(path: str, task: Task, rule: RungFiles, rungs: tuple[int, ...]) -> TaskResult:
    """Run one trial in a loky worker."""
    bundle = load_bundle(path)
    return run_trial(bundle.workload, task, prepare_once(bundle), rule.decide, rungs)


class JoblibAsha(Backend):
    """Run each trial as a joblib call of its own; a worse one stops at a rung."""

    def __init__(self, resources: Resources, *, reduction_factor: float = 3) -> None:
        super().__init__(resources)
        self.reduction_factor = reduction_factor
        self._loky = Loky(resources.workers, batch_size=1)
        self._brought = Brought[str](self._loky.write)

    def version(self) -> str:
        return f"joblib {joblib.__version__} loky with an own stopping ASHA"

    def __enter__(self) -> Self:
        self._loky.open(self.start_parts)
        return self

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        path = self._brought(workload, data)
        rungs = rungs_of(workload, tasks, reduction_factor=self.reduction_factor)
        rule = RungFiles(folder=tempfile.mkdtemp(dir=self._loky.folder), reduction_factor=self.reduction_factor)
        return self._loky.map(joblib.delayed(work)(path, task, rule, rungs) for task in tasks)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loky.close(error)
