"""Ray Tune: one fit for all tasks. Tuned by default; each setting can be ablated."""

import logging
import math
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from types import MappingProxyType, TracebackType
from typing import Any, Self

import ray
from ray import tune
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from raybench.backends import ray_session
from raybench.backends.asha import rungs_of
from raybench.backends.base import Backend, Resources, in_order
from raybench.backends.clocks import on_driver_clock
from raybench.backends.ray_tune_trial import Coming, TrialTasks, by_reference, with_its_tasks
from raybench.backends.tune_logs import keep_logs
from raybench.backends.worker_side import Bundle, shared_memory
from raybench.model.clock import now
from raybench.model.errors import BackendFailed
from raybench.model.measurement import Details, FitStages, Task, TaskResult, WorkerId
from raybench.workloads.base import Workload

CHOICES = MappingProxyType(
    {
        "trainable": ("class", "function"),
        "data": ("reference", "captured"),
        "storage": ("memory", "disk"),
        "concurrency": ("bounded", "unbounded"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneSettings:
    """What a variant chooses of Tune. The defaults are those of `ray_tune_*`; its flags stand in the YAML.

    trainable : `class`, which reports at rungs only and keeps its context, or `function`.
    reuse_actors : an actor takes the next trial when its own has ended.
    data : `reference`, put once into the object store, or `captured` by the trainable.
    storage : where results and the experiment's state lie, `memory` or `disk`.
    concurrency : `bounded`, as many trials at once as there are slots, or `unbounded`.
    gate : the actors of a class begin together; without effect where they are not reused.
    fail_fast : the first trial that fails ends the fit.
    """

    trainable: str = "class"
    reuse_actors: bool = True
    data: str = "reference"
    storage: str = "memory"
    concurrency: str = "bounded"
    gate: bool = True
    fail_fast: bool = True

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise BackendFailed(f"ray_tune has no {name} {getattr(self, name)!r}; choose {' or '.join(choices)}")


class RayTune(Backend):
    """Run the tasks as one `Tuner.fit()`.

    scheduler : `fifo` runs every trial in full; `asha` stops the worse ones at the workload's rungs.
    settings : fields of `TuneSettings`.
    """

    def __init__(
        self, resources: Resources, *, scheduler: str = "fifo", reduction_factor: float = 3, **settings: Any
    ) -> None:
        super().__init__(resources)
        if scheduler not in ("fifo", "asha"):
            raise BackendFailed(f"ray_tune has no scheduler {scheduler!r}; choose fifo or asha")
        self.stops_early = scheduler == "asha"
        self.reduction_factor = reduction_factor
        self.settings = TuneSettings(**settings)
        self._folder = Path()

    def version(self) -> str:
        return f"{ray_session.version()} tune"

    def __enter__(self) -> Self:
        ray_session.begin(self.resources, self.start_parts)
        in_memory = self.settings.storage == "memory" and not self.resources.cluster.is_joined  # this machine's memory
        place = shared_memory() if in_memory else None
        self._folder = Path(tempfile.mkdtemp(prefix="raybench-tune-", dir=place))
        logging.getLogger("ray.tune.analysis.experiment_analysis").setLevel(
            logging.ERROR
        )  # it misses the loggers' files
        return self

    def warm(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        """Return no results: each fit starts actors of its own, so there is nothing that could be kept warm.

        They get new processes even where idle workers of the same runtime environment have run tasks and loaded
        Ray Tune (tried with 2.60). What they cost stands in the fit's stages (`details.fit`).
        """
        return []

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        if not tasks:
            return []
        began = now()
        tuner = self._tuner(workload, tasks, data)
        entered = now()
        grid = tuner.fit()
        left = now()
        results = outcomes(grid, tasks)
        ended = now()
        placed = on_driver_clock(results, self.clocks, began=began, ended=ended)
        self.details = Details()
        if placed is not None:
            fit = stages(placed, began=began, ended=ended)
            # an actor's own stamps, of how it came up, are not brought onto the driver's clock
            parts = start_parts(placed, grid, began=began, entered=entered) if self.clocks is None else {}
            self.details = Details(fit=replace(fit, start_parts=parts, collect_s=now() - left))
        return results

    def _tuner(self, workload: Workload, tasks: Sequence[Task], data: Any) -> tune.Tuner:
        settings = self.settings
        at_once = min(len(tasks), ray_session.slots(self.resources, workload))
        one_host = len(ray.nodes()) == 1 and not self.resources.cluster.is_joined  # the actors meet in a folder
        gated = settings.gate and settings.reuse_actors and one_host
        whole = TrialTasks(
            bundle=Bundle(workload=workload, data=data),
            tasks=tuple(tasks),
            every_rung=self.stops_early,
            gate=tempfile.mkdtemp(dir=self._folder) if gated else "",
            actors=at_once,
        )
        build = by_reference if settings.data == "reference" else with_its_tasks
        asked = {"cpu": self.resources.cpus_per_task, "gpu": ray_session.gpus_per_task(self.resources, workload)}
        return tune.Tuner(
            tune.with_resources(build(settings.trainable, whole), asked),
            param_space={"index": tune.grid_search(list(range(len(tasks))))},
            tune_config=tune.TuneConfig(
                metric="loss" if self.stops_early else None,
                mode="min" if self.stops_early else None,
                scheduler=scheduler(workload, tasks, adaptive=self.stops_early, reduction_factor=self.reduction_factor),
                reuse_actors=settings.reuse_actors,
                max_concurrent_trials=at_once if settings.concurrency == "bounded" else None,
            ),
            run_config=tune.RunConfig(
                verbose=0,  # else it prints to the wrong stream
                storage_path=str(self._folder),
                name=whole.bundle.token,
                failure_config=tune.FailureConfig(fail_fast=settings.fail_fast),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                callbacks=self._callbacks(tasks),
            ),
        )

    def _callbacks(self, tasks: Sequence[Task]) -> list[Any]:
        """Return what listens to the trials in the driver, beside the loggers that Tune brings itself."""
        return []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ray_session.end()
        keep_logs(self._folder)
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
    return RungScheduler(
        rungs=rungs,
        time_attr="steps",
        grace_period=rungs[0],
        reduction_factor=reduction_factor,
        # above every budget: trials end by themselves, and Ray's rounding cannot lose the top rung
        max_t=max(task.steps or 0 for task in tasks) + 1,
    )


class RungScheduler(AsyncHyperBandScheduler):
    """Ray's ASHA, which also stops a trial whose loss at a rung is NaN: Ray's own lets it go on (tried with 2.60)."""

    def __init__(self, *, rungs: Sequence[int], **options: Any) -> None:
        super().__init__(**options)
        self._losing = frozenset(rungs)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if self._is_nan(result) and result["steps"] in self._losing:
            return str(TrialScheduler.STOP)
        return str(super().on_trial_result(tune_controller, trial, result))

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        if self._is_nan(result):
            self.on_trial_remove(tune_controller, trial)  # else the NaN would be counted among the rung's losses
        else:
            super().on_trial_complete(tune_controller, trial, result)

    @staticmethod
    def _is_nan(result: dict[str, Any]) -> bool:
        return result.get("loss") is not None and math.isnan(result["loss"])


def outcomes(grid: Any, tasks: Sequence[Task]) -> list[TaskResult]:
    """Take each trial's last report, exactly one per task; a trial that failed fails them all."""
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


def stages(results: Sequence[TaskResult], *, began: float, ended: float) -> FitStages:
    """Split one fit: seconds to the first trial, to each worker's first, between trials of a worker, after the last."""
    spans: dict[WorkerId, list[TaskResult]] = {}
    for result in sorted(results, key=lambda r: r.started):
        spans.setdefault(result.worker, []).append(result)
    gaps = [after.started - before.ended for of in spans.values() for before, after in pairwise(of)]
    return FitStages(
        to_first_trial_s=min(r.started for r in results) - began,
        workers_first_start_s=tuple(of[0].started - began for of in spans.values()),
        trials_per_worker=tuple(len(of) for of in spans.values()),
        gaps_s=tuple(sorted(gaps)),
        tail_s=ended - max(r.ended for r in results),
        whole_s=ended - began,
    )


def start_parts(results: Sequence[TaskResult], grid: Any, *, began: float, entered: float) -> dict[str, float]:
    """Name the parts of the seconds until an actor's first trial, in order, each a mean over actors.

    They add up to the mean of `workers_first_start_s`. {} where a trainable does not say how its process came up.

    process : placement, Ray's agents, the start of the process (to 10 ms); 0 where the kernel does not say when.
    interpreter : Python, `import ray`, the way to the raylet and the trainable's code.
    imports : the trial's modules: Ray Tune, of which most is pandas.
    setup : until Tune calls us with the tasks, for which the workload's libraries are loaded.
    """
    coming = {r.metrics["outcome"].worker: r.metrics["coming"] for r in grid if "coming" in (r.metrics or {})}
    firsts: dict[WorkerId, float] = {}
    for result in sorted(results, key=lambda r: r.started):
        firsts.setdefault(result.worker, result.started)
    if firsts.keys() != coming.keys():
        return {}
    spans = [_named_parts(coming[worker], entered=entered, started=at) for worker, at in firsts.items()]
    return {"tuner": entered - began} | {name: fmean(of[name] for of in spans) for name in spans[0]}


def _named_parts(coming: Coming, *, entered: float, started: float) -> dict[str, float]:
    process = coming.process if coming.process is not None else entered
    return {
        "process": process - entered,
        "interpreter": coming.loading - process,
        "imports": coming.loaded - coming.loading,
        "setup": coming.setup - coming.loaded,
        "wait for the other actors": coming.ready - coming.setup,
        "first step": started - coming.ready,
    }
