"""Where the tracked variants log their trials: a local MLflow store, one SQLite file on disk, a run per trial."""

import math
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mlflow

from raybench.model.errors import BackendFailed
from raybench.model.measurement import Task, TaskResult

EXPERIMENT = "trials"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStore:
    """A store that this measurement alone writes to. folder : what it lies in; experiment : MLflow's id."""

    folder: str
    experiment: str

    @property
    def uri(self) -> str:
        """Return the store's address."""
        return _uri(self.folder)

    def log(self, task: Task, result: TaskResult) -> None:
        """Log one finished trial as MLflow's tutorials do: its parameters, its loss at each report, its seconds."""
        mlflow.set_tracking_uri(self.uri)
        with mlflow.start_run(experiment_id=self.experiment, run_name=f"trial {task.index}"):
            mlflow.log_params(dict(task.params))
            for point in result.points:
                if point.loss is not None and math.isfinite(point.loss):
                    mlflow.log_metric("loss", point.loss, step=point.steps)
            mlflow.log_metric("seconds", result.ended - result.started)

    def close(self, *, trials: int) -> None:
        """Remove the store; BackendFailed unless it held a finished run for each of so many trials."""
        mlflow.set_tracking_uri(self.uri)
        runs = mlflow.search_runs([self.experiment], "attributes.status = 'FINISHED'", output_format="list")
        shutil.rmtree(self.folder, ignore_errors=True)
        if len(runs) < trials:
            raise BackendFailed(
                f"MLflow's store holds {len(runs)} finished runs, expected {trials}: one for each trial"
            )


def open_store() -> TrialStore:
    """Create a store on disk, its tables and its experiment included."""
    folder = tempfile.mkdtemp(prefix="raybench-mlflow-")
    mlflow.set_tracking_uri(_uri(folder))
    place = (Path(folder) / "artifacts").as_uri()
    return TrialStore(folder=folder, experiment=mlflow.create_experiment(EXPERIMENT, artifact_location=place))


def _uri(folder: str) -> str:
    return f"sqlite:///{folder}/mlflow.db"
