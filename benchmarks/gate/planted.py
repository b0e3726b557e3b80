"""Slow-downs that a careless change could bring, put into a copy of this tree: the gate must find and name each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from raybench.model.errors import RaybenchError


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """A change of one file: `old`, which stands there exactly once, becomes `new`; `named` must then be slower."""

    about: str
    path: str
    old: str
    new: str
    named: str

    def into(self, tree: Path) -> None:
        """Change a tree's file."""
        path = tree / self.path
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise RaybenchError(f"{self.path} holds {text.count(self.old)} times what the plant replaces, expected 1")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


_EVENT = "self._observe(Event(kind=EventKind.STARTED, job=job))"
_LOKY = '    def version(self) -> str:\n        return f"joblib {joblib.__version__} loky"\n'
_EDGE = "from raybench import edge\n"

PLANTS: Mapping[str, Plant] = {
    "sleep": Plant(
        about="the runner sleeps 0.15 s before each measurement",
        path="src/raybench/execution/runner.py",
        old=_EVENT,
        new=f"{_EVENT}\n        __import__('time').sleep(0.15)",
        named="runner: own cost per measurement",
    ),
    "warm-up": Plant(
        about="the joblib backend no longer warms its workers up",
        path="src/raybench/backends/joblib_loky.py",
        old=_LOKY,
        new=f"{_LOKY}\n    def warm(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:\n"
        "        return []\n",
        named="joblib: dispatch per task",
    ),
    "import": Plant(
        about="the command line imports pandas before it knows which verb it runs",
        path="src/raybench/cli.py",
        old=_EDGE,
        new=f"import pandas\n{_EDGE}",
        named="raybench --help",
    ),
}
