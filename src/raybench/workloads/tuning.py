"""What searches for hyper-parameters share: the split, drawing configurations, judging answers, choosing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt
from sklearn.metrics import r2_score, root_mean_squared_error

from raybench.model.errors import WrongAnswer
from raybench.model.measurement import Task, TaskResult
from raybench.workloads.base import drawn, spawn_seeds

TEST_SHARE = 0.2  # of all rows, never seen by a worker's labels
VALIDATION_SHARE = 0.2  # of the other rows; the rest is trained on: 64 / 16 / 20 per cent in all
SPLIT, BASELINE = 1, 2  # streams of a seed; 0 is the task list
SAME_LOSS = 1e-9  # both sides are computed in float64 from the same predictions
SAME_MODEL = 1e-5  # float32 predictions of equal trees, summed in rungs or at once; another tree shows at 1e-2

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Answer: TypeAlias = dict[str, Floats]  # predictions: `validation` and `test`, in the order of the split's rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What the workers get: x (n, features) float32, y (n,) float64. Test labels are not among it."""

    x_train: Floats
    y_train: Floats
    x_validation: Floats
    y_validation: Floats
    x_test: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One division of a table: the workers' rows, and the labels that the driver keeps for the score."""

    rows: Rows
    y_test: Floats


@runtime_checkable
class Search(Protocol):
    """What this module and the quality pass need of a workload that tunes a regressor.

    rungs : step counts at which every task reports, growing by one factor.
    resplits : how many splits the quality pass's `random_split` variant chooses from; 0: no such variant.
    """

    @property
    def rungs(self) -> Sequence[int]: ...

    @property
    def resplits(self) -> int: ...

    def split(self, seed: int) -> Split:
        """Divide the table; the same for every backend."""
        ...

    def train_at_once(self, task: Task, rows: Rows) -> Answer:
        """Train in one call of the library, without rungs: the independent way to the same model."""
        ...

    def reference_models(self, seed: int) -> Mapping[str, Task]:
        """Return further models by name, to be scored beside the tuned one in the quality pass."""
        ...


# --- before the run -------------------------------------------------------------------------------


def divide(x: Floats, y: Floats, seed: int, *, test_rows: int | None = None) -> Split:
    """Divide rows into train, validation and test by a permutation that depends on the seed only.

    test_rows : upper limit of the test rows, for large made tables whose errors are stored row by row.
    """
    order = np.random.default_rng(spawn_seeds(seed, 1, stream=SPLIT)[0]).permutation(len(y))
    wanted = round(TEST_SHARE * len(y))
    tests = wanted if test_rows is None else min(wanted, test_rows)
    validations = round(VALIDATION_SHARE * (len(y) - tests))
    test, validation, train = np.split(order, [tests, tests + validations])
    x, y = np.asarray(x, dtype=np.float32), np.asarray(y, dtype=np.float64)
    rows = Rows(
        x_train=x[train],
        y_train=y[train],
        x_validation=x[validation],
        y_validation=y[validation],
        x_test=x[test],
    )
    return Split(rows=rows, y_test=y[test])


def whole(rng: np.random.Generator, bounds: Sequence[float]) -> int:
    """Draw a whole number between two bounds, both included."""
    low, high = bounds
    return int(rng.integers(int(low), int(high) + 1))


def between(rng: np.random.Generator, bounds: Sequence[float]) -> float:
    """Draw uniformly between two bounds."""
    low, high = bounds
    return float(rng.uniform(low, high))


def log_between(rng: np.random.Generator, bounds: Sequence[float]) -> float:
    """Draw between two positive bounds, uniformly in the logarithm."""
    low, high = bounds
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def model_seed(rng: np.random.Generator) -> int:
    """Draw a seed that every library takes."""
    return int(rng.integers(2**31))


# --- within the run -------------------------------------------------------------------------------


def stops(rungs: Sequence[int], steps: int) -> Iterator[int]:
    """Yield the rungs below the full budget, then the full budget."""
    yield from (rung for rung in rungs if rung < steps)
    yield steps


def rmse(y: Floats, predicted: Floats) -> float:
    """Compute the root mean squared error in float64."""
    return float(np.sqrt(np.mean(np.square(np.asarray(y, dtype=np.float64) - predicted))))


# --- after the run --------------------------------------------------------------------------------


def complete(task: Task, result: TaskResult) -> bool:
    """Return whether the task spent its full budget."""
    return task.steps is None or result.steps == task.steps


