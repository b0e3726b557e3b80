"""A user's folder with functions, and a machine whose backends' costs are known."""

import shutil
import sys
from pathlib import Path

import pytest

from checkout import ROOT
from raybench.analysis import predictor
from raybench.analysis.predictor import Cost, Errors, Fit, Spread
from raybench.model.serialize import encode
from raybench.system import machine
from raybench.trial import calibrate
from raybench.trial.calibrate import Calibration

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
def certain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let predictions be so good that they are shown."""
    good = Errors(n=9, mean=0.03, worst=0.1, bias=0.0, coverage=0.9)
    fit = Fit(spread=Spread(model=0.03, overhead=0.5, lock=0.1, doubling=0.01), errors={"the cell": good})
    monkeypatch.setattr(predictor, "fitted", lambda: fit)


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
