"""Task stamps for charts: which measurement to show, how its tasks ended, and all task times."""

from collections.abc import Iterable, Mapping, Sequence

from raybench.analysis.dataset import Dataset
from raybench.analysis.results import Durations
from raybench.model.measurement import Measurement, TaskStamp

MOST_VALUES = 100  # of one curve; more are thinned evenly


Budgets = Mapping[str, Mapping[int, int]]  # hash of a task list -> task index -> steps of its full budget


def budgets(lines: Iterable[Measurement]) -> Budgets:
    """Read each task's full budget from measurements that ran all steps; tasks of a search differ in theirs."""
    found: dict[str, dict[int, int]] = {}
    for m in lines:
        if m.tasks and m.steps_done == m.steps_asked:
            found.setdefault(m.tasks_hash, {task.index: task.steps for task in m.tasks})
    return found


def ending(task: TaskStamp, m: Measurement, full: Budgets) -> str:
    """Say how a task of a measurement ended: `done`, `fewer steps`, `failed`; `unknown` if none ran it in full."""
    if task.error:
        return "failed"
    if m.steps_done == m.steps_asked:
        return "done"
    budget = full.get(m.tasks_hash, {}).get(task.index)
    return "unknown" if budget is None else "done" if task.steps >= budget else "fewer steps"


def middle(lines: Sequence[Measurement]) -> Measurement | None:
    """Choose the good measurement with the median makespan: a chart of the best one would flatter."""
    stamped = sorted((m for m in lines if m.tasks), key=lambda m: (m.phases.makespan, m.key))
    return stamped[len(stamped) // 2] if stamped else None


def durations(data: Dataset) -> tuple[Durations, ...]:
    """Return the task times of every cell whose tasks ran in full."""
    found = []
    for of in data.cells:
        good = [m for m in of.good.values() if m.tasks and m.steps_done == m.steps_asked]
        seconds = sorted(task.ended - task.started for m in good for task in m.tasks)
        if len(seconds) > 1 and not of.cell.backend.is_control:
            step = -(-len(seconds) // MOST_VALUES)
            found.append(Durations(cell=of.cell, n=len(good), seconds=tuple(seconds[::step])))
    return tuple(found)
