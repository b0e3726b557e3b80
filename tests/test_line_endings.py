"""Hashes of sources, locks and raw data are those of the repository, whatever line endings a user's git prefers."""

import subprocess
from pathlib import Path

import pytest

from checkout import ROOT


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout: nothing to clone")
def test_a_clone_with_windows_line_endings_has_the_same_bytes(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "-c", "core.autocrlf=true", str(ROOT), str(clone)], check=True)

    told = subprocess.run(["git", "ls-files", "--eol"], cwd=clone, capture_output=True, text=True, check=True).stdout
    endings = {line.split("\t")[1]: line.split()[1] for line in told.splitlines()}
    assert {".ci/run", "pyproject.toml", "requirements/run.lock"} <= endings.keys()
    assert [path for path, ending in endings.items() if ending not in ("w/lf", "w/none", "w/-text")] == []
