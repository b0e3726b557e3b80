"""A process tree found by a tag in its environment: who is in it, how it ends. What it used: `meter`.

Ray's daemons leave their parent and their session, so that neither a parent id nor a process group finds them all.
A process that renames itself may overwrite its environment: SPT_NOENV=1 keeps setproctitle from doing so.
"""

import ctypes
import os
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from raybench.model.clock import now, pause
from raybench.model.errors import RaybenchError

TAG = "RAYBENCH_TAG"
TAGS = "raybench-"  # every tag begins so
END_WAIT_S = 10.0  # a killed process is gone within milliseconds; one that waits for a disk may take seconds
LOOK_S = 0.01
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
GONE = (psutil.NoSuchProcess, psutil.AccessDenied, ProcessLookupError, FileNotFoundError)
RUNNER = re.compile(rf"{TAGS}(\d+)-(\d+)\W")


# --- finding --------------------------------------------------------------------------------------


def runner_tag() -> str:
    """Return what the tags of this process's children begin with; no other process of this machine has it."""
    pid, started = _identity("self")
    return f"{TAGS}{pid}-{started}:"


def list_tagged(prefix: str, *, variable: str = TAG) -> list[psutil.Process]:
    """List the processes whose tag is `prefix` or goes on from it behind a sign (`a-1` finds `a-1-x`, not `a-10`).

    variable : of the environment, that holds the tag.
    """
    found = []
    open_end = not prefix[-1:].isalnum()
    for pid, tag in _tags(variable):
        if tag.startswith(prefix) and (open_end or not tag[len(prefix) : len(prefix) + 1].isalnum()):
            with suppress(psutil.Error):
                found.append(psutil.Process(pid))
    return found


def list_orphans() -> list[psutil.Process]:
    """List the tagged processes whose runner no longer lives; those of a living one, in any container, are left out."""
    tags = dict(_tags())
    dead = set(dead_runners(tags.values()))
    found = []
    for pid, tag in tags.items():
        if tag in dead:
            with suppress(psutil.Error):
                found.append(psutil.Process(pid))
    return found


def dead_runners(tags: Iterable[str]) -> list[str]:
    """List the tags whose runner no longer lives. A tag that names none, such as the doctor's, is left out."""
    named = [(tag, match) for tag in tags if (match := RUNNER.match(tag))]
    alive = set(_identities()) if named else set()
    return [tag for tag, match in named if (int(match[1]), int(match[2])) not in alive]


def tree(prefix: str, pids: Iterable[int] = ()) -> list[psutil.Process]:
    """List the living processes that carry the tag or are in `pids`, and all their descendants; never this one."""
    return descend([*(process.pid for process in list_tagged(prefix)), *pids])


def descend(pids: Iterable[int]) -> list[psutil.Process]:
    """List the living ones of `pids` and all their descendants; never this process."""
    everyone = [p for p in psutil.process_iter(["ppid", "status"]) if p.info["status"] != psutil.STATUS_ZOMBIE]
    children: dict[int, list[int]] = {}
    for process in everyone:
        children.setdefault(process.info["ppid"], []).append(process.pid)
    wanted: set[int] = set()
    stack = list(pids)
    while stack:
        pid = stack.pop()
        if pid not in wanted and pid != os.getpid():
            wanted.add(pid)
            stack += children.get(pid, [])
    return [process for process in everyone if process.pid in wanted]


def list_in_network(pid: int) -> list[int]:
    """List the processes in the network namespace of `pid`, itself among them; [] where that process is gone."""
    with suppress(OSError):
        wanted = os.stat(f"/proc/{pid}/ns/net").st_ino
        return [other for other in psutil.pids() if _network(other) == wanted]
    return []


def _network(pid: int) -> int | None:
    with suppress(OSError):
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    return None


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that is dead and not yet buried does not."""
    with suppress(psutil.Error):
        return str(psutil.Process(pid).status()) != psutil.STATUS_ZOMBIE
    return False


def list_children() -> set[int]:
    """List the pids of this process's children, adopted orphans included."""
    return {child.pid for child in psutil.Process().children()}


