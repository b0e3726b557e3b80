"""A function of the user's over a list of items, as `raybench try` runs it: task i calls it with item i."""

import functools
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

from raybench.model.errors import BackendFailed, WrongAnswer
from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.base import Workload, answer_hash, drawn

LOAD_ONLY = {"load": True}  # params of a warm-up task that brings the function and calls it not once


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """An item of a class that only the user's own process can import; pickled by value."""

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What a process needs to call the function. function, setup : pickled by value. folder : where the user stands."""

    function: bytes
    setup: bytes | None
    star: bool
    folder: str

    def call(self) -> Callable[[Any], Any]:
        """Return the function of one item; runs the set-up."""
        os.chdir(self.folder)
        function = cloudpickle.loads(self.function)
        first = () if self.setup is None else (cloudpickle.loads(self.setup)(),)

        def call(item: Any) -> Any:
            item = cloudpickle.loads(item.data) if isinstance(item, Packed) else item
            return function(*first, *item) if self.star else function(*first, item)

        return call


def pack(item: Any) -> Any:
    """Return the item, packed by value where another process could not import its class."""
    try:
        rest = pickle.dumps(item, protocol=5, buffer_callback=lambda _: None)
    except (pickle.PicklingError, AttributeError, TypeError):
        rest = b"__main__"
    if b"__main__" not in rest:
        return item
    try:
        return Packed(data=cloudpickle.dumps(item))
    except Exception as error:  # pickling an object of the user's may raise anything
        raise BackendFailed(f"an item of the type {type(item).__name__} cannot be sent to a worker: {error}") from error


def write(path: Path, payload: Payload, items: Sequence[Any]) -> None:
    """Write what `Function` reads: the payload and the items, each packed where it must be."""
    with path.open("wb") as file:
        pickle.dump((payload, [pack(item) for item in items]), file, protocol=5)


@functools.lru_cache(maxsize=1)
def read(path: str) -> tuple[Payload, list[Any]]:
    """Read the payload and its items; kept, as a driver asks several times."""
    with open(path, "rb") as file:
        payload, items = pickle.load(file)
    return payload, items


@functools.lru_cache(maxsize=1)
def _call_here(path: str) -> Callable[[Any], Any]:
    """Return the function for answers that the driver computes again."""
    return read(path)[0].call()


@dataclass(frozen=True, kw_only=True)
class Function(Workload):
    """The items travel with their tasks, as they do in a user's own loop over joblib or Ray.

    path : file that `write` made.
    cheapest : index of the item that warms up; None where each takes long: then workers only load the function.
    repeatable : two calls give the same answer; then one answer is computed again in the driver.
    """

    path: str
    cheapest: int | None = 0
    repeatable: bool = True

    def tasks(self, seed: int) -> list[Task]:
        # an item stands in a tuple, so that nobody takes a numpy scalar for a number of Python's
        return [Task(index=i, params={"item": (item,)}) for i, item in enumerate(read(self.path)[1])]

    def data(self, seed: int) -> Payload:
        return read(self.path)[0]

    def prepare(self, data: Payload) -> Callable[[Any], Any]:
        return data.call()

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        yield Progress(answer=None if task.params == LOAD_ONLY else context(task.params["item"][0]))

    def warm_up(self, seed: int) -> list[Task]:
        if self.cheapest is None:
            return [Task(index=0, params=LOAD_ONLY)]
        return [self.tasks(seed)[self.cheapest]]

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Compute one answer again here, as the sequential baseline would; it must be equal, or numbers very close."""
        if not self.repeatable:
            return
        which = drawn(seed, len(tasks))
        again = _call_here(self.path)(tasks[which].params["item"][0])
        if not same(results[which].answer, again):
            raise WrongAnswer(f"its answer to item {which} differs from that of the loop")


def same(one: Any, other: Any) -> bool:
    """Return whether two answers are equal: bit for bit, by `==`, or numbers within 1e-5 (numpy.allclose)."""
    try:
        if answer_hash(one) == answer_hash(other):
            return True
        if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
            return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
        if isinstance(one, dict) and isinstance(other, dict):
            return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
        if np.shape(one) != np.shape(other):
            return False
        return bool(np.all(one == other)) or bool(np.allclose(one, other, equal_nan=True))
    except Exception:  # noqa: BLE001 - objects of the user's may raise anything: then they are not known to be equal
        return False
