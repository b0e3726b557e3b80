"""Ray Tune, tuned: actors kept for the next trial, reports at the rungs only, no loggers, storage in memory."""

import logging
import os
import shutil
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import ray
from ray import tune
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from raybench.backends import ray_session
from raybench.backends.asha import rungs_of
from raybench.backends.base import Backend, Resources, finished, in_order
from raybench.backends.bundle import Bundle, failed, prepared, shared_memory
from raybench.clock import now, pause
from raybench.errors import BackendFailed
from raybench.model import Point, Progress, Task, TaskResult, WorkerSeen
from raybench.workloads.base import Workload

GATE_S = 5.0  # actors of one fit were up within 0.2 s of each other on two quiet cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Bag:
    """What a trial actor is given once, through the object store."""

    bundle: Bundle
    tasks: tuple[Task, ...]
    every_rung: bool  # report at each rung, else only at the end of a trial
    gate: str = ""  # folder in which the actors wait for each other; '' where they share none
    actors: int = 1


class Trial(tune.Trainable):
    """One task as a trial: a step pulls the workload's generator to its next rung.

    The actor lives through many trials; data are prepared with its first one. Each report carries the result so
    far, so that a trial stopped early leaves its points.
    """

    _progress: Generator[Progress, None, None]
    _began: float | None
    _seen: WorkerSeen | None

    def setup(self, config: dict[str, Any], bag: Bag) -> None:
        self._bag = bag
        self._begin(config)
        if bag.gate:
            wait_for_others(Path(bag.gate), bag.actors)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._progress.close()
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        began = self._began if self._began is not None else now()
        self._began = began
        try:
            outcome = self._pull(began)
        except Exception as error:  # noqa: BLE001  a task may raise anything; `failed` raises unless that is data
            outcome = failed(self._workload, self._task, error, started=began)
        self._seen = self._seen or outcome.seen
        outcome = replace(outcome, seen=self._seen)
        whole = self._task.steps is None or outcome.steps >= self._task.steps or bool(outcome.error)
        return {"steps": outcome.steps, "loss": outcome.loss, "outcome": outcome, "done": whole}

    def cleanup(self) -> None:
        self._progress.close()

    def _begin(self, config: dict[str, Any]) -> None:
        self._task = self._bag.tasks[config["index"]]
        self._workload = self._bag.bundle.workload
        self._progress = self._run()
        self._points: list[Point] = []
        self._began = None
        self._seen = None

    def _run(self) -> Generator[Progress, None, None]:
        yield from self._workload.run(self._task, prepared(self._bag.bundle))

    def _pull(self, began: float) -> TaskResult:
        for progress in self._progress:
            self._points.append(Point(steps=progress.steps, loss=progress.loss, at=now()))
            if self._bag.every_rung:
                break
        else:
            if not self._points or self._bag.every_rung:
                raise BackendFailed(f"task {self._task.index} ended before its full budget of {self._task.steps} steps")
        return finished(self._task, progress, self._points, started=began)


def wait_for_others(gate: Path, actors: int) -> None:
    """Hold this actor until all have started, at most GATE_S.

    Else the first one up runs all of a short bag alone, while the fit waits for the others' start all the same.
    """
    (gate / f"up-{os.getpid()}").touch()
    until = now() + GATE_S
    while len(list(gate.glob("up-*"))) < actors and now() < until:
        pause(0.005)