def _tags(variable: str = TAG) -> Iterable[tuple[int, str]]:
    wanted = f"{variable}=".encode()
    for pid in psutil.pids():
        if pid == os.getpid():
            continue
        with suppress(OSError):
            for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                if entry.startswith(wanted):
                    yield pid, entry[len(wanted) :].decode(errors="replace")
                    break


def _identities() -> Iterable[tuple[int, int]]:
    for pid in psutil.pids():
        with suppress(OSError, ValueError):
            yield _identity(str(pid))


def _identity(pid: str) -> tuple[int, int]:
    """Read a process's number as it sees it itself, in a container too, and the tick at which it started."""
    status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    numbers = re.search(r"^NSpid:\s+(.+)$", status, re.M) or re.search(r"^Pid:\s+(\d+)$", status, re.M)
    if numbers is None:
        raise ValueError(f"/proc/{pid}/status names no pid")
    after_name = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return int(numbers[1].split()[-1]), int(after_name[19])  # field 22 of stat(5)


# --- ending ---------------------------------------------------------------------------------------


def end(prefix: str, grace_s: float = 0.0, *, members: Callable[[], Iterable[int]] = tuple) -> int:
    """End every process of the tree and return how many there were; those of `members` too, tag or not.

    grace_s : seconds between SIGTERM and SIGKILL; 0 kills at once.
    Raises RaybenchError naming what outlives SIGKILL for END_WAIT_S.
    """
    return len(_end(lambda: tree(prefix, members()), f"tagged {prefix}", grace_s))


def end_orphans() -> int:
    """End what dead runners left behind; return how many there were."""
    return len(_end(lambda: descend(p.pid for p in list_orphans()), "of an earlier runner"))


def end_strays(known: Collection[int], belongs: Callable[[], Collection[int]]) -> list[str]:
    """End the children that came to this process since `known` was listed, with their descendants; return their names.

    Such a process left the tree that started it, and its environment with the tag; this process, a subreaper,
    inherited it.
    belongs : pids that are left alone although they came later.
    """

    def strays() -> list[psutil.Process]:
        new = list_children() - set(known)
        return descend(new - set(belongs())) if new else []

    names = {process.pid: _name(process) for process in strays()}
    _end(strays, "that left their measurement")
    return sorted(names.values())


def _name(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return process.name()
    return "?"


def _end(find: Callable[[], Sequence[psutil.Process]], which: str, grace_s: float = 0.0) -> set[tuple[int, float]]:
    ended: set[tuple[int, float]] = set()
    mild_until = now() + grace_s
    deadline = mild_until + END_WAIT_S
    while alive := find():
        mild = now() < mild_until
        if now() > deadline:
            left = ", ".join(f"{p.pid} ({p.info['status']})" for p in alive[:5])
            raise RaybenchError(f"processes {which} outlive SIGKILL: {left}; see `raybench doctor`")
        for process in alive:
            with suppress(*GONE):
                known = (process.pid, process.create_time()) in ended
                ended.add((process.pid, process.create_time()))
                if not mild:
                    process.kill()
                elif not known:
                    process.terminate()
        pause(LOOK_S)
    return ended


def become_subreaper() -> str:
    """Let orphans of this process's tree come back to it; '' or why that is not so."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0:
            return ""
        return f"prctl: {os.strerror(ctypes.get_errno())}"
    except (OSError, AttributeError) as error:
        return f"no prctl here: {error}"


def reap(keep: Collection[int] = ()) -> int:
    """Bury dead children that nobody waits for (adopted orphans) and return how many.

    keep : pids that a Popen object waits for; burying one of those would lose its exit status.
    """
    buried = 0
    for child in psutil.Process().children():
        with suppress(psutil.Error, ChildProcessError):
            if child.pid not in keep and child.status() == psutil.STATUS_ZOMBIE:
                buried += os.waitpid(child.pid, os.WNOHANG)[0] == child.pid
    return buried
