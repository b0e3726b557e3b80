"""The quality pass: errors of baseline and tuned models on untouched rows, over many splits; nothing is timed here.

Split, search seed and model seeds vary together from pair to pair. Analysis (ratios, intervals) is not here: `hpo.py`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from raybench.backends.asha import StoppingAsha, rungs_of
from raybench.backends.base import execute
from raybench.model.measurement import Quality, Task, TaskResult
from raybench.workloads.base import Workload, spawn_seeds
from raybench.workloads.tuning import Search, choose, rmse

PAIRS, RESPLITS = 3, 4  # streams of the seed, beside those of workloads.tuning
DIGITS = 6  # significant digits kept of an error: far below the noise, and a third of the bytes
REDUCTION_FACTOR = 3.0  # of the replayed ASHA; the rungs of the workloads grow by it


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One named way to come to a model, with that model's answer and validation error."""

    name: str
    answer: Any
    validation: float
    chosen: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What every variant of one (split, search seed) pair shares."""

    workload: Workload
    name: str
    number: int
    seed: int
    metric: str
    baseline: Task
    baseline_errors: npt.NDArray[np.float64]

    def test_error(self, errors: npt.NDArray[np.float64]) -> float:
        """Reduce errors of rows to the metric: root mean square, or share of wrong rows."""
        mean = float(np.mean(errors))
        return float(np.sqrt(mean)) if self.metric == "rmse" else mean


def quality_pass(
    name: str, workload: Workload, pairs: int, seed: int, *, only: Collection[int] | None = None
) -> Iterator[Quality]:
    """Yield the lines of each pair, every variant against the workload's baseline on the same rows.

    name : of the workload's Spec. Yields nothing for a workload without a baseline.
    Variants: `tuned` (every configuration in full); and of a Search: `asha` (the stopping rule replayed on the recorded
    rungs, tasks in order, the winner trained in full), `mean` (predicts the training mean), those of
    `Search.named`, and `random_split` (the lucky one of several splits of the baseline model; no errors by row).
    only : the pairs to take, where several processes share them; a pair's seeds do not depend on it.
    Raises WrongAnswer where a workload's own check fails.
    """
    for number, child in enumerate(spawn_seeds(seed, pairs, stream=PAIRS)):
        if only is not None and number not in only:
            continue  # another process takes it
        yield from _pair(name, workload, number, _whole(child))


def _pair(name: str, workload: Workload, number: int, seed: int) -> Iterator[Quality]:
    baseline = workload.baseline(seed)
    if baseline is None:
        return
    context = workload.prepare(workload.data(seed))
    tasks = workload.tasks(seed)
    results = [execute(workload, task, context) for task in tasks]
    workload.check(tasks, results, seed)
    pair = Pair(
        workload=workload,
        name=name,
        number=number,
        seed=seed,
        metric="rmse" if "rmse" in workload.score(tasks, results, seed) else "error_rate",
        baseline=baseline,
        baseline_errors=workload.row_errors(execute(workload, baseline, context).answer, seed),
    )
    yield _line(pair, _search("tuned", tasks, results))
    if isinstance(workload, Search):
        kept = replay(tasks, results, rungs_of(workload, tasks, reduction_factor=REDUCTION_FACTOR))
        yield _line(pair, _search("asha", tasks, kept))
        yield _line(pair, _mean(workload, seed))
        for variant, task in workload.reference_models(seed).items():
            result = execute(workload, task, context)
            yield _line(
                pair, Variant(name=variant, answer=result.answer, validation=_loss(result), chosen=dict(task.params))
            )
        if workload.resplits:
            yield _random_split(pair, workload.resplits)


def replay(tasks: Sequence[Task], results: Sequence[TaskResult], rungs: Sequence[int]) -> list[TaskResult]:
    """Apply stopping ASHA to tasks that ran in full, one after another: each cut back to where it would have ended."""
    rule = StoppingAsha(rungs, reduction_factor=REDUCTION_FACTOR)
    kept = []
    for task, result in zip(tasks, results, strict=True):
        at_rungs = [(p.steps, p.loss) for p in result.points if p.steps in rungs and p.loss is not None]
        stop = next(((steps, loss) for steps, loss in at_rungs if not rule.decide(steps, loss)), None)
        if stop is None or stop[0] == task.steps:  # a verdict at the full budget comes too late to save anything
            kept.append(result)
        else:
            kept.append(replace(result, steps=stop[0], loss=stop[1], answer=None))
    return kept


def _search(name: str, tasks: Sequence[Task], results: Sequence[TaskResult]) -> Variant:
    """Choose by validation among the fully trained, and count the steps that the search took."""
    best = choose(tasks, results)
    assert best is not None, "a sequential search trains its first configuration in full"
    task = next(task for task in tasks if task.index == best.index)
    return Variant(
        name=name,
        answer=best.answer,
        validation=_loss(best),
        chosen={"index": task.index, **task.params},
        scores={
            "steps_asked": float(sum(task.steps or 0 for task in tasks)),
            "steps_done": float(sum(result.steps for result in results)),
            "stopped": float(sum(result.answer is None for result in results)),
        },
    )


def _mean(workload: Search, seed: int) -> Variant:
    split = workload.split(seed)
    mean = float(np.mean(split.rows.y_train))
    answer = {
        "validation": np.full(len(split.rows.y_validation), mean),
        "test": np.full(len(split.y_test), mean),
    }
    return Variant(name="mean", answer=answer, validation=rmse(split.rows.y_validation, answer["validation"]))


def _random_split(pair: Pair, count: int) -> Quality:
    """Train the baseline model on further splits and take the luckiest: how much a split alone can "gain"."""
    workload = pair.workload
    tests, losses = [], []
    for child in spawn_seeds(pair.seed, count, stream=RESPLITS):
        seed = _whole(child)
        result = execute(workload, pair.baseline, workload.prepare(workload.data(seed)))
        tests.append(pair.test_error(workload.row_errors(result.answer, seed)))
        losses.append(_loss(result))
    lucky = int(np.argmin(tests))
    return Quality(
        workload=pair.name,
        variant="random_split",
        pair=pair.number,
        metric=pair.metric,
        baseline=_describe(pair.baseline),
        baseline_test=_round(pair.test_error(pair.baseline_errors)),
        tuned_validation=_round(losses[lucky]),
        tuned_test=_round(tests[lucky]),
        scores={f"split_{i}": _round(test) for i, test in enumerate(tests)},
        chosen={"split": lucky},
    )


def _line(pair: Pair, variant: Variant) -> Quality:
    errors = pair.workload.row_errors(variant.answer, pair.seed)
    return Quality(
        workload=pair.name,
        variant=variant.name,
        pair=pair.number,
        metric=pair.metric,
        baseline=_describe(pair.baseline),
        baseline_test=_round(pair.test_error(pair.baseline_errors)),
        tuned_validation=_round(variant.validation),
        tuned_test=_round(pair.test_error(errors)),
        baseline_errors=tuple(_round(error) for error in pair.baseline_errors),
        tuned_errors=tuple(_round(error) for error in errors),
        scores=variant.scores,
        chosen=variant.chosen,
    )


def _describe(task: Task) -> str:
    return ", ".join(f"{name} {value}" for name, value in task.params.items() if name != "seed")


def _loss(result: TaskResult) -> float:
    assert result.loss is not None, f"task {result.index} of a tuned workload has no loss"
    return result.loss


def _round(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _whole(child: np.random.SeedSequence) -> int:
    return int(child.generate_state(1)[0])
