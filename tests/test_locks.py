"""The locks: names, versions and hashes of everything that pyproject.toml asks for, and nothing else."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from checkout import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
# These hold all that raybench imports; lint and asv hold their tools alone.
NEED_THE_STUDY = {"run", "peers", "tests", "types", "tracking"}
EXTRAS = {"peers": ("dask", "optuna"), "tests": ("dask", "optuna"), "tracking": ("mlflow", "tensorboard")}
GROUPS = {"tracking": "tests"}  # of a lock whose group has another name
HELD_BACK = {"tracking": {"pyarrow"}}  # MLflow takes no newer one
LINE = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>[\w.+!]+)(?: ; [^\\]+)? \\$|^    --hash=sha256:[0-9a-f]{64}(?: \\)?$"
)


def pinned(lock: Path) -> dict[str, str]:
    """Read name -> version; a package locked twice for different machines keeps its last version."""
    matches = (LINE.match(line) for line in lock.read_text(encoding="utf-8").splitlines())
    return {canonicalize_name(m["name"]): m["version"] for m in matches if m and m["name"]}


def asked(lock: str) -> Iterator[Requirement]:
    if lock in NEED_THE_STUDY:
        yield from (Requirement(text) for text in PROJECT["project"]["dependencies"])
    extras = PROJECT["project"]["optional-dependencies"]
    yield from (Requirement(text) for extra in EXTRAS.get(lock, ()) for text in extras[extra])
    if lock not in ("run", "peers"):
        yield from (Requirement(text) for text in PROJECT["dependency-groups"][GROUPS.get(lock, lock)])


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_a_lock_holds_names_versions_and_hashes_only(lock: Path) -> None:
    strange = [line for line in lock.read_text(encoding="utf-8").splitlines() if not LINE.match(line)]

    assert not strange, f"{lock.name}: {strange[:3]}"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_dependency_is_locked_at_a_version_that_pyproject_allows(lock: Path) -> None:
    versions = pinned(lock)
    for requirement in asked(lock.stem):
        name = canonicalize_name(requirement.name)

        assert name in versions, f"{lock.name} lacks {name}; run `nox -s lock`"
        assert requirement.specifier.contains(versions[name]), (
            f"{lock.name}: {name}=={versions[name]}, not {requirement}"
        )


def test_every_group_and_every_extra_has_its_lock() -> None:
    extras = {extra for of_lock in EXTRAS.values() for extra in of_lock}

    assert {path.stem for path in LOCKS} == {"run", *EXTRAS, *PROJECT["dependency-groups"]}
    assert extras == set(PROJECT["project"]["optional-dependencies"])


@pytest.mark.parametrize("lock", ["peers", "tests", "types", "tracking"])
def test_tools_are_locked_on_top_of_the_versions_that_a_study_uses(lock: str) -> None:
    study, other = pinned(ROOT / "requirements" / "run.lock"), pinned(ROOT / "requirements" / f"{lock}.lock")
    study = {name: version for name, version in study.items() if name not in HELD_BACK.get(lock, ())}

    assert {name: other.get(name) for name in study} == study
