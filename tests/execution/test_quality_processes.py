"""The processes of the quality pass: a fault is one line, and no wait is without an end."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from raybench.execution.quality_processes import take
from raybench.execution.sandbox import Home
from raybench.model.plan import Spec

BROKEN = Spec(name="broken", target="toys.workloads.Missing")


@pytest.fixture
def home() -> Iterator[Home]:
    with Home() as opened:
        yield opened


def test_a_quality_pass_that_fails_says_why(home: Home) -> None:
    taken = take(BROKEN, home, pairs=2, seed=1, timeout_s=30.0)
    assert taken.lines == ()
    assert taken.fault.startswith("quality pass of broken: 0 of 2 pairs came: a process ended with exit code 1")
    assert "Missing" in taken.fault
    assert not os.listdir(home.scratch)


def test_a_quality_pass_that_hangs_ends_at_the_time_out_of_a_pair(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import time; time.sleep(3600)")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    taken = take(BROKEN, home, pairs=1, seed=1, timeout_s=1.0)
    assert "no pair within 1 s; raise limits.cell_timeout_s" in taken.fault
