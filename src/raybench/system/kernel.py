"""Where the kernel keeps this machine's facts: text files and control groups. What they mean is for others to say.

Everything goes through a `Host`, whose root a test may move to a made tree.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The tree under which /proc and /sys are read."""

    root: Path = Path("/")

    def path(self, path: str) -> Path:
        """Place an absolute path under this host's root."""
        return self.root / path.lstrip("/")

    def text(self, path: str) -> str | None:
        """Read a small kernel file, stripped; None where it is absent or closed to us."""
        try:
            return self.path(path).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def glob(self, pattern: str) -> list[Path]:
        """List paths that match an absolute pattern, sorted."""
        return sorted(self.root.glob(pattern.lstrip("/")))


THIS = Host()
GROUPS = "raybench-"  # of the control groups that we make


def numbers(text: str) -> tuple[int, ...]:
    """Expand the kernel's list form: `0-2,5` is (0, 1, 2, 5); '' is ()."""
    found: list[int] = []
    for part in filter(None, text.replace("\n", "").split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def parse_keyed(text: str | None) -> dict[str, int]:
    """Read lines of `name value` (cpu.stat, memory.stat, vmstat); other lines are left out."""
    pairs = (line.split() for line in (text or "").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A control group's folder and the version of its hierarchy.

    top : where the hierarchy is mounted; no group above it can be seen from here.
    """

    version: int
    folder: Path
    top: Path

    def upwards(self) -> list[Path]:
        """List this folder and those above it, up to the mount: each may set a limit of its own."""
        above = [self.folder, *self.folder.parents]
        return above[: above.index(self.top) + 1] if self.top in above else [self.folder]


def own_group(controller: str, host: Host = THIS) -> Group | None:
    """Find this process's group: version 1 for the controller if that is mounted, else version 2, else None."""
    mounts = _mounts(host)
    for line in (host.text("/proc/self/cgroup") or "").splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            for version, root, place, options in mounts:
                if version == 1 and controller in options:
                    return Group(version=1, folder=_below(place, root, path), top=place)
    return find_unified_group(host)


def find_unified_group(host: Host = THIS) -> Group | None:
    """Find this process's group in the version 2 hierarchy, alone or beside version 1; None without one."""
    for line in (host.text("/proc/self/cgroup") or "").splitlines():
        if line.startswith("0::"):
            for version, root, place, _ in _mounts(host):
                if version == 2:
                    return Group(version=2, folder=_below(place, root, line[3:]), top=place)
    return None


def _mounts(host: Host) -> list[tuple[int, str, Path, Iterable[str]]]:
    """List mounted hierarchies: version, root within the hierarchy, mount point, super options."""
    found: list[tuple[int, str, Path, Iterable[str]]] = []
    for line in (host.text("/proc/self/mountinfo") or "").splitlines():
        left, _, right = line.partition(" - ")
        kind, *rest = right.split()
        if kind in ("cgroup", "cgroup2"):
            root, place = left.split()[3:5]
            found.append((2 if kind == "cgroup2" else 1, root, host.path(place), rest[-1].split(",")))
    return found


def _below(place: Path, root: str, path: str) -> Path:
    """Map a group's path to a folder; a container may see a path from outside: then it is the mount itself."""
    if root != "/":
        path = path.removeprefix(root) if path.startswith(root) else ""
    folder = place / path.lstrip("/")
    return folder if folder.is_dir() and ".." not in path else place


def new_group(controller: str, name: str, host: Host = THIS) -> Path | str:
    """Make a group below this process's own, so that limits set on us hold for it too; else say why not.

    Version 2 has one group for all controllers: a second call with the same name gives the same, empty folder.
    """
    own = own_group(controller, host)
    if own is None:
        return "no control groups here"
    if not os.access(own.folder / "cgroup.procs", os.W_OK):
        return "control groups are not writable"
    folder = own.folder / _group_name(name)
    try:
        if folder.exists():
            folder.rmdir()  # of a killed run: its counters do not begin at 0
        folder.mkdir()
    except OSError as error:
        return f"cannot make a control group: {error.strerror}"
    return folder


def remove_group(folder: Path) -> bool:
    """Remove a group; False while processes are in it."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def list_groups(prefix: str, host: Host = THIS) -> list[Path]:
    """List the groups of that prefix below this process's own, empty or not."""
    groups = {group.folder for name in ("cpuacct", "memory") if (group := own_group(name, host)) is not None}
    return [old for folder in groups for old in folder.glob(f"{_group_name(prefix)}*")]


def _group_name(name: str) -> str:
    return GROUPS + re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def memory_allowed(host: Host = THIS) -> int | None:
    """Return the smallest memory limit of this process's control group and those above it, in bytes; None without one.

    A limit that the machine cannot reach is none: version 1 writes "no limit" as a very large number.
    """
    found = [int(text) for text in _of_memory_groups(("memory.max", "memory.limit_in_bytes"), host) if text.isdigit()]
    total = re.search(r"^MemTotal:\s+(\d+) kB", host.text("/proc/meminfo") or "", re.M)
    smallest = min(found, default=None)
    return None if smallest is None or (total and smallest >= int(total[1]) * 1024) else smallest


def memory_used(host: Host = THIS) -> int | None:
    """Return what this process's control group holds, without reclaimable file cache, in bytes; None without one."""
    group = own_group("memory", host)
    if group is None:
        return None
    usage = next((t for n in ("memory.current", "memory.usage_in_bytes") if (t := _text(group.folder / n))), "")
    stat = parse_keyed(_text(group.folder / "memory.stat"))
    cache = stat.get("total_inactive_file", stat.get("inactive_file", 0))
    return int(usage) - cache if usage.isdigit() else None


def count_oom_kills(folders: Iterable[Path] = (), host: Host = THIS) -> int:
    """Count the processes that the kernel killed for memory in these groups, in our own and in those above it.

    Where no group counts them, the machine's own count is returned. Only its growth means anything.
    """
    group = own_group("memory", host)
    places = [*folders, *(group.upwards() if group else [])]
    texts = [_text(folder / name) for folder in places for name in ("memory.events", "memory.oom_control")]
    counts = [count for text in texts if (count := parse_keyed(text).get("oom_kill")) is not None]
    return sum(counts) if counts else parse_keyed(host.text("/proc/vmstat")).get("oom_kill", 0)


def _of_memory_groups(names: tuple[str, ...], host: Host) -> list[str]:
    group = own_group("memory", host)
    return [_text(folder / name) for folder in group.upwards() for name in names] if group else []


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def core_of(cpu: int, host: Host = THIS) -> tuple[int, ...]:
    """List the hardware threads of the core that a CPU number belongs to; itself alone if unknown."""
    listed = host.text(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    return numbers(listed) if listed else (cpu,)


def allowed_cpus() -> tuple[int, ...]:
    """List the CPU numbers that this process may run on."""
    return tuple(sorted(os.sched_getaffinity(0)))
