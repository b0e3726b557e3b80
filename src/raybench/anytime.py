"""Error over time of a search: best loss so far, and the time until a target was reached."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from raybench.ledger import Ledger, ledger
from raybench.model import Cell, Estimate, Measurement, Plan, TaskStamp
from raybench.stats import MIN_BLOCKS, Resampler, insufficient, interval, median_rank_ci

Floats = npt.NDArray[np.float64]
HPO = "hpo"  # workload tag
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
        head = m.notes.get("head_start_s", 0.0) if m.notes.get("head") == "shared" else 0.0
        before = m.phases.start_up + m.phases.warm_up + float(head)
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


def curves(plan: Plan, measurements: Sequence[Measurement], *, axis: Axis = Axis.WALL) -> list[Anytime]:
    """Give the anytime curve of every search cell with stamps, in the order of the plan."""
    data = ledger(plan, measurements)
    found = []
    for key, cell in data.cells.items():
        good = _searches(data, key)
        if good:
            found.append(_anytime(cell, axis, good))
    return found


def _searches(data: Ledger, key: str) -> dict[int, Measurement]:
    """Give the good measurements in which losses were reported, by block."""
    if HPO not in data.cells[key].workload.tags:
        return {}
    return {b: m for b, m in sorted(data.ok(key).items()) if any(t.loss is not None or t.points for t in m.tasks)}


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
    plan: Plan,
    measurements: Sequence[Measurement],
    resampler: Resampler | None = None,
    *,
    factors: Sequence[float] = FACTORS,
) -> list[TimeToTarget]:
    """Give, for every search cell and factor, the wall time until the full sequential search's loss was reached."""
    data = ledger(plan, measurements)
    draws = resampler or Resampler()
    found = []
    for key, cell in data.cells.items():
        good, base = _searches(data, key), data.base(key)
        theirs = _searches(data, base) if base else {}
        blocks = sorted(good.keys() & theirs.keys())
        if not blocks:
            continue
        targets = np.array([_final_loss(theirs[b]) for b in blocks])
        paths = [trajectory(good[b], Axis.WALL) for b in blocks]
        found += [_time_to(cell, factor, paths, factor * targets, draws) for factor in factors]
    return found


def _final_loss(m: Measurement) -> float:
    """Give the loss of the winner among the tasks as they ended."""
    return min((t.loss for t in m.tasks if t.loss is not None), default=float("nan"))


def _time_to(
    cell: Cell, factor: float, paths: Sequence[Trajectory], targets: Floats, resampler: Resampler
) -> TimeToTarget:
    reached = [p.spent[p.loss <= target + ROUNDING * abs(target)] for p, target in zip(paths, targets, strict=True)]
    hit = np.array([float(r[0]) if len(r) else np.inf for r in reached])
    took = np.where(np.isfinite(hit), hit, [p.end for p in paths])
    success = np.isfinite(hit)
    return TimeToTarget(
        cell=cell,
        factor=factor,
        n=len(paths),
        successes=int(success.sum()),
        median=median_rank_ci(hit),
        ert=_expected(took, success, resampler),
    )


def _expected(took: Floats, success: npt.NDArray[np.bool_], resampler: Resampler) -> Estimate:
    """Estimate the expected running time with restarts, resampling blocks."""
    n = len(took)
    point = float(took.sum() / success.sum()) if success.any() else float("inf")
    if n < MIN_BLOCKS:
        return insufficient(point, n)
    chosen = resampler.indices(n)
    wins = success[chosen].sum(axis=1)
    drawn = np.where(wins > 0, took[chosen].sum(axis=1) / np.maximum(wins, 1), np.inf)
    low, high = interval(drawn)
    return Estimate(point=point, low=low, high=high, n=n)
