"""Whether MLflow is there, and how it is to behave; to be called before anything imports it."""

import importlib.util
import os

from raybench.model.errors import RaybenchError

NEVER = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}  # it asks a server of its maker's otherwise
# Wishes that the user's own environment may overrule: a server that is not there is told in seconds, not in minutes.
UNLESS_GIVEN = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


def prepare() -> None:
    """Set MLflow's environment for this process; RaybenchError with the install command where it is missing."""
    if importlib.util.find_spec("mlflow") is None:
        raise RaybenchError("MLflow is not installed; pip install 'raybench[mlflow]'")
    os.environ.update(NEVER)
    for name, value in UNLESS_GIVEN.items():
        os.environ.setdefault(name, value)
