"""A user's folder with functions, and a machine whose backends' costs are known."""

import shutil
import sys
from pathlib import Path

import pytest

from checkout import ROOT
from raybench.model.serialize import encode
from raybench.system import machine
from raybench.trial import calibrate
from raybench.trial.calibrate import Calibration, Cost

COSTS = Calibration(
    machine="made",
    costs=(
        Cost(backend="joblib_threads", workers=2, start_s=0.1, task_s=5e-5, byte_s=0.0),
        Cost(backend="joblib", workers=2, start_s=1.0, task_s=1e-4, byte_s=1e-9),
        Cost(backend="ray_tasks", workers=2, start_s=5.0, task_s=1e-3, byte_s=1e-9),
        Cost(backend="ray_batched", workers=2, start_s=5.0, task_s=1e-4, byte_s=1e-9),
    ),
    failed={},
)


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which the user stands; `work.py` lies there, and is no package."""
    shutil.copy(ROOT / "tests" / "trial" / "made_functions.py", tmp_path / "work.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "work", raising=False)
    return tmp_path


@pytest.fixture
def calibrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calibration:
    """Put a calibration of this machine into a cache of the test's own."""
    monkeypatch.setenv("RAYBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(machine, "usable_cpus", lambda: 2)
    path = calibrate.cache_file()
    path.parent.mkdir(parents=True)
    path.write_bytes(encode(COSTS))
    return COSTS
