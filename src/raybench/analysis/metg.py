"""METG(x): the smallest average task granularity at which a backend keeps efficiency x.

From the granularity sweep: fixed work, constant number of tasks, warm, against the baseline of the same block.
Source: Slaughter et al. 2020, "Task Bench" (arXiv:1908.05790).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from raybench.analysis.dataset import CellData, Dataset
from raybench.analysis.speedup import BAND
from raybench.model.estimate import Estimate
from raybench.model.measurement import SweepTiming
from raybench.model.plan import Cell
from raybench.model.stats import INSUFFICIENT, MIN_BLOCKS, Resampler, from_draws

Floats = npt.NDArray[np.float64]
LEVELS = (0.5, *BAND)  # 0.5 compares with Task Bench
WRONG, MOST_EFFICIENCY = "timed wrongly", 1.5  # no backend is half as fast again as a bare loop


@dataclass(frozen=True, slots=True, kw_only=True)
class Metg:
    """METG at one level of efficiency, in seconds.

    mark : '' measured; '<' below the shortest task of the sweep; '>' never reached. Then the points are bounds.
    granularity : wall x P / N, overhead and idle included. work : useful time of a task there, level x granularity.
    """

    level: float
    mark: str
    granularity: Estimate
    work: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepStep:
    """One task length. work : units per task; work_s : the same in seconds of the bare loop."""

    work: int
    work_s: float
    granularity: Estimate
    efficiency: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The sweep of one backend, longest tasks first. peak : largest efficiency; NaN without data."""

    cell: Cell
    n: int
    tasks: int
    steps: tuple[SweepStep, ...] = ()
    metg: tuple[Metg, ...] = ()
    peak: float = float("nan")
    reason: str = ""
    flags: tuple[str, ...] = ()


def curves(data: Dataset, resampler: Resampler | None = None, *, levels: Sequence[float] = LEVELS) -> list[Curve]:
    """Return the curve and METG of every planned backend; those without data keep theirs, with a reason."""
    draws = resampler or Resampler()
    wanted = [of for of in data.cells if of.is_sweep and not of.cell.backend.is_control]
    return [_curve(of, draws, levels) for of in wanted if not of.is_baseline]


def _curve(of: CellData, resampler: Resampler, levels: Sequence[float]) -> Curve:
    sweep = common_sweep(of)
    if sweep is None:
        mine = any(m.sweep for m in of.good.values())
        reason = of.reason() or ("the sequential baseline has no sweep in the same block" if mine else "no sweep")
        return Curve(cell=of.cell, n=0, tasks=0, reason=reason)
    steps = sweep.steps(resampler)
    peak = max(step.efficiency.point for step in steps)
    flags = [
        ("unequal numbers of tasks", sweep.unequal),
        (WRONG, peak >= MOST_EFFICIENCY),
        (f"{sweep.cut} steps cut off by a short block", sweep.cut > 0),
    ]
    return Curve(
        cell=of.cell,
        n=len(sweep.unit),
        tasks=sweep.tasks,
        steps=steps,
        metg=tuple(sweep.metg(level, resampler) for level in levels),
        peak=peak,
        reason=of.reason(),
        flags=tuple(flag for flag, true in flags if true),
    )


def common_sweep(of: CellData) -> "Sweep | None":
    """Return a backend's sweep over the blocks that its baseline shares, at the task lengths that all of them have."""
    base = of.baseline
    mine = {b: m.sweep for b, m in of.good.items() if m.sweep}
    theirs = {b: m.sweep for b, m in base.good.items() if m.sweep} if base else {}
    blocks = sorted(mine.keys() & theirs.keys())
    works = _common_works([mine[b] for b in blocks])
    if not works:
        return None
    points = [{p.work: p for p in mine[b]} for b in blocks]
    tasks = {found[w].tasks for found in points for w in works}
    return Sweep(
        works=np.array(works, float),
        tasks=max(tasks),
        unequal=len(tasks) > 1,
        cut=max(len(mine[b]) for b in blocks) - len(works),
        cpus=of.cell.cpus,
        walls=np.array([[found[w].wall_s for found in points] for w in works]),
        unit=np.array([_unit(theirs[b]) for b in blocks]),
    )


def _common_works(sweeps: Sequence[Sequence[SweepTiming]]) -> list[int]:
    """List the task lengths that every block has, longest first: a sweep may end early where nothing is left."""
    common = set.intersection(*({p.work for p in sweep} for sweep in sweeps)) if sweeps else set()
    return sorted(common, reverse=True)