def check(search: Search, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
    """Judge every loss and answer, and train a model again in one call of the library.

    A completed task's loss must follow from its predictions; a stopped one must have stopped at a rung. One completed
    task must predict, and one stopped one lose, what the one-call model does; which ones, the measurement draws.
    """
    split = search.split(seed)
    for task, result in zip(tasks, results, strict=True):
        if result.loss is None or not np.isfinite(result.loss):
            raise WrongAnswer(f"task {task.index}: loss {result.loss} is no finite number")
        if complete(task, result):
            _check_answer(task, result, split)
        elif result.steps not in search.rungs or result.answer is not None:
            raise WrongAnswer(
                f"task {task.index}: stopped after {result.steps} of {task.steps} steps; "
                f"expected a rung of {tuple(search.rungs)} and no answer"
            )
    for finished in (True, False):
        pairs = [(t, r) for t, r in zip(tasks, results, strict=True) if complete(t, r) is finished]
        if pairs:
            _confirm(search, *pairs[drawn(seed, len(pairs))], split)


def _check_answer(task: Task, result: TaskResult, split: Split) -> None:
    for part, y in (("validation", split.rows.y_validation), ("test", split.y_test)):
        predicted = (result.answer or {}).get(part)
        if predicted is None or predicted.shape != y.shape or not np.isfinite(predicted).all():
            raise WrongAnswer(f"task {task.index}: expected {len(y)} finite {part} predictions, got {predicted!r:.80}")
    expected = root_mean_squared_error(split.rows.y_validation, result.answer["validation"].astype(np.float64))
    if result.loss is None or not np.isclose(result.loss, expected, rtol=SAME_LOSS, atol=0):
        raise WrongAnswer(f"task {task.index}: loss {result.loss!r}, its predictions give {expected!r}")


def _confirm(search: Search, task: Task, result: TaskResult, split: Split) -> None:
    again = search.train_at_once(replace(task, steps=result.steps), split.rows)
    expected = rmse(split.rows.y_validation, again["validation"])
    if result.loss is None or not np.isclose(result.loss, expected, rtol=SAME_MODEL, atol=0):
        raise WrongAnswer(
            f"task {task.index}: loss {result.loss!r} after {result.steps} steps, trained again {expected!r}"
        )
    if complete(task, result):
        for part, predicted in again.items():
            if not np.allclose(result.answer[part], predicted, rtol=SAME_MODEL, atol=SAME_MODEL * np.std(predicted)):
                raise WrongAnswer(f"task {task.index}: {part} predictions differ from those of the model trained again")


def choose(tasks: Sequence[Task], results: Sequence[TaskResult]) -> TaskResult | None:
    """Choose by validation among the fully trained: the last losses of stopped tasks mix budgets."""
    full = [r for t, r in zip(tasks, results, strict=True) if complete(t, r) and r.loss is not None]
    return min(full, key=lambda r: (r.loss, r.index), default=None)


def score(search: Search, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> dict[str, float]:
    """Score the chosen configuration on the untouched test rows.

    Where a search stopped every task, its best one at the deepest rung is trained in full here.
    """
    split = search.split(seed)
    best = choose(tasks, results)
    if best is None:
        deepest = max(r.steps for r in results)
        best = min((r for r in results if r.steps == deepest), key=lambda r: (r.loss, r.index))
        task = next(t for t in tasks if t.index == best.index)
        best = replace(best, answer=search.train_at_once(task, split.rows))
    predicted = best.answer["test"]
    return {
        "rmse": rmse(split.y_test, predicted),
        "r2": float(r2_score(split.y_test, predicted)),
        "rmse_validation": rmse(split.rows.y_validation, best.answer["validation"]),
        "chosen": float(best.index),
    }


def row_errors(search: Search, answer: Answer, seed: int) -> npt.NDArray[np.float64]:
    """Return the squared error of each test row."""
    return np.square(search.split(seed).y_test - np.asarray(answer["test"], dtype=np.float64))


def parts(split: Split) -> dict[str, tuple[Floats, Floats]]:
    """Return x and y of each part by its name, for a model that leaves the study (`raybench promote`)."""
    rows = split.rows
    return {
        "train": (rows.x_train, rows.y_train),
        "validation": (rows.x_validation, rows.y_validation),
        "test": (rows.x_test, split.y_test),
    }
