"""Error over time of a search: best loss so far, and the time until a target was reached."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from raybench.analysis.dataset import CellData, Dataset
from raybench.model.estimate import Estimate
from raybench.model.measurement import Measurement, TaskStamp
from raybench.model.plan import Cell, Tag
from raybench.model.stats import MIN_BLOCKS, Resampler, from_draws, insufficient, median_rank_ci

Floats = npt.NDArray[np.float64]
GRID_POINTS = 200  # of a drawn curve
FACTORS = (1.0, 1.01)  # targets: times the loss of the full sequential search
ROUNDING = 1e-9  # a loss that close to the target is the same loss


class Axis(StrEnum):
    """What a search spends."""

    WALL = "wall"  # seconds since before the backend started
    BUSY = "busy"  # seconds of tasks at work, summed over workers
    STEPS = "steps"  # boosting rounds, trees


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """Best validation loss so far of one measurement: `loss[i]` holds from `spent[i]` on. end : where it stopped."""

    spent: Floats
    loss: Floats
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Anytime:
    """Median best loss over blocks at each point of the union grid, with its rank interval; inf before the first.

    test : scores of the winner on untouched rows, at the end of the search.
    """

    cell: Cell
    axis: Axis
    n: int
    spent: tuple[float, ...]
    loss: tuple[Estimate, ...]
    test: Mapping[str, Estimate]

    @property
    def best(self) -> float:
        """Return the lowest median loss."""
        return min((e.point for e in self.loss), default=math.inf)

    def regret(self, best: float) -> list[tuple[float, Estimate]]:
        """Return (spent, loss above the best as a fraction) from the first finite loss on; interval ends may be inf."""
        return [
            (x, replace(e, point=e.point / best - 1, low=e.low / best - 1, high=e.high / best - 1))
            for x, e in zip(self.spent, self.loss, strict=True)
            if math.isfinite(e.point)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeToTarget:
    """Seconds until the loss of the full sequential search (times `factor`) was reached.

    median : inf where half of the searches never got there. ert : (time of all searches) / successes; inf at 0.
    Source: Hansen et al. 2021, COCO, "expected running time".
    """

    cell: Cell
    factor: float
    n: int
    successes: int
    median: Estimate
    ert: Estimate


def trajectory(m: Measurement, axis: Axis) -> Trajectory:
    """Follow the best reported loss; the wall clock starts before the backend does, a shared head's start included."""
    events = sorted((at, loss, t.index, steps) for t in m.tasks for steps, loss, at in _reports(t))
    at = np.array([e[0] for e in events])
    losses = np.array([np.inf if e[1] is None else e[1] for e in events])
    if axis is Axis.WALL:
        before = m.phases.start_up + m.phases.warm_up + (m.head.start_s if m.head else 0.0)
        spent, end = at + before, before + m.phases.makespan
    elif axis is Axis.BUSY:
        started, ended = np.array([(t.started, t.ended) for t in m.tasks]).reshape(-1, 2).T
        spent = np.clip(at[:, None] - started, 0, ended - started).sum(axis=1)
        end = float((ended - started).sum())
    else:
        reached: dict[int, int] = {}
        done = []
        for _, _, index, steps in events:
            reached[index] = max(steps, reached.get(index, 0))
            done.append(float(sum(reached.values())))
        spent, end = np.array(done), float(m.steps_done)
    return Trajectory(spent=spent, loss=np.minimum.accumulate(losses), end=float(end))


def _reports(task: TaskStamp) -> Iterator[tuple[int, float | None, float]]:
    """List (steps, loss, at) of a task, its end being a report even where it gave none on the way."""
    yield from task.points
    if not task.points:
        yield task.steps, task.loss, task.ended


def curves(data: Dataset, *, axis: Axis = Axis.WALL) -> list[Anytime]:
    """Return the anytime curve of every search cell with stamps, in reading order."""
    return [_anytime(of.cell, axis, good) for of in data.cells if (good := _searches(of))]


def _searches(of: CellData) -> dict[int, Measurement]:
    """Return the good measurements in which losses were reported, by block."""
    if Tag.HPO not in of.cell.workload.tags:
        return {}
    return {b: m for b, m in sorted(of.good.items()) if any(t.loss is not None or t.points for t in m.tasks)}


def _anytime(cell: Cell, axis: Axis, good: Mapping[int, Measurement]) -> Anytime:
    paths = [trajectory(m, axis) for m in good.values()]
    union = np.unique(np.concatenate([p.spent for p in paths] + [np.array([p.end for p in paths])]))
    if len(union) > GRID_POINTS:
        union = union[np.linspace(0, len(union) - 1, GRID_POINTS).round().astype(int)]
    table = np.stack([_at(p, union) for p in paths])
    names = sorted({name for m in good.values() for name in m.scores})
    return Anytime(
        cell=cell,
        axis=axis,
        n=len(paths),
        spent=tuple(float(x) for x in union),
        loss=tuple(median_rank_ci(column) for column in table.T),
        test={name: median_rank_ci([m.scores[name] for m in good.values() if name in m.scores]) for name in names},
    )