def _unit(sweep: Sequence[SweepTiming]) -> float:
    """Return the seconds per unit of work of the bare loop, from its longest tasks: the peak of the machine."""
    longest = max(sweep, key=lambda p: p.work)
    return longest.wall_s / (longest.work * longest.tasks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The numbers behind a curve. works : (points,), falling; walls : (points, blocks); unit : (blocks,)."""

    works: Floats
    tasks: int
    cpus: int
    walls: Floats
    unit: Floats
    unequal: bool = False  # numbers of tasks
    cut: int = 0  # task lengths that only some blocks have

    def steps(self, resampler: Resampler) -> tuple[SweepStep, ...]:
        """Estimate granularity and efficiency of each task length."""
        gran, eff, _ = self._medians()
        drawn = self._drawn(resampler) if self._enough() else None
        unit = float(np.median(self.unit))
        return tuple(
            SweepStep(
                work=int(work),
                work_s=float(work * unit),
                granularity=self._estimate(gran[0, j], None if drawn is None else drawn[0][:, j]),
                efficiency=self._estimate(eff[0, j], None if drawn is None else drawn[1][:, j]),
            )
            for j, work in enumerate(self.works)
        )

    def metg(self, level: float, resampler: Resampler) -> Metg:
        """Estimate METG(level) with the interval of resampled blocks."""
        gran, eff, unit = self._medians()
        point = float(find_crossing(self.works, gran, eff, unit, level)[0])
        mark = {np.inf: ">", 0.0: "<"}.get(point, "")
        shown = {">": float(gran[0].max()), "<": float(gran[0].min())}.get(mark, point)
        draws = self._crossings(resampler, level, fitted=mark != ">") if self._enough() else None
        granularity = self._estimate(shown, draws)
        work = replace(
            granularity,
            point=level * shown,
            low=level * granularity.low,
            high=level * granularity.high,
        )
        return Metg(level=level, mark=mark, granularity=granularity, work=work)

    def metg_by_block(self, level: float) -> Floats:
        """Return METG as granularity in seconds, (blocks,); inf where the level is never reached, 0 where always."""
        gran = self.walls.T * self.cpus / self.tasks
        return find_crossing(self.works, gran, self.works * self.unit[:, None] / gran, self.unit, level)

    def overhead_by_block(self) -> Floats:
        """Return the core-seconds that a task costs beyond its work, at the shortest task length, (blocks,)."""
        return np.asarray(self.walls[-1] * self.cpus / self.tasks - self.works[-1] * self.unit)

    def _crossings(self, resampler: Resampler, level: float, *, fitted: bool) -> Floats:
        """Return METG of each resample. fitted : of one that misses the level at every step, where the fit meets it."""
        gran, eff, unit = self._drawn(resampler)
        found = find_crossing(self.works, gran, eff, unit, level)
        return np.where(np.isinf(found), fit_overhead(self.works, gran, unit, level), found) if fitted else found

    def _medians(self) -> tuple[Floats, Floats, Floats]:
        return self._curves(np.asarray(np.median(self.walls, axis=1))[None, :], np.array([np.median(self.unit)]))

    def _drawn(self, resampler: Resampler) -> tuple[Floats, Floats, Floats]:
        walls = np.stack([resampler.medians(w) for w in self.walls], axis=1)
        return self._curves(walls, resampler.medians(self.unit))

    def _curves(self, walls: Floats, unit: Floats) -> tuple[Floats, Floats, Floats]:
        """Return granularity and efficiency, (sets, points), and seconds per unit of work, (sets,)."""
        gran = walls * self.cpus / self.tasks
        return gran, self.works * unit[:, None] / gran, unit

    def _enough(self) -> bool:
        return len(self.unit) >= MIN_BLOCKS

    def _estimate(self, point: float, draws: Floats | None) -> Estimate:
        n = len(self.unit)
        if draws is None:
            return Estimate(point=float(point), low=0.0, high=np.inf, n=n, flag=INSUFFICIENT)
        return from_draws(float(point), draws, n)


def find_crossing(works: Floats, gran: Floats, eff: Floats, unit: Floats, level: float) -> Floats:
    """Find METG of many curves at once: inf where the level is never reached, 0 where no task is short enough.

    Between two steps the wall time is taken as linear in the work, which is exact for a constant overhead per
    task; a bend between two steps makes the result too large, never too small.
    works : (points,), falling. gran, eff : (sets, points). unit : (sets,).
    """
    sets = np.arange(len(gran))
    reached = eff >= level
    at = np.argmin(np.where(reached, gran, np.inf), axis=1)
    after = np.minimum(at + 1, len(works) - 1)
    gran_at, gran_after = gran[sets, at], gran[sets, after]
    found = gran_at.copy()  # a curve that turns back on itself: the step itself
    inner = (gran_after < gran_at) & (after > at)
    slope = (gran_at - gran_after)[inner] / (works[at] - works[after])[inner]
    offset = gran_after[inner] - slope * works[after][inner]
    found[inner] = unit[inner] * offset / (unit[inner] - level * slope)
    found[reached.all(axis=1)] = 0.0
    found[~reached.any(axis=1)] = np.inf
    return np.asarray(found)


def fit_overhead(works: Floats, gran: Floats, unit: Floats, level: float) -> Floats:
    """Find METG of many curves from all steps, by granularity = a + b x work with equal relative errors.

    Reaches beyond the longest task; inf where no task is long enough even so. Shapes as in `find_crossing`.
    """
    weights = 1 / gran**2
    total, x, y = weights.sum(axis=1), weights @ works, (weights * gran).sum(axis=1)
    xx, xy = weights @ works**2, (weights * gran) @ works
    slope = (total * xy - x * y) / (total * xx - x**2)
    overhead = np.maximum(0.0, (y - slope * x) / total)
    left = unit - level * slope
    return np.asarray(np.where(left > 0, overhead * unit / np.where(left > 0, left, 1.0), np.inf))
