"""What runners that were killed have left behind: processes, folders, semaphores. Living runners are left alone."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from raybench.execution.sandbox import MEMORY, OWNER, PREFIX, remove_folder, remove_semaphores
from raybench.system import process_tree
from raybench.system.kernel import GROUPS, list_groups, remove_group


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What was removed."""

    processes: int
    folders: tuple[Path, ...]
    semaphores: int = 0

    @property
    def others(self) -> int:
        """Count what is no folder."""
        return self.processes + self.semaphores

    def __str__(self) -> str:
        counts = {"processes": self.processes, "folders": len(self.folders), "semaphores": self.semaphores}
        return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def remove_leftovers() -> Leftovers:
    """End the processes and remove the folders and semaphores of dead runners of this user; say what there was."""
    processes = process_tree.end_orphans()
    _remove_groups()
    folders, semaphores = [], 0
    for folder in list_folders():
        folders.append(folder)
        owner = folder / OWNER
        if owner.is_file():
            pids = [int(line) for line in owner.read_text(encoding="utf-8").split() if line.isdigit()]
            semaphores += remove_semaphores(pids)
        remove_folder(folder)
    return Leftovers(processes=processes, folders=tuple(folders), semaphores=semaphores)


def list_folders() -> Iterator[Path]:
    """Yield the folders of dead runners of this user, each locked until the next is asked for."""
    for parent in dict.fromkeys((MEMORY, Path(tempfile.gettempdir()))):
        for folder in sorted(parent.glob(f"{PREFIX}????????")):
            with _lock(folder) as locked:
                if locked:
                    yield folder


@contextmanager
def _lock(folder: Path) -> Iterator[bool]:
    """Lock a folder of this user; False where somebody else has it, or it is not ours, or no folder."""
    descriptor = -1
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield os.fstat(descriptor).st_uid == os.getuid()
    except OSError:
        yield False
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _remove_groups() -> None:
    groups = {group.name.removeprefix(GROUPS): group for group in list_groups(process_tree.TAGS)}
    for name in process_tree.dead_runners(groups):
        remove_group(groups[name])
