"""Embedded Ray heads: on loopback only, in private folders below any TMPDIR, and never waited for without an end."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from checkout import TOYS
from raybench.config import settings
from raybench.execution import ray_head_process
from raybench.execution.environment import environment
from raybench.execution.ray_head_process import Head
from raybench.execution.run_folder import plan_study
from raybench.execution.sandbox import Home
from raybench.execution.take import take
from raybench.model.errors import BackendFailed
from raybench.model.plan import Job, Status

TOKEN = "7" * 64
REQUEST = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 100 * 2**20}


@pytest.fixture
def home() -> Iterator[Home]:
    with Home() as opened:
        yield opened


def job(backend: str, *overrides: str) -> Job:
    words = ["study=smoke", "workloads=[toy_hostile]", f"backends=[{backend}]", "cpus=[1]"]
    return plan_study(settings.load([*words, *overrides], conf=[TOYS])).jobs[0]


def shared(home: Home, chosen: Job, **more: str) -> Head:
    env = environment(chosen.cell.backend, threads=1, job=chosen)
    env |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN} | more
    return Head(REQUEST, home=home, name="h", env=env, affinity=chosen.affinity)


@pytest.mark.ray
def test_a_shared_head_listens_on_loopback_only_in_a_private_folder_and_its_tasks_run_in_a_scratch_folder(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "quirk.txt").write_text("x")
    chosen = job("ray_tasks", "workload.toy_hostile.how=reads_a_file")
    monkeypatch.chdir(tmp_path)
    with shared(home, chosen) as head:
        found = take(chosen, home, name="1", head=head, token=TOKEN)[0]
        pids = {*head.sandbox.meter.processes(), *(p.pid for p in psutil.Process().children(recursive=True))}
        listening = {c.laddr.ip for c in psutil.net_connections("inet") if c.status == "LISTEN" and c.pid in pids}
        memory = head.sandbox.memory
        assert memory.parent.stat().st_mode & 0o777 == 0o700  # Ray opens its own folder to everybody
        assert list(memory.glob("session_*"))
    assert listening, "a head listens somewhere"
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}
    assert found.status is Status.FAILED
    assert "quirk.txt" in found.reason
    assert not memory.exists()


@pytest.mark.ray
def test_a_head_of_its_own_starts_below_a_long_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unix sockets have 107 bytes of path; Ray's own names take more than 60 of them."""
    long = tmp_path / ("a" * 60)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with Home() as home:
        found = take(job("ray_tasks_cold"), home, name="1", token=TOKEN)[0]
    assert found.status is Status.OK, found.reason
    assert list(long.iterdir()) == []


def test_a_head_that_does_not_start_is_given_up(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("import time; time.sleep(3600)")
    monkeypatch.setattr(ray_head_process, "START_LIMIT_S", 1.0)
    with pytest.raises(BackendFailed, match="the Ray head did not start within 1 s"):
        shared(home, job("ray_tasks"), PYTHONPATH=str(tmp_path)).__enter__()


def test_a_head_that_dies_at_its_start_is_named_with_its_last_words(home: Home, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os; os.write(2, b'planted\\n'); os._exit(3)")
    with pytest.raises(BackendFailed, match="did not start: it ended with exit code 3: planted"):
        shared(home, job("ray_tasks"), PYTHONPATH=str(tmp_path)).__enter__()
    assert not os.listdir(home.scratch)
