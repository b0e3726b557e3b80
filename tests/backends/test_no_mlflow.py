"""MLflow where it is installed: imported by the tracked variants, in no other process that is timed."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from checkout import PEERS, TOYS
from raybench.config import settings
from raybench.execution.verify import verify_all
from raybench.execution.verify_backend import Verified
from raybench.model.plan import Spec, Status

pytestmark = [pytest.mark.mlflow, pytest.mark.timeout(300)]

WORDS = ("study=everything", "workloads=[toy_imports]")
BACKENDS = settings.load([*WORDS], conf=[PEERS, TOYS]).study.backends
TRACKED = {name for name, spec in BACKENDS.items() if "mlflow" in spec.requires.packages}
# imports one module after the other and names those with which mlflow came
LOOK = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    if "mlflow" in sys.modules:
        sys.exit(name)
"""


def module(spec: Spec) -> str:
    return spec.target.replace(":", ".").rpartition(".")[0]


def can_run(spec: Spec) -> bool:
    return all(importlib.util.find_spec(package) for package in spec.requires.packages)


def loads_mlflow(modules: list[str]) -> str:
    """Import these modules in a process of their own and return the first that brings MLflow, or ''."""
    done = subprocess.run([sys.executable, "-c", LOOK, *modules], capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def test_the_tracked_variants_are_those_of_a_search_and_of_plain_tasks() -> None:
    assert sorted(TRACKED) == ["ray_tasks_mlflow", "ray_tune_asha_mlflow"]


def test_no_module_of_an_untracked_backend_brings_mlflow() -> None:
    mine = sorted({module(spec) for name, spec in BACKENDS.items() if name not in TRACKED and can_run(spec)})

    assert loads_mlflow(["raybench.execution.worker", "raybench.execution.quality_worker", *mine]) == ""


@pytest.mark.parametrize("name", sorted(TRACKED))
def test_the_module_of_a_tracked_variant_does(name: str) -> None:
    assert loads_mlflow([module(BACKENDS[name])]) == module(BACKENDS[name])


def verified(folder: Path, *backends: str) -> list[Verified]:
    asked = settings.load([*WORDS, f"backends=[{','.join(backends)}]", f"reports={folder}"], conf=[PEERS, TOYS])
    return list(verify_all(asked))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.ray
def test_neither_driver_nor_worker_of_an_untracked_backend_imports_mlflow(tmp_path: Path) -> None:
    names = [name for name, spec in BACKENDS.items() if name not in TRACKED and "_without_" not in name]

    found = verified(tmp_path, *names)

    assert sum(one.status is Status.OK for one in found) >= 12
    assert [one for one in found if one.status not in (Status.OK, Status.SKIPPED)] == []


@pytest.mark.ray
def test_the_look_finds_mlflow_where_it_is(tmp_path: Path) -> None:
    tasks, search = sorted(verified(tmp_path, *TRACKED), key=lambda one: one.backend)

    assert "mlflow is imported in 2 workers and the driver" in tasks.reason
    assert search.reason.endswith("mlflow is imported in the driver")
