"""Process trees found by their tag and ended: real processes."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from made_processes import DAEMON, go, python
from raybench.model.errors import RaybenchError
from raybench.system import process_tree
from raybench.system.meter import Meter
from raybench.system.process_tree import TAG


def alive(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def test_a_daemon_that_left_parent_and_session_is_found_by_its_tag_and_ended(tag: str) -> None:
    with python(DAEMON, tag) as child:
        daemon = int(go(child))
        child.wait()
        assert psutil.Process(daemon).ppid() != child.pid
        assert daemon in {process.pid for process in process_tree.list_tagged(tag)}
        assert process_tree.end(tag) == 1
    assert not alive(daemon)
    assert process_tree.end(tag) == 0


def test_a_descendant_that_lost_its_tag_is_ended_with_its_parent(tag: str) -> None:
    code = "import subprocess; p = subprocess.Popen(['/bin/sleep', '600'], env={}); print(p.pid, flush=True); p.wait()"
    with python(code, tag) as child:
        bare = int(go(child))
        assert bare not in {process.pid for process in process_tree.list_tagged(tag)}
        assert process_tree.end(tag) == 2
    assert not alive(bare)


def test_an_orphan_that_lost_its_tag_is_ended_by_its_meter(tag: str) -> None:
    meter = Meter.open(tag)
    if meter.cpu_source.startswith("psutil"):
        pytest.skip(f"no control groups to hold an untagged orphan: {meter.cpu_source}")
    code = DAEMON.replace("time.sleep(600)", "os.execve('/bin/sleep', ['sleep', '600'], {})")
    with python(code, tag) as child:
        meter.add(child.pid)
        orphan = int(go(child))
        child.wait()
        assert process_tree.end(tag, members=meter.processes) >= 1
    assert not alive(orphan)
    assert meter.close() == ""


@pytest.mark.parametrize(
    ("prefix", "found"),
    [("", True), ("-x", False), ("-x1", True), ("-x1:", True), ("-x1:job2", True), ("-x1:job", False)],
)
def test_a_prefix_ends_at_a_sign_so_that_job_1_does_not_end_job_10(tag: str, prefix: str, found: bool) -> None:
    with python("", f"{tag}-x1:job2:") as child:
        assert (child.pid in {process.pid for process in process_tree.list_tagged(tag + prefix)}) is found


def test_grace_lets_a_process_end_by_itself(tag: str, tmp_path: Path) -> None:
    said = tmp_path / "said"
    code = (
        "import signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (open({str(said)!r}, 'w').write('bye'), sys.exit()))\n"
        "print('ready', flush=True)\ntime.sleep(600)"
    )
    with python(code, tag) as child:
        assert go(child) == "ready"
        assert process_tree.end(tag, 30.0) == 1
    assert said.read_text() == "bye"


def test_what_ignores_the_polite_signal_is_killed_after_the_grace(tag: str) -> None:
    code = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(1, flush=True)\ntime.sleep(600)"
    with python(code, tag) as child:
        go(child)
        assert process_tree.end(tag, 0.05) == 1
        assert child.wait() == -9


def test_survivors_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck:
        """Waits for a disk that does not answer."""

        pid = 4242
        info = {"status": "disk-sleep"}  # noqa: RUF012

        def create_time(self) -> float:
            return 1.0

        def kill(self) -> None:
            """Change nothing."""

    monkeypatch.setattr(process_tree, "tree", lambda *_: [Stuck()])
    monkeypatch.setattr(process_tree, "END_WAIT_S", 0.0)
    with pytest.raises(RaybenchError, match=r"tagged t outlive SIGKILL: 4242 \(disk-sleep\)"):
        process_tree.end("t")


def test_orphans_come_back_to_a_subreaper_and_are_buried_but_kept_ones_are_not(tag: str) -> None:
    """In a process of its own, because a subreaper stays one."""
    code = f"""
import os, signal, subprocess, sys, psutil
from raybench.system import process_tree as processes
said = processes.become_subreaper()
daemon = subprocess.Popen([sys.executable, "-c", {DAEMON!r}], stdout=subprocess.PIPE, text=True)
orphan = int(daemon.stdout.readline())
daemon.wait()
mine = psutil.Process(orphan).ppid() == os.getpid()
kept = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
os.waitid(os.P_PID, kept.pid, os.WEXITED | os.WNOWAIT)
os.kill(orphan, signal.SIGKILL)
os.waitid(os.P_PID, orphan, os.WEXITED | os.WNOWAIT)
print(repr(said), mine, processes.reap(keep=[kept.pid]), processes.reap(keep=[kept.pid]), kept.wait())
"""
    path = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path, TAG: tag},
    )
    assert done.stdout.split() == ["''", "True", "1", "0", "7"]