class RayTune(Backend):
    """Run the bag as one `Tuner.fit()`.

    scheduler : `fifo` runs every trial in full; `asha` stops the worse ones at the workload's rungs.
    """

    def __init__(self, resources: Resources, *, scheduler: str = "fifo", reduction_factor: float = 3) -> None:
        super().__init__(resources)
        if scheduler not in ("fifo", "asha"):
            raise BackendFailed(f"ray_tune has no scheduler {scheduler!r}; choose fifo or asha")
        self.adaptive = scheduler == "asha"
        self.reduction_factor = reduction_factor
        self._folder = Path()

    def version(self) -> str:
        return f"{ray_session.version()} tune"

    def __enter__(self) -> Self:
        ray_session.begin(self.resources, self.start_parts)
        self._folder = Path(tempfile.mkdtemp(prefix="raybench-tune-", dir=shared_memory()))
        logging.getLogger("ray.tune.analysis.experiment_analysis").setLevel(
            logging.ERROR
        )  # it misses the loggers' files
        return self

    def warm(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        """Give no results: each fit starts actors of its own, so there is nothing that could be kept warm.

        What they cost stands in the fit's stages (`notes`).
        """
        return []

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        if not tasks:
            return []
        began = now()
        at_once = min(len(tasks), ray_session.slots(self.resources, workload))
        bag = Bag(
            bundle=Bundle(workload=workload, data=data),
            tasks=tuple(tasks),
            every_rung=self.adaptive,
            gate=tempfile.mkdtemp(dir=self._folder) if len(ray.nodes()) == 1 else "",
            actors=at_once,
        )
        asked = {"cpu": self.resources.cpus_per_task, "gpu": ray_session.gpus_per_task(self.resources, workload)}
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(Trial, bag=bag), asked),
            param_space={"index": tune.grid_search(list(range(len(tasks))))},
            tune_config=tune.TuneConfig(
                metric="loss" if self.adaptive else None,
                mode="min" if self.adaptive else None,
                scheduler=scheduler(workload, tasks, adaptive=self.adaptive, reduction_factor=self.reduction_factor),
                reuse_actors=True,
                max_concurrent_trials=at_once,
            ),
            run_config=tune.RunConfig(
                verbose=0,
                storage_path=str(self._folder),
                name=bag.bundle.token,
                failure_config=tune.FailureConfig(fail_fast=True),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        results = outcomes(tuner.fit(), tasks)
        self.notes["fit"] = stages(results, began=began, ended=now())
        return results

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ray_session.end()
        shutil.rmtree(self._folder, ignore_errors=True)


def scheduler(
    workload: Workload, tasks: Sequence[Task], *, adaptive: bool, reduction_factor: float
) -> TrialScheduler | Any:
    """Build the scheduler; ASHA's rungs are the workload's, or BackendFailed."""
    if not adaptive:
        return FIFOScheduler()
    rungs = rungs_of(workload, tasks, reduction_factor=reduction_factor)
    if not rungs:
        return FIFOScheduler()
    return AsyncHyperBandScheduler(
        time_attr="steps",
        grace_period=rungs[0],
        reduction_factor=reduction_factor,
        # above every budget: trials end by themselves, and Ray's rounding cannot lose the top rung
        max_t=max(task.steps or 0 for task in tasks) + 1,
    )


def outcomes(grid: Any, tasks: Sequence[Task]) -> list[TaskResult]:
    """Take each trial's last report, exactly one per task; a trial that failed fails the bag."""
    if grid.errors:
        lines = [line for line in str(grid.errors[0]).splitlines() if line.strip()]
        raise BackendFailed(f"{len(grid.errors)} trials failed, the first: {lines[-1] if lines else grid.errors[0]!r}")
    found = {}
    for position, result in enumerate(grid):
        outcome = (result.metrics or {}).get("outcome")
        if outcome is None:
            raise BackendFailed(f"trial {position} of {len(tasks)} ended without a report")
        found[outcome.index] = outcome
    return in_order(tasks, found)


def stages(results: Sequence[TaskResult], *, began: float, ended: float) -> dict[str, Any]:
    """Split one fit: seconds to the first trial, to each worker's first, between trials of a worker, after the last."""
    spans: dict[int, list[TaskResult]] = {}
    for result in sorted(results, key=lambda r: r.started):
        spans.setdefault(result.pid, []).append(result)
    gaps = [after.started - before.ended for of in spans.values() for before, after in pairwise(of)]
    return {
        "to_first_trial_s": min(r.started for r in results) - began,
        "workers_first_start_s": [of[0].started - began for of in spans.values()],
        "trials_per_worker": [len(of) for of in spans.values()],
        "gaps_s": sorted(gaps),
        "tail_s": ended - max(r.ended for r in results),
        "whole_s": ended - began,
    }
