"""Ray Tune that logs its trials: Ray's own MLflowLoggerCallback, which writes from the driver at every report."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import mlflow
from ray.air.integrations.mlflow import MLflowLoggerCallback

from peers.backends.mlflow_store import EXPERIMENT, open_store
from raybench.backends.base import Resources
from raybench.backends.ray_tune import RayTune
from raybench.model.clock import now
from raybench.model.measurement import Task, TaskResult
from raybench.workloads.base import Workload


class TrialLogger(MLflowLoggerCallback):
    """Ray's callback, which knows of a trial only its place in the task list, and here also what was drawn for it."""

    def __init__(self, uri: str, tasks: Sequence[Task]) -> None:
        super().__init__(tracking_uri=uri, experiment_name=EXPERIMENT)
        self._drawn = [dict(task.params) for task in tasks]

    def log_trial_start(self, trial: Any) -> None:
        super().log_trial_start(trial)
        self.mlflow_util.log_params(self._drawn[trial.config["index"]], run_id=self._trial_runs[trial])


class RayTuneMlflow(RayTune):
    """`ray_tune_*`, with a run in MLflow for every trial. scheduler : `fifo` or `asha`."""

    def __init__(self, resources: Resources, *, scheduler: str = "fifo") -> None:
        super().__init__(resources, scheduler=scheduler)
        self._trials = 0

    def version(self) -> str:
        return f"{super().version()} mlflow {mlflow.__version__}"

    def __enter__(self) -> Self:
        began = now()
        self._store = open_store()
        self.start_parts["tracking store"] = now() - began
        return super().__enter__()

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        results = super().run(workload, tasks, data)
        self._trials += len(results)
        return results

    def _callbacks(self, tasks: Sequence[Task]) -> list[Any]:
        return [TrialLogger(self._store.uri, tasks)]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._store.close(trials=0 if error else self._trials)
