"""Where the core-seconds of a measurement went: terms that add up to P x T, and the POP metrics.

useful     seconds that the same tasks took in the sequential baseline of the same block (as far as they were run)
inflation  what they took longer here: contention, more threads than one, per-task work inside the stamps
dispatch   waiting for a task: before the first and between two tasks of a worker, and from the last task's end
           until the driver had all results: submitting, sending, collecting, serialising
idle_tail  waiting for the slowest worker after a worker's own last task; workers that never got a task
start_up   P x (interpreter, imports, start-up, warm-up); cold identity only
shutdown   P x shutdown; cold identity only
other      what none of them explains: overlapping stamps, more workers than asked for, cores without a worker
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from raybench.analysis.dataset import CellData, Dataset, cold, makespan
from raybench.model.estimate import Estimate
from raybench.model.measurement import Measurement, TaskStamp
from raybench.model.plan import Cell
from raybench.model.stats import MIN_BLOCKS, Resampler, insufficient, median_rank_ci

Floats = npt.NDArray[np.float64]
OTHER_SHARE = 0.05  # of P x T: more unexplained than that is a flagged row


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """One measurement's core-seconds; the parts add up to `total` exactly, `other` being the rest."""

    useful: float
    inflation: float
    start_up: float
    dispatch: float
    idle_tail: float
    shutdown: float
    other: float
    total: float


