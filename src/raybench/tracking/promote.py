"""`raybench promote`: the best configuration of a workload, fitted, registered, and champion if it is better."""

import argparse
import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from raybench.model.errors import BadSettings
from raybench.tracking import model_file, texts
from raybench.tracking.candidates import VALIDATION, Candidate, choose
from raybench.tracking.check import record_promoted
from raybench.tracking.log import Log
from raybench.tracking.model_file import Refused
from raybench.tracking.recorded import Recorded, read
from raybench.tracking.service import connect, explained
from raybench.tracking.track import experiment_of
from raybench.tracking.tree import commit_of

CANDIDATE, DATA = "raybench.candidate", "raybench.rows"
ABSENT = "RESOURCE_DOES_NOT_EXIST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The version that holds the alias.

    error : on the candidate's validation rows; None where it was not loaded, and `refused` says why.
    same_rows : it was fitted on the same division of the same table; else it may know some of these rows.
    """

    version: str
    error: float | None = None
    refused: str = ""
    same_rows: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """What came of it. before : the champion until now, None where there was none; is_new : registered just now."""

    candidate: Candidate
    version: str
    is_new: bool
    alias: str
    before: Champion | None
    is_champion: bool

    @property
    def uri(self) -> str:
        """Return the model's URI by its alias."""
        return f"models:/{self.candidate.workload.name}@{self.alias}"


def command(arguments: argparse.Namespace, choose_run: Callable[[argparse.Namespace], Path], say: texts.Say) -> int:
    """Do the verb; return the exit code: 1 where the model does not become champion."""
    if len(arguments.overrides) != 1:
        raise BadSettings(f"{len(arguments.overrides)} workloads given; expected one: raybench promote WORKLOAD")
    (name,) = arguments.overrides
    found = promote(choose_run(arguments), name, arguments.tracking_uri, alias=arguments.alias, force=arguments.force)
    for sentence in texts.promoted(found):
        say(sentence)
    return 0 if found.is_champion else 1


def promote(folder: Path, name: str, uri: str, *, alias: str, force: bool) -> Promoted:
    """Register the best model of a workload and set the alias if it beats the champion on validation rows.

    force : set the alias in any case. The same configuration on the same rows is registered once.
    """
    run = read(folder)
    client = connect(uri)
    candidate = choose(run, name)
    with explained(uri):
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        before = _champion(client, candidate, alias)
        known = _version_of(client, candidate)
        version = str(known.version) if known else _register(client, run, candidate)
        is_champion = force or before is None or before.version == version or _beats(candidate, before)
        if is_champion:
            client.set_registered_model_alias(name, alias, version)
            record_promoted(folder, run, candidate, client, alias)
    return Promoted(
        candidate=candidate,
        version=version,
        is_new=known is None,
        alias=alias,
        before=before,
        is_champion=is_champion,
    )


def _beats(candidate: Candidate, before: Champion) -> bool:
    return before.error is not None and candidate.validation < before.error


def _champion(client: MlflowClient, candidate: Candidate, alias: str) -> Champion | None:
    """Judge the present champion on the candidate's validation rows."""
    name = candidate.workload.name
    try:
        version = client.get_registered_model(name).aliases.get(alias)
    except MlflowException as error:
        if error.error_code == ABSENT:
            return None
        raise
    if version is None:
        return None
    found = client.get_model_version(name, version)
    same_rows = found.tags.get(DATA) == candidate.rows.data
    try:
        with model_file.opened(found) as model:
            predicted = model.predict(candidate.rows.x[VALIDATION])
    except Refused as error:
        return Champion(version=str(version), refused=str(error), same_rows=same_rows)
    error_now = candidate.rows.error.of(candidate.rows.y[VALIDATION], predicted)
    return Champion(version=str(version), error=error_now, same_rows=same_rows)


def _version_of(client: MlflowClient, candidate: Candidate) -> ModelVersion | None:
    found = client.search_model_versions(f"name = '{candidate.workload.name}'")
    return next((one for one in found if one.tags.get(CANDIDATE) == candidate.key), None)


def _register(client: MlflowClient, run: Recorded, candidate: Candidate) -> str:
    """Log the model in a run of its own, below the study's run where that is tracked; return its version."""
    name, error = candidate.workload.name, candidate.rows.error
    log = Log(client, experiment_of(run), run.key)
    parent = log.known.get(run.key)
    tags = {
        "raybench.run_key": run.key,
        "raybench.commit": commit_of(run),
        DATA: candidate.rows.data,
        CANDIDATE: candidate.key,
        "raybench.task": str(candidate.task.index),
        f"raybench.validation_{error}": repr(candidate.validation),
        f"raybench.test_{error}": repr(candidate.test),
    }
    of_run = tags | ({MLFLOW_PARENT_RUN_ID: parent.info.run_id} if parent else {})
    created = client.create_run(log.experiment_id, tags=of_run, run_name=f"promote {name}")
    with mlflow.start_run(run_id=created.info.run_id):
        mlflow.log_params({"workload": name, **candidate.task.params})
        mlflow.log_metrics({f"{error}_validation": candidate.validation, f"{error}_test": candidate.test})
        info = model_file.write(candidate)
        with contextlib.redirect_stderr(io.StringIO()):  # it tells what our own sentence says
            version = mlflow.register_model(info.model_uri, name, tags=tags)
    return str(version.version)
