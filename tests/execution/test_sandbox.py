"""A measurement's private folders: whatever happens in it, nothing is left, and a killed runner's are found."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from raybench.execution import sandbox
from raybench.execution.leftovers import list_folders, remove_leftovers
from raybench.execution.sandbox import OWNER, Home, Sandbox, remove_folder
from raybench.model.errors import RaybenchError
from raybench.system import process_tree

PATHS = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

# A runner that starts a daemon in its sandbox and is then killed.
KILLED = """
import os, signal, subprocess, sys
from raybench.execution.sandbox import Home, Sandbox
with Home() as home, Sandbox(home, "1") as box:
    code = [sys.executable, "-c", "import time; time.sleep(600)"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    child = subprocess.Popen(code, env=os.environ | box.variables, **quiet)
    box.add(child.pid)
    (box.memory / "held").write_bytes(bytes(1000))
    if os.path.isdir("/dev/shm"):
        open(f"/dev/shm/sem.loky-{child.pid}-x", "w").close()
    print(home.memory, home.scratch, child.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def home() -> Iterator[Home]:
    with Home() as opened:
        yield opened


def run_killed() -> tuple[Path, Path, int]:
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False, env=PATHS)
    assert done.returncode == -9, done.stderr
    memory, scratch, pid = done.stdout.split()
    return Path(memory), Path(scratch), int(pid)


def test_folders_are_private_and_gone_after_the_measurement(home: Home) -> None:
    with Sandbox(home, "1") as box:
        folders = [home.memory, home.scratch, box.memory, box.scratch]
        assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}
        assert box.variables["TMPDIR"] == str(box.scratch)
    assert not box.scratch.exists()
    assert not box.memory.exists()
    home.close()
    assert not home.memory.exists()
    assert not home.scratch.exists()


def test_files_that_a_child_leaves_in_memory_are_removed_when_it_is_killed(home: Home) -> None:
    box = Sandbox(home, "1")

    def interrupted() -> None:
        with box:
            (box.memory / "data").write_bytes(bytes(10))
            (box.scratch / "locked").mkdir(mode=0o000)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not box.memory.exists()
    assert not box.scratch.exists()


def test_a_folder_whose_permissions_were_taken_away_is_removed(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("x")
    (tmp_path / "a" / "b").chmod(0)
    (tmp_path / "a").chmod(0)
    remove_folder(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_two_runners_have_tags_of_their_own() -> None:
    code = "from raybench.system.process_tree import runner_tag; print(runner_tag())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=PATHS).stdout
    assert process_tree.runner_tag() != other.strip()
    assert other.startswith("raybench-")


def test_what_a_killed_runner_left_is_found_and_removed_and_a_living_ones_stays(home: Home) -> None:
    memory, scratch, pid = run_killed()
    with Sandbox(home, "1") as box:
        living = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"], env=os.environ | box.variables
        )
        box.add(living.pid)
        assert memory in list(list_folders())
        assert pid in {process.pid for process in process_tree.list_orphans()}

        found = remove_leftovers()

        assert {memory, scratch} <= set(found.folders)
        assert found.processes >= 1
        assert not memory.exists()
        assert not scratch.exists()
        assert not list(sandbox.MEMORY.glob(f"sem.loky-{pid}-*"))
        assert psutil.pid_exists(living.pid)
        assert living.poll() is None
        assert box.memory.exists()
    assert living.wait() == -9


def test_a_daemon_that_left_its_measurement_is_ended_and_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an ordinary user, without control groups: only its coming back to the runner betrays it."""
    monkeypatch.setattr("raybench.system.meter.new_group", lambda *_: "control groups are not writable")
    code = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve("/bin/sleep", ["sleep", "3601"], {})
    os._exit(0)
os.wait()
"""
    with Sandbox(home, "1") as box:
        child = subprocess.Popen([sys.executable, "-c", code], env=os.environ | box.variables)
        box.add(child.pid)
        child.wait()
    assert box.strays == ("sleep",)
    assert "3601" not in [word for p in psutil.process_iter(["cmdline"]) for word in p.info["cmdline"] or []]


def test_children_that_the_runner_had_before_are_no_strays(home: Home) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as before:
        with Sandbox(home, "1") as box:
            pass
        assert before.poll() is None
        before.kill()
    assert box.strays == ()


def test_a_place_where_no_private_folder_can_be_made_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/proc")
    with pytest.raises(RaybenchError, match=r"^/proc: cannot make a private folder there: .*TMPDIR"):
        Home()


def test_the_children_of_a_runner_are_on_record_for_the_next_one(home: Home) -> None:
    home.note(4242)
    assert (home.memory / OWNER).read_text() == "4242\n"


def test_without_shared_memory_both_folders_lie_in_the_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "MEMORY", tmp_path / "none")
    with Home() as home, Sandbox(home, "1") as box:
        assert box.memory.parent == box.scratch.parent == home.scratch
        assert box.memory != box.scratch
    assert not home.scratch.exists()