PARTS = tuple(f.name for f in fields(Lost) if f.name != "total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pop:
    """POP metrics of a cell over all its blocks (sums, not averaged ratios); above 0.8 counts as acceptable.

    Source: POP Centre of Excellence, "Standard metrics". parallel = balance x communication,
    total = parallel x computation.
    """

    balance: float  # LB = mean busy / max busy
    communication: float  # CommE = max busy / T
    parallel: float  # PE
    computation: float  # CompScal = busy of the sequential baseline / busy here
    total: float  # GE


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreSeconds:
    """Where a cell's core-seconds went. Shares are sums over blocks / sums of P x T, so that they add up to 1.

    cold : empty where the cell joined a head that others had started.
    graham_low : the least makespan that any schedule of the baseline's task times can have, in seconds.
    """

    cell: Cell
    n: int
    warm: Mapping[str, Estimate]
    cold: Mapping[str, Estimate]
    pop: Pop
    graham_low: Estimate
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """The stamps of one measurement, by lane. busy, first, last : seconds, (lanes,); gaps : sum over lanes."""

    busy: Floats
    first: Floats
    last: Floats
    gaps: float
    workers: int
    threads: int
    seconds: float


def accounts(data: Dataset, resampler: Resampler | None = None) -> list[CoreSeconds]:
    """Account for every cell that has stamps and a baseline in the same blocks, in reading order."""
    draws = resampler or Resampler()
    found = (_account(of, draws) for of in data.cells)
    return [account for account in found if account is not None]


def lost(cell: Cell, m: Measurement, base: Measurement, *, inclusive: bool = False) -> Lost:
    """Split P x T of one measurement, T the makespan or (inclusive) the cold time; `base` is of the same block."""
    return _lost(cell, arrange_lanes(cell, m), m, base, inclusive=inclusive)


def _lost(cell: Cell, line: Lanes, m: Measurement, base: Measurement, *, inclusive: bool) -> Lost:
    cpus, threads = cell.cpus, line.threads
    started = m.phases.cold - m.phases.makespan - m.phases.shutdown if inclusive else 0.0
    stopped = m.phases.shutdown if inclusive else 0.0
    busy = threads * float(line.busy.sum())
    useful = useful_seconds(m.tasks, base.tasks)
    end = float(line.last.max())
    collecting = line.workers * (line.seconds - end)
    waiting = float(line.first.sum()) + line.gaps
    idle = float((end - line.last).sum()) + max(0, line.workers - len(line.busy)) * end
    total = cpus * (m.phases.cold if inclusive else m.phases.makespan)
    parts = {
        "useful": useful,
        "inflation": busy - useful,
        "start_up": cpus * started,
        "dispatch": threads * (waiting + collecting),
        "idle_tail": threads * idle,
        "shutdown": cpus * stopped,
    }
    return Lost(**parts, other=total - sum(parts.values()), total=total)


def useful_seconds(tasks: Sequence[TaskStamp], base: Sequence[TaskStamp]) -> float:
    """Sum what the baseline took for the same tasks, up to the steps done where a task was stopped early."""
    alone = {t.index: t for t in base}
    return math.fsum(_seconds_to(alone[t.index], t.steps) for t in tasks if t.index in alone)


def _seconds_to(task: TaskStamp, steps: int) -> float:
    full = task.ended - task.started
    if steps >= task.steps or not task.points:
        return full
    reached = [0, *(p[0] for p in task.points)]
    at = [0.0, *(p[2] - task.started for p in task.points)]
    return min(full, float(np.interp(steps, reached, at)))


def arrange_lanes(cell: Cell, m: Measurement) -> Lanes:
    """Arrange the stamps by lane, one lane per worker at work at a time."""
    lanes = _lanes(m.tasks, cell.workers)
    gaps = 0.0
    for lane in lanes:
        ends = np.maximum.accumulate([t.ended for t in lane])
        starts = np.array([t.started for t in lane])
        gaps += float(np.maximum(0.0, starts[1:] - ends[:-1]).sum())
    return Lanes(
        busy=np.array([math.fsum(t.ended - t.started for t in lane) for lane in lanes]),
        first=np.array([lane[0].started for lane in lanes]),
        last=np.array([max(t.ended for t in lane) for lane in lanes]),
        gaps=gaps,
        workers=cell.workers,
        threads=cell.cpus_per_task,
        seconds=m.phases.makespan,
    )


def _lanes(tasks: Sequence[TaskStamp], workers: int) -> list[list[TaskStamp]]:
    """Group tasks by worker process; where there were more processes than workers, one that came after another
    had ended its last task takes that one's lane, since the core is the same."""
    by_worker: dict[int, list[TaskStamp]] = {}
    for task in sorted(tasks, key=lambda t: (t.started, t.ended)):
        by_worker.setdefault(task.worker, []).append(task)
    if len(by_worker) <= workers:
        return list(by_worker.values())
    lanes: list[list[TaskStamp]] = []
    for series in by_worker.values():
        free = [lane for lane in lanes if lane[-1].ended <= series[0].started]
        if free:
            max(free, key=lambda lane: lane[-1].ended).extend(series)
        else:
            lanes.append(list(series))
    return lanes


def _account(of: CellData, resampler: Resampler) -> CoreSeconds | None:
    if of.baseline is None:
        return None
    cell, mine, theirs = of.cell, of.good, of.baseline.good
    both = [(mine[b], theirs[b]) for b in sorted(mine.keys() & theirs.keys())]
    # tasks that a search pauses (`details.search`) have spans, not segments: no account can be given of them
    both = [(m, s) for m, s in both if m.tasks and s.tasks and makespan(m) and not m.details.search]
    if not both:
        return None
    lines = [arrange_lanes(cell, m) for m, _ in both]
    told = list(zip(lines, both, strict=True))
    warm = _shares([_lost(cell, line, m, s, inclusive=False) for line, (m, s) in told], resampler)
    started = [_lost(cell, line, m, s, inclusive=True) for line, (m, s) in told if cold(m) is not None]
    least = [graham_low([t.ended - t.started for t in s.tasks], cell.workers) for _, s in both]
    flags = [("other above 5 %", abs(warm["other"].point) > OTHER_SHARE)]
    return CoreSeconds(
        cell=cell,
        n=len(both),
        warm=warm,
        cold=_shares(started, resampler) if started else {},
        pop=_pop(lines, [useful_seconds(m.tasks, s.tasks) for m, s in both]),
        graham_low=median_rank_ci(least),
        flags=tuple(flag for flag, true in flags if true),
    )


def _shares(found: Sequence[Lost], resampler: Resampler) -> dict[str, Estimate]:
    """Estimate each part's share: sum of the part / sum of P x T, blocks resampled together."""
    n = len(found)
    parts = np.array([[getattr(one, name) for one in found] for name in PARTS])
    totals = np.array([one.total for one in found])
    points = parts.sum(axis=1) / totals.sum()
    if n < MIN_BLOCKS:
        return {name: insufficient(float(point), n) for name, point in zip(PARTS, points, strict=True)}
    counts = resampler.counts(n).astype(np.float64)
    low, high = np.zeros((2, len(PARTS)))
    told = parts.any(axis=1)  # a part that does not exist needs no draws
    low[told], high[told] = np.quantile((parts[told] @ counts) / (totals @ counts), [0.025, 0.975], axis=1)
    return {
        name: Estimate(point=float(points[i]), low=float(low[i]), high=float(high[i]), n=n)
        for i, name in enumerate(PARTS)
    }


def _pop(lines: Sequence[Lanes], useful: Sequence[float]) -> Pop:
    mean_busy = sum(float(line.busy.sum()) / max(line.workers, len(line.busy)) for line in lines)
    max_busy = sum(float(line.busy.max()) for line in lines)
    seconds = sum(line.seconds for line in lines)
    busy = sum(line.threads * float(line.busy.sum()) for line in lines)
    balance, communication, computation = mean_busy / max_busy, max_busy / seconds, sum(useful) / busy
    parallel = balance * communication
    return Pop(
        balance=balance,
        communication=communication,
        parallel=parallel,
        computation=computation,
        total=parallel * computation,
    )


def graham_low(seconds: Sequence[float], workers: int) -> float:
    """Return the least makespan of any schedule of these tasks. Source: Graham 1966."""
    return max(math.fsum(seconds) / workers, max(seconds))
