"""A model as MLflow stores it: written in formats that hold no code, and read only where nothing foreign would run.

Loading a model is running code: MLflow imports the module that the model's `MLmodel` file names, puts the model's own
`code` folder on the path, and unpickles it unless it is in the format of skops or of XGBoost. skops, in turn, builds
every type that the same file calls trusted. So that file is looked at first.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import skops.io
import xgboost as xgb
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import Model, infer_signature
from mlflow.models.model import ModelInfo

from raybench.model.errors import BadSettings, RaybenchError
from raybench.tracking.candidates import TRAIN, Candidate

# What skops does not trust by itself and a model of ours holds: trees and boosters, filled with numbers, not with code.
TRUSTED = frozenset(
    {
        "sklearn.tree._tree.Tree",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRegressor",
    }
)
LOADERS = ("mlflow.sklearn", "mlflow.xgboost")
BOOSTER, BOOSTER_FORMATS = "xgboost.core.Booster", ("ubj", "json")
EXAMPLE_ROWS = 3
PACKAGES = ("mlflow", "numpy", "pandas", "scikit-learn", "scipy", "skops", "xgboost")  # what a served model needs


def write(candidate: Candidate) -> ModelInfo:
    """Log the model in the active run, with signature and input example; BadSettings where only pickle holds it."""
    example = candidate.rows.x[TRAIN].head(EXAMPLE_ROWS)
    common: dict[str, Any] = {
        "name": candidate.workload.name,
        "signature": infer_signature(example, candidate.predicted(example)),
        "input_example": example,
        "pip_requirements": [f"{name}=={version(name)}" for name in PACKAGES],
    }
    if isinstance(candidate.model, xgb.Booster):
        return mlflow.xgboost.log_model(candidate.model, model_format="ubj", **common)
    needed = set(skops.io.get_untrusted_types(data=skops.io.dumps(candidate.model)))
    if needed - TRUSTED:
        names = ", ".join(sorted(needed - TRUSTED))
        raise BadSettings(f"{candidate.workload.name}: its model holds {names}, which only pickle could store")
    return mlflow.sklearn.log_model(
        candidate.model, serialization_format="skops", skops_trusted_types=sorted(needed), **common
    )


class Refused(RaybenchError):
    """Loading the model would run code that is not of raybench, scikit-learn or XGBoost."""


@contextmanager
def opened(found: ModelVersion) -> Iterator[mlflow.pyfunc.PyFuncModel]:
    """Yield a registered model; Refused where loading it would run foreign code."""
    with tempfile.TemporaryDirectory() as folder:
        path = mlflow.artifacts.download_artifacts(f"models:/{found.name}/{found.version}", dst_path=folder)
        if fault := _fault(Model.load(str(Path(path) / "MLmodel"))):
            raise Refused(f"{found.name} version {found.version}: {fault}")
        yield mlflow.pyfunc.load_model(path, suppress_warnings=True)


def _fault(model: Model) -> str:
    """Say what foreign code loading the model would run, or ''."""
    python = model.flavors.get("python_function", {})
    loader = python.get("loader_module", "nothing")
    if loader not in LOADERS:
        return f"loading it runs {loader}"
    if any(flavor.get("code") for flavor in model.flavors.values()):
        return "loading it runs code that it brings along"
    if loader == "mlflow.xgboost":
        flavor = model.flavors.get("xgboost", {})
        known = flavor.get("model_class") == BOOSTER and flavor.get("model_format") in BOOSTER_FORMATS
        return "" if known else f"loading it builds a {flavor.get('model_class')}"
    flavor = model.flavors.get("sklearn", {})
    if flavor.get("serialization_format") != "skops":
        return f"loading it unpickles a file ({flavor.get('serialization_format', 'pickle')})"
    foreign = set(flavor.get("skops_trusted_types") or ()) - TRUSTED
    return f"loading it builds {', '.join(sorted(foreign))}" if foreign else ""
