"""What a workload of the user's gives us, checked and brought to plain values before anything is started."""

import math
import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from raybench.model.errors import BackendFailed, one_line, raised_by
from raybench.model.measurement import Task
from raybench.workloads.base import Workload, answer_hash

PLAIN = (bool, int, float, str, type(None))


def ask(workload: Workload, method: str, *arguments: Any) -> Any:
    """Call a method of the user's; whatever it raises becomes one line that names the method."""
    with raised_by(f"`{method}`"):
        return getattr(workload, method)(*arguments)


def draw_tasks(workload: Workload, seed: int) -> list[Task]:
    """Return the workload's tasks; BackendFailed names the rule they break: at least one, indices 0, 1, 2 ..."""
    return check_tasks(f"{type(workload).__name__}.tasks", ask(workload, "tasks", seed))


def draw_warm_up(workload: Workload, seed: int) -> list[Task]:
    """Return the tiny tasks, at least one; they are numbered anew, so that their indices say nothing."""
    source = f"{type(workload).__name__}.warm_up"
    tasks = _listed(source, ask(workload, "warm_up", seed))
    return check_tasks(source, [replace(task, index=place) for place, task in enumerate(tasks)])


def draw_sweep(workload: Workload, seed: int) -> list[tuple[int, list[Task]]]:
    """Return the granularity sweep's steps, (work per task, tasks) each; [] for an ordinary workload."""
    source = f"{type(workload).__name__}.sweep"
    return [(int(work), check_tasks(source, tasks)) for work, tasks in ask(workload, "sweep", seed)]


def check_tasks(source: str, tasks: Any) -> list[Task]:
    """Return the tasks with plain numbers; BackendFailed where they are no task set."""
    checked = []
    for place, task in enumerate(_listed(source, tasks)):
        if task.index != place:
            raise BackendFailed(
                f"{source}: task number {place} has the index {task.index!r}; indices are 0, 1, 2 ..., each once"
            )
        checked.append(_with_plain_values(task, place))
    return checked


def hash_tasks(tasks: Sequence[Task]) -> str:
    """Hash the task set: equal for every backend. BackendFailed naming the task whose params cannot be hashed."""
    for task in tasks:
        for name, value in task.params.items():
            if type(value) not in PLAIN:
                with raised_by(f"task {task.index}: params[{name!r}] cannot be sent to a worker: pickling it"):
                    pickle.dumps(value, protocol=5, buffer_callback=lambda _: None)
    return answer_hash([[task.index, dict(task.params), task.steps] for task in tasks])


def plain(value: Any, where: str) -> Any:
    """Return the value in JSON's own types, numpy's numbers cast; BackendFailed names the place of what is none."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, np.generic):
        return _plain_leaf(value.item(), where)
    if isinstance(value, np.ndarray):
        return plain(value.tolist(), where)
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{where}[{place}]") for place, item in enumerate(value)]
    return _plain_leaf(value, where)


def _plain_leaf(value: Any, where: str) -> Any:
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if value is None:
        return None
    raise BackendFailed(
        f"{where} is of the type {type(value).__name__}, no JSON value; expected numbers, texts, lists, mappings"
    )


def plain_mapping(values: Any, where: str) -> tuple[dict[str, Any], str]:
    """Return those values that are JSON, or can be cast, and a line on the first that cannot ('' where all can)."""
    kept: dict[str, Any] = {}
    fault = ""
    for name, value in values.items():
        try:
            kept[str(name)] = plain(value, f"{where}[{name!r}]")
        except BackendFailed as error:
            fault = fault or str(error)
    return kept, fault


def facts(workload: Workload, values: Any) -> dict[Any, Any]:
    """Return what the workload adds to the raw line; BackendFailed where it is no mapping."""
    if not isinstance(values, Mapping):
        name = type(workload).__name__
        raise BackendFailed(f"{name}.facts returned a {type(values).__name__}; expected a mapping of names to values")
    return dict(values)


def scores(workload: Workload, values: Any) -> dict[str, float]:
    """Return the scores by name as floats; BackendFailed names the one that is no finite number."""
    name = type(workload).__name__
    if not isinstance(values, Mapping):
        raise BackendFailed(f"{name}.score returned a {type(values).__name__}; expected a mapping of names to numbers")
    numbers = {}
    for key, value in values.items():
        if isinstance(value, (str, bytes)) or not hasattr(value, "__float__"):
            raise BackendFailed(f"{name}.score: {key} is {value!r:.60}, a {type(value).__name__}; expected a number")
        numbers[str(key)] = float(value)
        if not math.isfinite(numbers[str(key)]):
            raise BackendFailed(f"{name}.score: {key} is {numbers[str(key)]}; expected a finite number")
    return numbers


def hash_answers(indexed: Iterable[tuple[int, Any]]) -> str:
    """Hash the answers in order; BackendFailed naming the task whose answer cannot be hashed."""
    answers = list(indexed)
    try:
        return answer_hash([answer for _, answer in answers])
    except Exception as error:  # noqa: BLE001 - pickling an object of the user's may raise anything
        failure = one_line(error)
    for index, answer in answers:
        with raised_by(f"task {index}: its answer cannot be hashed: pickling it"):
            answer_hash(answer)
    raise BackendFailed(f"the answers cannot be hashed: {failure}")


def _listed(source: str, tasks: Any) -> Sequence[Task]:
    if not isinstance(tasks, (list, tuple)):
        raise BackendFailed(f"{source} returned {tasks!r:.60} ({type(tasks).__name__}); expected a list of Task")
    if not tasks:
        raise BackendFailed(f"{source} returned no task; expected at least one")
    for place, task in enumerate(tasks):
        if not isinstance(task, Task):
            raise BackendFailed(f"{source}: number {place} is {task!r:.60} ({type(task).__name__}); expected a Task")
    return tasks


def _with_plain_values(task: Task, place: int) -> Task:
    steps = task.steps
    params = {name: value.item() if isinstance(value, np.generic) else value for name, value in task.params.items()}
    if steps is not None and type(steps) is not int:
        if not hasattr(steps, "__index__"):
            raise BackendFailed(f"task {place}: Task.steps is {steps!r:.60}; expected a whole number or None")
        steps = int(steps)
    return Task(index=place, params=params, steps=steps)
