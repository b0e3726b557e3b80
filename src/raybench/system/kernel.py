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


def sweep(prefix: str, host: Host = THIS) -> int:
    """Remove empty groups that a killed run left behind, by the prefix of their names; return how many."""
    groups = {group.folder for name in ("cpuacct", "memory") if (group := own_group(name, host)) is not None}
    return sum(remove_group(old) for folder in groups for old in folder.glob(f"{_group_name(prefix)}*"))


def _group_name(name: str) -> str:
    return "raybench-" + re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def core_of(cpu: int, host: Host = THIS) -> tuple[int, ...]:
    """List the hardware threads of the core that a CPU number belongs to; itself alone if unknown."""
    listed = host.text(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    return numbers(listed) if listed else (cpu,)


def allowed_cpus() -> tuple[int, ...]:
    """List the CPU numbers that this process may run on."""
    return tuple(sorted(os.sched_getaffinity(0)))
