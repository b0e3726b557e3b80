"""Bring the same array or frame to every task: by value, by reference, or by file; constant computation per byte."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from raybench.model.errors import BadSettings
from raybench.model.measurement import Details, Progress, Task, TaskResult
from raybench.workloads.answers import demand_close
from raybench.workloads.base import Workload
from raybench.workloads.files import generate_file

STEP = 2.0**-10  # a power of two: every x is exact, so the closed form of the sum meets no rounding of its terms
BLOCK = 8192  # elements of one call, 64 KiB: they stay in the cache, so a byte costs the same in 1 MB and in 1 GB
COLUMNS = 4  # of the frame
WORDS = {"way": ("reference", "value", "file"), "kind": ("array", "frame"), "share": ("whole", "slice")}


@dataclass(frozen=True, kw_only=True)
class Transfer(Workload):
    """Add sin(x), x = 0, STEP, 2 STEP ..., over an object of `size_bytes`, `passes` times, in each of `count` tasks.

    way : `reference`: the object is the workload's `data`, which the backend brings once (put, memory map);
        `value`: each task carries it in its params, so it is sent with every task;
        `file`: each task reads it from a file.
    share : `whole`: every task works on all of it; `slice`: it is cut into `count` parts, one per task.

    A task by value is the one exception to "params are JSON values": tasks live in memory only.
    By reference the bytes travel before the makespan, in the warm-up: compare the ways by cold time.
    """

    way: str
    size_bytes: int
    count: int
    passes: int
    share: str = "whole"
    kind: str = "array"

    def __post_init__(self) -> None:
        for name, words in WORDS.items():
            if getattr(self, name) not in words:
                raise BadSettings(f"transfer: {name} {getattr(self, name)!r}: choose from {', '.join(words)}")
        if self._length < self.count * COLUMNS:
            raise BadSettings(f"transfer: {self.size_bytes} bytes give {self.count} tasks fewer than {COLUMNS} numbers")

    def tasks(self, seed: int) -> list[Task]:
        bounds = [(0, self._length)] * self.count
        if self.share == "slice":
            rows = self._length // COLUMNS
            cuts = [COLUMNS * (rows * i // self.count) for i in range(self.count + 1)]
            bounds = list(pairwise(cuts))
        params: list[dict[str, Any]] = [{"start": a, "stop": b, "passes": self.passes} for a, b in bounds]
        if self.way == "value":
            whole = self._object(0, self._length)  # one object for all: each task still sends its own copy
            for p in params:
                p["payload"] = whole if self.share == "whole" else self._object(p["start"], p["stop"])
        return [Task(index=i, params=p) for i, p in enumerate(params)]

    def data(self, seed: int) -> Any:
        """Return the object, or the path of its file, or nothing where the tasks carry it."""
        if self.way == "reference":
            return self._object(0, self._length)
        return str(generate_file(f"ramp-numbers-{self._length}.bin", self._write)) if self.way == "file" else None

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        start, stop = task.params["start"], task.params["stop"]
        if self.way == "value":
            numbers = _flat(task.params["payload"])
        elif self.way == "reference":
            numbers = _flat(context)[start:stop]
        else:
            raw = np.fromfile(context, dtype=np.float64, count=stop - start, offset=8 * start)
            numbers = _flat(_shape(raw, self.kind))
        yield Progress(answer=_sum_of_sines(numbers, task.params["passes"]))

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Compare with the closed form: sin(m h) / sin(h) * sin(middle), where h is half a step."""
        expected = [t.params["passes"] * _closed_form(t.params["start"], t.params["stop"]) for t in tasks]
        demand_close("transfer", results, expected, absolute=1e-6 * self.passes)

    def warm_up(self, seed: int) -> list[Task]:
        params: dict[str, Any] = {"start": 0, "stop": COLUMNS, "passes": 1}
        if self.way == "value":
            params["payload"] = self._object(0, COLUMNS)
        return [Task(index=0, params=params)]

    def details(self, tasks: Sequence[Task], results: Sequence[TaskResult]) -> Details:
        return Details(bytes_used=sum(8 * (t.params["stop"] - t.params["start"]) for t in tasks))

    def facts(self, tasks: Sequence[Task], results: Sequence[TaskResult]) -> dict[str, Any]:
        return {"object_bytes": 8 * self._length, "way": self.way, "share": self.share}

    @property
    def _length(self) -> int:
        """Numbers in the object: whole rows of the frame."""
        return self.size_bytes // (8 * COLUMNS) * COLUMNS

    def _object(self, start: int, stop: int) -> npt.NDArray[np.float64] | pd.DataFrame:
        return _shape(np.arange(start, stop, dtype=np.float64) * STEP, self.kind)

    def _write(self, path: Path) -> None:
        (np.arange(self._length, dtype=np.float64) * STEP).tofile(path)


def _shape(numbers: npt.NDArray[np.float64], kind: str) -> npt.NDArray[np.float64] | pd.DataFrame:
    if kind == "array":
        return numbers
    return pd.DataFrame(numbers.reshape(-1, COLUMNS), columns=list("abcd"), copy=False)


def _flat(thing: npt.NDArray[np.float64] | pd.DataFrame) -> npt.NDArray[np.float64]:
    """See the object as one row of numbers, without a copy where its memory allows."""
    return (thing.to_numpy() if isinstance(thing, pd.DataFrame) else thing).reshape(-1)


def _sum_of_sines(numbers: npt.NDArray[np.float64], passes: int) -> float:
    room, total = np.empty(BLOCK), 0.0
    for begin in range(0, len(numbers), BLOCK):
        block = numbers[begin : begin + BLOCK]
        for _ in range(passes):
            total += float(np.sin(block, out=room[: len(block)]).sum())
    return total


def _closed_form(start: int, stop: int) -> float:
    half, count = STEP / 2.0, stop - start
    return math.sin(count * half) / math.sin(half) * math.sin((2 * start + count - 1) * half)
