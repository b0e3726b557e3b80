"""CPU seconds and memory of a process tree: by control groups where they can be made, else by looking at /proc."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

import psutil

from raybench.model.clock import now, pause
from raybench.model.errors import RaybenchError
from raybench.system.kernel import THIS, Host, count_oom_kills, new_group, parse_keyed, remove_group
from raybench.system.process_tree import GONE, LOOK_S, tree

COUNTER = "RAYBENCH_CPU_COUNTER"  # files that count the tree's CPU time, joined by os.pathsep


class Seen(NamedTuple):
    """A process at its last look: parent, CPU seconds with those of its buried children, number of the look."""

    parent: int
    cpu_s: float
    look: int


class Sampler:
    """CPU and memory of a tree without control groups: looked at, so that what ends between two looks is cut short."""

    def __init__(self, name: str) -> None:
        self.roots: set[int] = set()
        self._name = name
        self._last: dict[tuple[int, float], Seen] = {}
        self._looks = 0
        self._most_s = 0.0

    def cpu_s(self) -> float:
        """Sum user and system seconds of all processes ever seen, each once; never falls."""
        self._look()
        looked = {pid: seen.look for (pid, _), seen in self._last.items()}
        # A process that went before its parent's last look is in the parent's times of buried children.
        total = sum(seen.cpu_s for seen in self._last.values() if looked.get(seen.parent, 0) <= seen.look)
        self._most_s = max(self._most_s, total)
        return self._most_s

    def now_bytes(self) -> int:
        """Sum private memory, and add the largest shared memory once: every process maps the same."""
        private, shared = 0, 0
        for process in self._look():
            with suppress(OSError):
                status = Path(f"/proc/{process.pid}/status").read_text(errors="replace")
                rss = {name: int(kib) * 1024 for name, kib in re.findall(r"^Rss(\w+):\s+(\d+) kB", status, re.M)}
                private += rss.get("Anon", 0)
                shared = max(shared, rss.get("Shmem", 0))
        return private + shared

    def _look(self) -> list[psutil.Process]:
        self._looks += 1
        alive = tree(self._name, self.roots)
        for process in alive:
            with suppress(*GONE), process.oneshot():
                used = process.cpu_times()
                total = used.user + used.system + used.children_user + used.children_system
                seen = Seen(parent=process.ppid(), cpu_s=total, look=self._looks)
                self._last[process.pid, process.create_time()] = seen
        return alive


class Meter:
    """CPU seconds and memory of one process tree: by control groups, version 1 or 2, else by looking.

    A child belongs to it from `add` on, and so does all that it starts later. `close` after the tree has ended.
    """

    def __init__(self, name: str, folders: Mapping[str, Path | str]) -> None:
        """Take a group's folder, or the reason for none, under `cpuacct` and `memory`."""
        self._sampler = Sampler(name)
        self._name = name
        self._cpu = folders["cpuacct"] if isinstance(folders["cpuacct"], Path) else None
        self._memory = folders["memory"] if isinstance(folders["memory"], Path) else None
        self._highest = 0
        self._oom_kills = count_oom_kills(self._folders())
        self.cpu_source = f"psutil, sampled ({folders['cpuacct']})"
        if self._cpu:
            self.cpu_source = "cgroup v1 cpuacct" if (self._cpu / "cpuacct.usage").exists() else "cgroup v2 cpu.stat"
        self.memory_source = f"/proc, sampled: private plus largest shared ({folders['memory']})"
        if self._memory:
            version = 2 if (self._memory / "memory.peak").exists() else 1
            self.memory_source = f"cgroup v{version} high-water mark less file cache, at least the samples"

    @classmethod
    def open(cls, name: str, host: Host = THIS) -> Self:
        """Open a meter for the tree tagged `name`, by the best means that this machine has."""
        folders = {"cpuacct": new_group("cpuacct", name, host), "memory": new_group("memory", name, host)}
        memory = folders["memory"]
        if isinstance(memory, Path) and not _high_water(memory).exists():
            if memory != folders["cpuacct"]:
                remove_group(memory)
            folders["memory"] = "the memory controller is not delegated to this group"
        return cls(name, folders)

    @property
    def cpu_reader_path(self) -> str:
        """Return the file for COUNTER, '' without one; a child that joins a shared head gets both files."""
        if self._cpu is None:
            return ""
        return str(next(f for f in (self._cpu / "cpuacct.usage", self._cpu / "cpu.stat") if f.exists()))

    def add(self, pid: int) -> None:
        """Count a process that has just been started, before it gets its work; a dead one is no error."""
        self._sampler.roots.add(pid)
        for folder in self._folders():
            try:
                (folder / "cgroup.procs").write_text(str(pid))
            except ProcessLookupError:
                continue
            except OSError as error:
                raise RaybenchError(f"{folder}: cannot take process {pid} in: {error.strerror}") from error

    def cpu_s(self) -> float:
        """Read user and system seconds of the tree so far, daemons included."""
        return _counter(Path(self.cpu_reader_path)) if self._cpu else self._sampler.cpu_s()

    def now_bytes(self) -> int:
        """Read anonymous and shared memory held now; file cache is not counted. Call it often: it feeds the peak."""
        if self._memory:
            stat = parse_keyed((self._memory / "memory.stat").read_text())
            held = stat.get("total_rss", stat.get("anon", 0)) + stat.get("total_shmem", stat.get("shmem", 0))
        else:
            held = self._sampler.now_bytes()
        self._highest = max(self._highest, held)
        return held

    def peak_bytes(self) -> int:
        """Return the most memory ever held.

        The kernel's mark misses no spike but includes file cache, which depends on what ran before. Cache comes
        with the imports and stays, so that taking it off leaves a good lower bound, as the samples are another.
        What the bare interpreter held before `add`, some megabytes, stays with its parent's group.
        """
        self.now_bytes()
        if self._memory is None:
            return self._highest
        stat = parse_keyed((self._memory / "memory.stat").read_text())
        cache = stat.get("total_cache", stat.get("file", 0)) - stat.get("total_shmem", stat.get("shmem", 0))
        return max(self._highest, int(_high_water(self._memory).read_text()) - cache)

    def oom_kills(self) -> int:
        """Count the processes that the kernel has killed for memory since this meter was opened."""
        return count_oom_kills(self._folders()) - self._oom_kills

    def processes(self) -> list[int]:
        """List the pids of the tree that are alive, tagged or not."""
        inside: set[int] = set()
        for folder in self._folders():
            with suppress(OSError):
                inside.update(int(pid) for pid in (folder / "cgroup.procs").read_text().split())
        return sorted(inside or (process.pid for process in tree(self._name, self._sampler.roots)))

    def close(self) -> str:
        """Remove the groups; '' or why one is left. The processes must be gone: see `end`."""
        deadline = now() + 1.0  # a killed process leaves its group a moment after it has left the process table
        while left := [folder for folder in self._folders() if not remove_group(folder)]:
            if now() > deadline:
                return f"{left[0].name}: still holds {len(self.processes())} processes"
            pause(LOOK_S)
        return ""

    def _folders(self) -> list[Path]:
        return [folder for folder in {self._cpu, self._memory} if folder is not None and folder.is_dir()]


def counted_cpu_s(environ: Mapping[str, str]) -> float | None:
    """Read, in the child, the CPU seconds of its tree so far: cheap where COUNTER names files.

    Without files: this process and its descendants, which misses daemons that others started. None if unreadable.
    """
    files = [Path(name) for name in environ.get(COUNTER, "").split(os.pathsep) if name]
    try:
        if files:
            return sum(_counter(file) for file in files)
        me = psutil.Process()
        return sum(sum(process.cpu_times()[:4]) for process in [me, *me.children(recursive=True)])
    except (OSError, KeyError, psutil.Error):
        return None


def _high_water(folder: Path) -> Path:
    v2 = folder / "memory.peak"
    return v2 if v2.exists() else folder / "memory.max_usage_in_bytes"


def _counter(file: Path) -> float:
    """Read CPU seconds from either version's file: nanoseconds alone, or `usage_usec` among others."""
    text = file.read_text()
    return int(text) / 1e9 if text.strip().isdigit() else parse_keyed(text)["usage_usec"] / 1e6
