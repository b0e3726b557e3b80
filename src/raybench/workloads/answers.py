"""How a workload compares what came back with what is known; every mismatch names its task."""

import hashlib
import inspect
import math
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from raybench.model.errors import WrongAnswer
from raybench.model.measurement import TaskResult
from raybench.model.serialize import digest
from raybench.workloads.base import Workload, answer_hash
from raybench.workloads.files import generate_file


def demand_equal(what: str, results: Sequence[TaskResult], expected: Sequence[Any]) -> None:
    """Raise WrongAnswer unless every answer is the expected one, bit for bit."""
    for result, want in zip(results, expected, strict=True):
        if answer_hash(result.answer) != answer_hash(want):
            raise WrongAnswer(f"{what}: task {result.index} answered {_short(result.answer)}, expected {_short(want)}")


def demand_close(
    what: str, results: Sequence[TaskResult], expected: Sequence[float], *, relative: float = 0.0, absolute: float = 0.0
) -> None:
    """Raise WrongAnswer unless every answer is a number within the bound of the expected one."""
    for result, want in zip(results, expected, strict=True):
        got = result.answer
        number = isinstance(got, (int, float))
        if not number or not math.isclose(got, want, rel_tol=relative, abs_tol=absolute):
            raise WrongAnswer(f"{what}: task {result.index} answered {_short(got)}, expected {want!r}")


def remember(
    workload: Workload,
    seed: int,
    packages: Sequence[str],
    compute: Callable[[], npt.NDArray[Any]],
    *,
    file: Path | None = None,
) -> npt.NDArray[Any]:
    """Return answers that cost as much as the tasks: computed once per machine in a driver, then cached.

    packages : distributions whose version changes the answers; file : a table that they were learnt from.
    The key also holds the workload's parameters and its source, so that an edited workload never meets
    the answers of the old one.
    """
    kind = type(workload)
    key = {
        "params": repr(workload),
        "seed": seed,
        "source": inspect.getsource(sys.modules[kind.__module__]),
        "versions": {name: version(name) for name in ("numpy", *packages)},
        "file": hashlib.sha256(file.read_bytes()).hexdigest() if file else "",
    }

    def write(into: Path) -> None:
        with into.open("wb") as handle:
            np.save(handle, compute(), allow_pickle=False)

    with generate_file(f"answers-{kind.__name__.lower()}-{digest(key)[:16]}.npy", write).open("rb") as handle:
        return np.asarray(np.load(handle, allow_pickle=False))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
