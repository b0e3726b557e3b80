"""A workload with one quirk at a time, as users of neighbouring tools have reported them.

It imports what a user's own workload would.
"""

import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from raybench import Progress, Task, TaskResult, Workload, WrongAnswer

STEPS = (1, 3, 9)


class OwnError(Exception):
    """An error that pickle cannot rebuild: its constructor takes two arguments and passes on one."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(f"{code}: {detail}")


class Wordless(Exception):
    """An error without a text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Quirk(Workload):
    """Answer each task's own number, but for the quirk that `mode` chooses; the task with index 3 misbehaves."""

    rungs = STEPS

    def __init__(self, *, mode: str = "ok", count: int = 4) -> None:
        self.mode = mode
        self.count = count
        if mode == "unpicklable":
            self.extra = lambda x: x
        if mode == "exit in __init__":
            sys.exit(3)

    def tasks(self, seed: int) -> Any:
        if self.mode == "exit in tasks":
            sys.exit(3)
        if self.mode == "text for tasks":
            return "abc"
        kind = np.int64 if self.mode == "numpy in tasks" else int
        steps = kind(9) if self.mode.startswith("loss") else None
        return [
            Task(index=0 if self.mode == "equal indices" else kind(i), params={"i": kind(i)}, steps=steps)
            for i in range(self.count)
        ]

    def data(self, seed: int) -> Any:
        if self.mode == "interrupt in data":
            raise KeyboardInterrupt
        return {"x": np.zeros(200_000), "few": np.zeros(3), "names": ["a"]}

    def prepare(self, data: Any) -> Any:
        if self.mode == "own error in prepare":
            raise OwnError(7, "in prepare")
        if self.mode == "exit in prepare":
            sys.exit(3)
        return data

    def run(self, task: Task, context: Any) -> Any:
        if self.mode == "returns":  # the most natural mistake: a value instead of a generator
            return task.params["i"]
        return self._run(task, context)

    def _run(self, task: Task, context: Any) -> Iterator[Any]:
        number = int(task.params["i"])
        if self.mode == "in place":
            context["x"] += 1
        if self.mode == "in place, few":
            context["few"] += 1
        if self.mode == "relative path":
            Path("quirk.txt").read_text()
        if number == 3:
            yield from self._misbehave()
        if self.mode.startswith("loss"):
            for steps in STEPS:
                yield Progress(steps=steps, loss=self._loss(number, steps), answer=number if steps == 9 else None)
        elif self.mode != "yields nothing":
            yield Progress(answer=(lambda: 1) if number == 3 and self.mode == "answers with a lambda" else number)

    def _misbehave(self) -> Iterator[Any]:
        if self.mode == "exit":
            sys.exit(3)
        if self.mode == "interrupt":
            raise KeyboardInterrupt
        if self.mode == "own error":
            raise OwnError(7, "in run")
        if self.mode == "wordless error":
            raise Wordless
        if self.mode == "control characters":
            raise ValueError("red \x1b[31m and \u202e turned, \udcff lost")
        if self.mode == "pool":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                pool.map(abs, [1])
        if self.mode == "prints":
            sys.stdout.write("noise\n")
            os.write(1, b"noise below Python\n")
        if self.mode == "yields a text":
            yield "not progress"

    def _loss(self, number: int, steps: int) -> Any:
        value = (number + 1) / steps
        kinds = {
            "loss of numpy, 32": np.float32,
            "loss of numpy, 64": np.float64,
            "loss is a text": str,
            "loss is NaN": lambda v: float("nan") if number % 2 else v,
        }
        return kinds.get(self.mode, float)(value)

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        if self.mode == "exit in check":
            sys.exit(3)
        for task, result in zip(tasks, results, strict=True):
            if result.answer not in (task.params["i"], None):
                raise WrongAnswer(f"quirk: task {task.index} answered {result.answer!r}")

    def score(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> Any:
        scores = {
            "score is a list": [1],
            "score is a text": {"rmse": "abc"},
            "score is NaN": {"rmse": float("nan")},
            "numpy in score": {"rmse": np.float32(2)},
        }
        return scores.get(self.mode, {})

    def facts(self, tasks: Sequence[Task], results: Sequence[TaskResult]) -> Any:
        facts = {
            "numpy in facts": {"rows": np.int64(3), "part": [np.float32(0.5)]},
            "object in facts": {"rows": 3, "x": {"y": object()}},
            "facts are None": None,
        }
        return facts.get(self.mode, {})
