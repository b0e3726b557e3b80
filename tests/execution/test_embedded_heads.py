"""Embedded Ray heads: on loopback only, in private folders below any TMPDIR, and gone with their process."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from checkout import TOYS
from raybench.config import settings
from raybench.execution.member import Member
from raybench.execution.run_folder import plan_study
from raybench.execution.sandbox import Home
from raybench.execution.series import Order
from raybench.model.plan import Job, Status
from raybench.system import process_tree

TOKEN = "7" * 64


@pytest.fixture
def home() -> Iterator[Home]:
    with Home() as opened:
        yield opened


def job(*overrides: str) -> Job:
    words = ["study=smoke", "workloads=[toy_hostile]", "backends=[ray_tasks]", "cpus=[1]"]
    return plan_study(settings.load([*words, *overrides], conf=[TOYS])).jobs[0]


@pytest.mark.ray
def test_a_head_listens_on_loopback_only_in_a_private_folder(home: Home) -> None:
    with Member(job(), home, name="h", token=TOKEN) as member:
        assert member.alive
        pids = {process.pid for process in process_tree.tree(f"{home.tag}h:")}
        listening = {c.laddr.ip for c in psutil.net_connections("inet") if c.status == "LISTEN" and c.pid in pids}
        memory = home.memory / "h"
        assert memory.parent.stat().st_mode & 0o777 == 0o700  # Ray opens its own folder to everybody
        assert list(memory.rglob("session_*"))
        member.end()
    assert listening, "a head listens somewhere"
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}
    assert not memory.exists()
    assert not process_tree.list_tagged(home.tag)


@pytest.mark.ray
def test_tasks_on_ray_run_in_a_scratch_folder(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "quirk.txt").write_text("x")
    monkeypatch.chdir(tmp_path)
    with Member(job("workload.toy_hostile.how=reads_a_file"), home, name="h", token=TOKEN) as member:
        found = member.end().measurement
    assert found.status is Status.FAILED
    assert "quirk.txt" in found.reason


@pytest.mark.ray
def test_a_head_starts_below_a_long_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unix sockets have 107 bytes of path; Ray's own names take more than 60 of them."""
    long = tmp_path / ("a" * 60)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with Home() as home, Member(job(), home, name="1", token=TOKEN) as member:
        member.sample(Order(round=0, place=0))
        found = member.end().measurement
    assert found.status is Status.OK, found.reason
    assert list(long.iterdir()) == []


def test_a_process_that_never_starts_is_given_up(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("import time; time.sleep(3600)")
    monkeypatch.syspath_prepend(str(tmp_path))
    with Member(job("limits.cell_timeout_s=1"), home, name="1", token=TOKEN) as member:
        assert not member.alive
        found = member.end().measurement
    assert found.status is Status.TIMED_OUT


def test_a_process_that_dies_at_its_start_is_named_with_its_last_words(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os; os.write(2, b'planted\\n'); os._exit(3)")
    monkeypatch.syspath_prepend(str(tmp_path))
    with Member(job(), home, name="1", token=TOKEN) as member:
        found = member.end().measurement
    assert found.reason == "the process ended with exit code 3 and no result: planted"
