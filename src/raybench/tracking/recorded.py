"""A recorded run as the tracking store needs it: its lines, the same as bytes, and what each task was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from raybench.execution.measure import load_workload
from raybench.execution.task_set import draw_tasks, hash_tasks
from raybench.model.errors import RaybenchError
from raybench.model.measurement import Environment, Measurement, Task
from raybench.model.plan import Cell, Plan, Spec, Status
from raybench.store import store
from raybench.store.store import Loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One run. raw : key of a cell -> its lines as they are stored."""

    folder: Path
    plan: Plan
    loaded: Loaded
    environment: Environment
    raw: Mapping[str, bytes]

    @property
    def key(self) -> str:
        """Name the run as its folder does: machine/study/run."""
        return f"{self.environment.machine}/{self.plan.study}/{self.folder.resolve().name}"

    def at_ms(self, seconds: float = 0.0) -> int:
        """Return milliseconds since 1970 of a moment, given in seconds since the run began."""
        began = datetime.strptime(self.environment.began, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return round(1000 * (began.timestamp() + seconds))

    def lines(self, cell: Cell) -> list[Measurement]:
        """Return a cell's measurements in the order of the file, failed ones too."""
        return [m for m in self.loaded.measurements if m.cell == cell.key]


class _Head(msgspec.Struct):
    cell: str = ""


def read(folder: Path) -> Recorded:
    """Read a run's folder; BadStore where its files do not belong together."""
    plan, loaded = store.read_run(folder)
    raw: dict[str, list[bytes]] = {}
    for line in (folder / store.MEASUREMENTS).read_bytes().splitlines(keepends=True)[: _count(loaded)]:
        raw.setdefault(msgspec.json.decode(line, type=_Head).cell, []).append(line)
    return Recorded(
        folder=folder,
        plan=plan,
        loaded=loaded,
        environment=store.read_environment(folder),
        raw={cell: b"".join(lines) for cell, lines in raw.items()},
    )


def _count(loaded: Loaded) -> int:
    """Return the number of whole lines: a torn last one is not told."""
    return len(loaded.measurements) + len(loaded.samples) + len(loaded.qualities)


def shown(lines: Sequence[Measurement]) -> Measurement | None:
    """Choose the measurement whose tasks are told one by one: the first good one, which stays as blocks are added."""
    return next((m for m in lines if m.status is Status.OK and m.tasks), None)


class Tasks:
    """The tasks of each workload, drawn again from the plan's seed: raw lines hold their hash only.

    faults : one sentence per workload whose tasks are not known.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._known: dict[str, dict[int, Task]] = {}
        self.faults: list[str] = []

    def of(self, workload: Spec, m: Measurement) -> Mapping[int, Task]:
        """Return the tasks of a measurement by index; {} where today's code draws other ones, or none."""
        if workload.name not in self._known:
            self._known[workload.name] = {task.index: task for task in self._draw(workload, m.tasks_hash)}
        return self._known[workload.name]

    def _draw(self, workload: Spec, tasks_hash: str) -> list[Task]:
        try:
            tasks = draw_tasks(load_workload(workload), self._seed)
            fault = "" if hash_tasks(tasks) == tasks_hash else "today's code draws other ones"
        except RaybenchError as error:
            tasks, fault = [], str(error)
        if fault:
            self.faults.append(f"{workload.name}: the parameters of its tasks are left out: {fault}")
        return [] if fault else tasks
