"""What is tried: a function with its items, and the file in which child processes find both."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from raybench.execution.environment import AUTHENTICATION, COMMON, KEPT, LOOPBACK, THREAD_VARIABLES
from raybench.trial.target import Target
from raybench.workloads.function import Payload, write

OWN = ("PYTHON", "RAYBENCH_", "RAY_", "LC_ALL", "CUDA_VISIBLE_DEVICES")  # what the harness sets for its children itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A function with its items. star : an item is a tuple of arguments. setup : gives the first argument."""

    target: Target
    items: Sequence[Any]
    star: bool = False
    setup: Target | None = None
    folder: str = field(default_factory=os.getcwd)

    @property
    def payload(self) -> Payload:
        """Return what a process needs to call the function."""
        setup = self.setup.payload if self.setup is not None else None
        return Payload(function=self.target.payload, setup=setup, star=self.star, folder=self.folder)

    def write(self, path: Path, indices: Sequence[int]) -> Path:
        """Write the function and some of its items to a file, in the order of `indices`."""
        write(path, self.payload, [self.items[i] for i in indices])
        return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens now. left_s : seconds left. lasting : a sentence that stays. shown : a table to show, by rich."""

    text: str
    left_s: float
    lasting: bool = False
    shown: Any = None


Observer = Callable[[Step], None]


def passed_on() -> tuple[str, ...]:
    """Name the user's environment variables that the function may need: all but those that the harness sets."""
    fixed = {*KEPT, *COMMON, *LOOPBACK, *THREAD_VARIABLES, *AUTHENTICATION}
    return tuple(sorted(name for name in os.environ if name not in fixed and not name.startswith(OWN)))
