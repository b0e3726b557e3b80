"""README's example of `raybench try`: from an empty folder to a verified study, with the commands that stand there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from checkout import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.compile(r"^```python\n# work\.py\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VERIFY = re.compile(r"^PYTHONPATH=mine raybench (verify .*workloads=\[simulate\].*)$", re.MULTILINE)


def raybench(folder: Path, *words: str, **environment: str) -> str:
    """Run a command as a user does, in a folder; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "raybench", *words],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(300)
def test_the_example_is_saved_and_verified_from_an_empty_folder(calibrated: Any, tmp_path: Path) -> None:
    folder, source = tmp_path / "empty", str(ROOT / "src")
    folder.mkdir()
    (folder / "work.py").write_text(CODE.search(README).group(1), encoding="utf-8")  # type: ignore[union-attr]

    words = ("try", "work.py:simulate", "--inputs", "range(40)", "--backends", "joblib", "--budget", "10s")
    said = raybench(folder, *words, "--save", "mine", PYTHONPATH=source)

    assert "simulate: 40 tasks of" in said
    for line in ("mine/simulate_workload.py: the workload class", "mine/conf/workload/simulate.yaml: its YAML"):
        assert line in said
    (command,) = VERIFY.findall(README)
    raybench(folder, *shlex.split(command), PYTHONPATH=f"{source}{os.pathsep}mine")
    assert 'raybench run --conf mine/conf study=quick "workloads=[simulate]" "backends=[sequential,joblib]"' in said
    assert said.strip().splitlines()[-1] in README
