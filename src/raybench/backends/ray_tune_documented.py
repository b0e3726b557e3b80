"""Ray Tune as its tutorials show it: a function that captures its data, a new actor per trial, default loggers."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from ray import tune

from raybench.backends import ray_session
from raybench.backends.base import Backend, Resources, finished
from raybench.backends.ray_tune import outcomes, scheduler, stages
from raybench.clock import now
from raybench.errors import BackendFailed
from raybench.model import Point, Task, TaskResult
from raybench.workloads.base import Workload


class RayTuneDocumented(Backend):
    """Run the bag as one `Tuner.fit()` with Tune's defaults; ASHA's rungs are the workload's.

    scheduler : `fifo` or `asha`.
    """

    def __init__(self, resources: Resources, *, scheduler: str = "fifo", reduction_factor: float = 3) -> None:
        super().__init__(resources)
        if scheduler not in ("fifo", "asha"):
            raise BackendFailed(f"ray_tune_documented has no scheduler {scheduler!r}; choose fifo or asha")
        self.adaptive = scheduler == "asha"
        self.reduction_factor = reduction_factor
        self._folder = ""

    def version(self) -> str:
        return f"{ray_session.version()} tune"

    def __enter__(self) -> Self:
        ray_session.begin(self.resources, self.start_parts)
        self._folder = tempfile.mkdtemp(prefix="raybench-tune-")  # on disk, as the default ~/ray_results is
        return self

    def warm(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        """Give no results: each trial starts an actor of its own."""
        return []

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        if not tasks:
            return []
        began = now()
        asked = {"cpu": self.resources.cpus_per_task, "gpu": ray_session.gpus_per_task(self.resources, workload)}
        tuner = tune.Tuner(
            tune.with_resources(objective(workload, tuple(tasks), data), asked),
            param_space={"index": tune.grid_search(list(range(len(tasks))))},
            tune_config=tune.TuneConfig(
                metric="loss" if self.adaptive else None,
                mode="min" if self.adaptive else None,
                scheduler=scheduler(workload, tasks, adaptive=self.adaptive, reduction_factor=self.reduction_factor),
            ),
            run_config=tune.RunConfig(verbose=0, storage_path=self._folder),  # verbose prints to the wrong stream
        )
        results = outcomes(tuner.fit(), tasks)
        self.notes["fit"] = stages(results, began=began, ended=now())
        return results

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ray_session.end()
        shutil.rmtree(self._folder, ignore_errors=True)


def objective(workload: Workload, tasks: tuple[Task, ...], data: Any) -> Callable[[dict[str, Any]], None]:
    """Build the function of one trial; what it captures travels with it."""

    def train(config: dict[str, Any]) -> None:
        started = now()
        task = tasks[config["index"]]
        points: list[Point] = []
        for progress in workload.run(task, workload.prepare(data)):
            points.append(Point(steps=progress.steps, loss=progress.loss, at=now()))
            outcome = finished(task, progress, points, started=started)
            tune.report({"steps": outcome.steps, "loss": outcome.loss, "outcome": outcome})

    return train
