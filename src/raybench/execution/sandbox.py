"""Where a measurement lives: a tag, a private working folder, a private folder in memory, a meter of what it uses.

Leaving a sandbox ends every process of the measurement and removes both folders, whatever happened in it. What a
runner that was killed leaves is found by `leftovers`.
"""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from raybench.model.errors import RaybenchError
from raybench.system import process_tree
from raybench.system.meter import COUNTER, Meter
from raybench.workloads.recorded import RUN

PREFIX = "raybench."  # of the folders, both kinds
OWNER = "children"  # in a runner's folder in memory: the pids that it started, for the semaphores named after them
MEMORY = Path("/dev/shm")
LOCK_TRIES = 5
SHARED_MEMORY = "RAYBENCH_SHARED_MEMORY"  # the private folder in memory, for a backend that shares data through files


class Home:
    """The private folders of this runner, one in memory and one for temporary files, locked while it lives.

    The lock is what tells a living runner's folder from a dead one's, in another container too.
    run : folder of the run that is being measured, for workloads that replay it.
    """

    def __init__(self, run: Path | None = None) -> None:
        process_tree.become_subreaper()
        self.run = run
        self.tag = process_tree.runner_tag()
        self.pids: set[int] = set()  # of children that are waited for
        self._locks: list[int] = []
        self.scratch = self._make(Path(tempfile.gettempdir()))
        self.memory = self._make(MEMORY) if os.access(MEMORY, os.W_OK) else self.scratch

    def note(self, pid: int) -> None:
        """Record a child, so that the next runner finds the semaphores that are named after it."""
        self.pids.add(pid)
        with (self.memory / OWNER).open("a", encoding="utf-8") as file:
            file.write(f"{pid}\n")

    def close(self) -> None:
        """Remove both folders."""
        for folder in {self.memory, self.scratch}:
            remove_folder(folder)
        while self._locks:
            os.close(self._locks.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make(self, parent: Path) -> Path:
        try:
            for _ in range(LOCK_TRIES):
                folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))  # of mode 0700
                with suppress(BlockingIOError, FileNotFoundError):  # somebody who looks for leftovers was quicker
                    self._locks.append(os.open(folder, os.O_RDONLY))
                    fcntl.flock(self._locks[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if folder.is_dir():
                        return folder
        except OSError as error:
            raise RaybenchError(
                f"{parent}: cannot make a private folder there: {error.strerror}; make room, or set TMPDIR"
            ) from error
        raise RaybenchError(f"{parent}: each private folder there is removed at once; set TMPDIR to another place")


class Sandbox:
    """One measurement's tag, folders and meter.

    name : distinguishes it from others of the same home; short, because Unix sockets lie below its folder.
    After the end, `strays` names processes that had left the tree and were ended by their coming back to the runner.
    """

    def __init__(self, home: Home, name: str) -> None:
        self.tag = f"{home.tag}{name}:"
        self.scratch = home.scratch / name
        self.memory = home.memory / name if home.memory != home.scratch else home.scratch / f"{name}m"
        self.strays: tuple[str, ...] = ()
        self.peak_bytes = 0
        self._home = home
        self._pids: set[int] = set()

    def __enter__(self) -> Self:
        self.scratch.mkdir(mode=0o700)
        self.memory.mkdir(mode=0o700)
        self._known = process_tree.list_children()
        self.meter = Meter.open(self.tag)
        return self

    @property
    def variables(self) -> dict[str, str]:
        """What the processes of this measurement find in their environment."""
        return {
            process_tree.TAG: self.tag,
            COUNTER: self.meter.cpu_reader_path or "",
            "TMPDIR": str(self.scratch),
            SHARED_MEMORY: str(self.memory),
            "JOBLIB_TEMP_FOLDER": str(self.memory),
            **({RUN: str(self._home.run.resolve())} if self._home.run else {}),
            "RAY_TMPDIR": str(self.memory),  # sockets below a long TMPDIR would be longer than the 107 bytes allowed
        }

    def add(self, pid: int) -> None:
        """Count a process that has just been started, before it gets its work."""
        self._home.note(pid)
        self._known.add(pid)
        self._pids.add(pid)
        self.meter.add(pid)

    def cpu_s(self) -> float:
        """Read CPU seconds so far."""
        return self.meter.cpu_s()

    def held_bytes(self) -> int:
        """Read memory held now."""
        return self.meter.now_bytes()

    def freeze(self) -> None:
        """Stop every process of the tree, daemons included, so that nothing of it runs while others are timed."""
        for process in self._members():
            with suppress(*process_tree.GONE):
                process.suspend()

    def thaw(self) -> None:
        """Let the tree go on."""
        for process in self._members():
            with suppress(*process_tree.GONE):
                process.resume()

    def _members(self) -> list[psutil.Process]:
        return process_tree.tree(self.tag, self.meter.processes())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._pids.update(self.meter.processes())
            process_tree.end(self.tag, members=self.meter.processes)
            self.strays = tuple(process_tree.end_strays(self._known, self._others))
            process_tree.reap(keep=self._home.pids)
            self._home.pids -= self._pids
            self.peak_bytes = self.meter.peak_bytes()
        finally:
            self.meter.close()
            remove_semaphores(self._pids)
            remove_folder(self.scratch)
            remove_folder(self.memory)

    @property
    def pids(self) -> set[int]:
        """Processes that were added."""
        return self._pids

    def _others(self) -> set[int]:
        """List the processes of this runner's other sandboxes."""
        return {process.pid for process in process_tree.list_tagged(self._home.tag)}


def remove_semaphores(pids: Iterable[int]) -> int:
    """Remove what loky's workers leave in shared memory when they are killed; return how many there were."""
    removed = 0
    for pid in pids:
        if not process_tree.is_alive(pid):
            for file in MEMORY.glob(f"sem.loky-{pid}-*"):
                with suppress(OSError):
                    file.unlink()
                    removed += 1
    return removed


def remove_folder(folder: Path) -> None:
    """Remove a folder of ours, also one in which user code has taken permissions away."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.is_dir():
        for place, _, _ in os.walk(folder):  # from the top, so that each folder opens before it is entered
            with suppress(OSError):
                os.chmod(place, stat.S_IRWXU)
        shutil.rmtree(folder, ignore_errors=True)
