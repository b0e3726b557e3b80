"""`raybench view --start`: MLflow's server and Ray's dashboard answer, on loopback only, and leave nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from raybench.store.tracking_file import record_counts
from report import made_run
from tracking.started import LOOPBACK, viewed

LOG_ONE = """
import mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("raybench-made")
with mlflow.start_run(run_name="a run"):
    mlflow.log_metric("loss", 0.5)
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = made_run.write(tmp_path / "reports")
    record_counts(folder, (), checked="20261201T000000Z", tracker="mlflow")
    return folder


@pytest.mark.mlflow
@pytest.mark.timeout(600)
def test_mlflow_s_server_shows_the_store_on_loopback_only(run: Path, tmp_path: Path) -> None:
    env = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    subprocess.run([sys.executable, "-c", LOG_ONE], cwd=tmp_path, env=env, check=True, capture_output=True)

    with viewed("mlflow", run, folder=tmp_path) as started:
        assert started.get("/health") == "OK"
        found = started.get("/api/2.0/mlflow/experiments/get-by-name?experiment_name=raybench-made")
        assert found["experiment"]["name"] == "raybench-made"
        assert started.listens_on() <= LOOPBACK
        assert started.end() == 0


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ray_s_dashboard_shows_a_head_on_loopback_only(run: Path, tmp_path: Path) -> None:
    with viewed("ray", run, folder=tmp_path) as started:
        assert "Ray Dashboard" in started.get("/")
        assert started.listens_on() <= LOOPBACK
        assert started.end() == 0