def _at(path: Trajectory, spent: Floats) -> Floats:
    """Fill a trajectory forward onto a grid; inf before its first report."""
    place = np.searchsorted(path.spent, spent, side="right") - 1
    return np.where(place >= 0, path.loss[np.maximum(place, 0)], np.inf)


def times_to_target(
    data: Dataset, resampler: Resampler | None = None, *, factors: Sequence[float] = FACTORS
) -> list[TimeToTarget]:
    """Return, for every search cell and factor, the wall time until the full sequential search's loss was reached."""
    draws = resampler or Resampler()
    found = []
    for of in data.cells:
        good, theirs = _searches(of), _searches(of.baseline) if of.baseline else {}
        blocks = sorted(good.keys() & theirs.keys())
        if not blocks:
            continue
        targets = np.array([_final_loss(theirs[b]) for b in blocks])
        paths = [trajectory(good[b], Axis.WALL) for b in blocks]
        found += [_time_to(of.cell, factor, paths, factor * targets, draws) for factor in factors]
    return found


def sooner(
    searches: tuple[CellData, CellData], base: CellData, *, factor: float, resampler: Resampler
) -> Estimate | None:
    """Return the second search's expected time to the target / the first's, warm, over the blocks that both have.

    base : the full one-thread search, whose loss times `factor` is the target. Infinite where only the first
    ever reached it, 0 where only the second did; None where neither did, or without a common block.
    """
    found = [_searches(of) for of in (*searches, base)]
    blocks = sorted(set.intersection(*(set(of) for of in found)))
    mine, theirs = (_hits([of[b] for b in blocks], [found[2][b] for b in blocks], factor) for of in found[:2])
    if not blocks or not (mine[1].any() or theirs[1].any()):
        return None
    point = float(_expected_time(*theirs) / _expected_time(*mine))
    if len(blocks) < MIN_BLOCKS:
        return insufficient(point, len(blocks))
    chosen = resampler.indices(len(blocks))
    with np.errstate(invalid="ignore"):  # inf / inf: a draw in which neither got there tells nothing
        drawn = _expected_time(theirs[0][chosen], theirs[1][chosen]) / _expected_time(mine[0][chosen], mine[1][chosen])
    return from_draws(point, np.nan_to_num(drawn, nan=1.0, posinf=np.inf), len(blocks))


def _hits(
    searches: Sequence[Measurement], bases: Sequence[Measurement], factor: float
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return each search's warm seconds to the target, or to its end, and whether it got there."""
    took, success = [], []
    for m, base in zip(searches, bases, strict=True):
        target = factor * _final_loss(base)
        at = [t for task in m.tasks for _, loss, t in _reports(task) if loss is not None and _reaches(loss, target)]
        took.append(min(at, default=m.phases.makespan))
        success.append(bool(at))
    return np.array(took, dtype=np.float64), np.array(success, dtype=np.bool_)


def _expected_time(took: Floats, success: npt.NDArray[np.bool_]) -> Any:
    """Return (time of all searches) / successes along the last axis; inf without a success."""
    wins = success.sum(axis=-1)
    return np.where(wins > 0, took.sum(axis=-1) / np.maximum(wins, 1), np.inf)


def _reaches(loss: Any, target: float) -> Any:
    return loss <= target + ROUNDING * abs(target)


def _final_loss(m: Measurement) -> float:
    """Return the loss of the winner among the tasks as they ended."""
    return min((t.loss for t in m.tasks if t.loss is not None), default=float("nan"))


def _time_to(
    cell: Cell, factor: float, paths: Sequence[Trajectory], targets: Floats, resampler: Resampler
) -> TimeToTarget:
    reached = [p.spent[_reaches(p.loss, target)] for p, target in zip(paths, targets, strict=True)]
    hit = np.array([float(r[0]) if len(r) else np.inf for r in reached])
    took = np.where(np.isfinite(hit), hit, [p.end for p in paths])
    success = np.isfinite(hit)
    return TimeToTarget(
        cell=cell,
        factor=factor,
        n=len(paths),
        successes=int(success.sum()),
        median=median_rank_ci(hit),
        ert=_expected_running_time(took, success, resampler),
    )


def _expected_running_time(took: Floats, success: npt.NDArray[np.bool_], resampler: Resampler) -> Estimate:
    """Estimate the expected running time with restarts, resampling blocks."""
    n = len(took)
    point = float(_expected_time(took, success))
    if n < MIN_BLOCKS:
        return insufficient(point, n)
    chosen = resampler.indices(n)
    return from_draws(point, _expected_time(took[chosen], success[chosen]), n)
