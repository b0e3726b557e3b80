"""Measurements turned into one row per planned cell: times, speedup, efficiency, ceiling, flags.

Cold and warm, one-thread base and threaded base, absolute and relative speedup never share a field.
"""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from raybench.analysis.dataset import (
    Blocks,
    CellData,
    Dataset,
    cold,
    copy_s,
    is_ceiling,
    makespan,
)
from raybench.analysis.pairs import compare, pair, pair_cells
from raybench.model.estimate import Estimate, Row, VerdictKind
from raybench.model.evidence import Change
from raybench.model.measurement import Measurement
from raybench.model.plan import Cell, Status
from raybench.model.stats import (
    DISAGREES,
    Ratio,
    Resampler,
    band_verdict,
    median_rank_ci,
    ratio,
    tukey_outliers,
    unstable,
)

BAND = (0.7, 0.8)  # the documented "rule" of parallel efficiency
FULL_WORK = 0.999  # less than that of the steps asked for is other work: no speedup, a time to score
SAME_SCORE = 1e-9
SAME_TIME = 0.05  # a smaller gain is not worth distributing for: the region of equivalence about 1x
LABELS = {"chosen"}  # an index among the scores: compared between backends, but no quantity


def rows(data: Dataset, resampler: Resampler | None = None) -> list[Row]:
    """Return one row per planned cell, in reading order; failed and skipped cells keep theirs."""
    draws = resampler or Resampler()
    return [_row(of, draws) for of in data.cells]


def _row(of: CellData, resampler: Resampler) -> Row:
    tasks = max((len(m.tasks) for m in of.good.values()), default=0)
    asked = of.values(lambda m: float(m.steps_asked))
    done = of.values(lambda m: float(m.steps_done))
    seconds = of.values(makespan)
    row = Row(
        cell=of.cell,
        counts=of.counts(),
        n=len(of.good),
        tasks=tasks,
        reason=of.reason(),
        makespan=_median(seconds),
        cold=_median(of.values(cold)),
        start_up=_median(of.values(lambda m: m.phases.start_up)),
        warm_up=_median(of.values(lambda m: m.phases.warm_up)),
        shutdown=_median(of.values(lambda m: m.phases.shutdown)),
        cap=cap(of.cell, tasks),
        work_ratio=float(np.median(done) / np.median(asked)) if len(asked) and np.median(asked) > 0 else 1.0,
        cpu=_median(of.values(lambda m: m.cpu_s)),
        peak_rss=_median(of.values(lambda m: m.peak_rss_bytes)),
        scores=_scores(of.good),
        outliers=tukey_outliers(seconds),
    )
    if of.good and not of.is_sweep:  # of a sweep, METG is the result
        row = _add_ratios(of, row, resampler)
    return replace(row, flags=_flags(of, row))


def karp_flatt(cpus: float) -> Change:
    """Return the serial fraction that a speedup on P > 1 cores implies; below 0 it is superlinear.

    (1/S - 1/P) / (1 - 1/P). Source: Karp & Flatt 1990.
    """
    rest = 1 - 1 / cpus
    return Change(scale=1 / rest, shift=-1 / cpus / rest, power=-1)


def cap(cell: Cell, tasks: int) -> float | None:
    """Return the largest efficiency that N equal tasks allow: 10 tasks on 25 cores cannot pass 0.40."""
    if tasks == 0:
        return None
    return tasks * cell.cpus_per_task / (cell.cpus * math.ceil(tasks / cell.workers))


def _add_ratios(of: CellData, row: Row, resampler: Resampler) -> Row:
    """Add every ratio that the row's cells allow."""
    cpus, full = row.cell.cpus, row.work_ratio >= FULL_WORK
    row = replace(row, utilisation=_utilisation(of, resampler), ceiling=_estimate_ceiling(of, resampler))
    base = of.baseline
    if base is None or base is of or row.cell.backend.is_control:
        return row
    warm = compare(base, of, makespan, resampler)
    row = replace(
        row,
        base_kind=f"{base.cell.backend.name}, 1 thread",
        base=_median(pair_cells(base, of, makespan)[0]),
        base_cold=_median(pair_cells(base, of, cold)[0]),
    )
    if warm is None:
        return replace(row, reason="; ".join(filter(None, [row.reason, "no block shared with the base"])))
    row = replace(row, relative=_scale(of.one_core, of, resampler) if full and cpus > 1 else None)
    if not full:
        return replace(row, time_to_score=warm.estimate())
    started = compare(base, of, cold, resampler)
    efficiency = warm.estimate(Change(scale=1 / cpus))
    return replace(
        row,
        speedup=warm.estimate(),
        speedup_cold=started.estimate() if started else None,
        efficiency=efficiency,
        gain=_scale(of.threaded, of, resampler),
        karp_flatt=_serial_fraction(warm, cpus) if cpus > 1 else None,
        band=_band(row.cell, efficiency),
    )


def _band(cell: Cell, efficiency: Estimate) -> VerdictKind | None:
    """Judge the documented band, for parallel cells only."""
    return band_verdict(efficiency, *BAND) if cell.cpus > 1 else None


def _serial_fraction(warm: Ratio, cpus: int) -> Estimate:
    estimate = warm.estimate(karp_flatt(cpus))
    return replace(estimate, flag="superlinear" if estimate.high < 0 else estimate.flag)


def _scale(top: CellData | None, bottom: CellData, resampler: Resampler) -> Estimate | None:
    found = compare(top, bottom, makespan, resampler) if top else None
    return found.estimate() if found else None


def _estimate_ceiling(of: CellData, resampler: Resampler) -> Estimate | None:
    """Estimate E_hw(P), what P bare processes at once leave of one process's speed, from the same blocks."""
    cpus, bare = of.cell.cpus, of if is_ceiling(of.cell) else of.ceiling
    if of.baseline is None or bare is None or cpus == 1:
        return None
    alone, together = pair(of.baseline.good, _as_copies(bare.good, cpus), makespan)
    return ratio(alone, together, resampler).estimate() if len(alone) else None


def _as_copies(bare: Blocks, cpus: int) -> dict[int, Measurement]:
    """Express each measurement as the seconds of all tasks per process: the mean of its copies.

    Where the processes share the tasks instead, all tasks per process would take P times as long.
    """
    found = {}
    for block, m in bare.items():
        seconds = copy_s(m) or cpus * m.phases.makespan
        found[block] = replace(m, phases=replace(m.phases, makespan=seconds))
    return found


def _utilisation(of: CellData, resampler: Resampler) -> Estimate | None:
    """Estimate CPU seconds of the tree per core-second granted: low is waiting, high and slow is burnt."""
    timed = [m for m in of.in_order if m.cpu_makespan_s is not None and makespan(m)]
    if not timed:
        return None
    cpus = of.cell.cpus
    burnt = np.array([m.cpu_makespan_s for m in timed], dtype=np.float64)
    found = ratio(burnt, np.array([m.phases.makespan for m in timed]), resampler)
    return found.estimate(Change(scale=1 / cpus))


def _median(values: npt.NDArray[np.float64]) -> Estimate | None:
    return median_rank_ci(values) if len(values) else None


def _scores(good: Blocks) -> dict[str, Estimate]:
    """Estimate each score over blocks; a deterministic one has the interval [point, point] at any n."""
    names = sorted({name for m in good.values() for name in m.scores} - LABELS)
    found = {}
    for name in names:
        estimate = median_rank_ci([m.scores[name] for _, m in sorted(good.items()) if name in m.scores])
        found[name] = replace(estimate, flag="") if estimate.low == estimate.high else estimate
    return found


def _flags(of: CellData, row: Row) -> tuple[str, ...]:
    """List, in words, what a reader must know beside the numbers."""
    told = [
        ("OVERSUBSCRIBED", row.cell.oversubscribed),
        ("LOGICAL GPU", any(_logical_gpu(m) for m in of.good.values())),
        (f"cap {row.cap or 0:.2f}", row.cap is not None and row.cap < 1 and row.efficiency is not None),
        ("superlinear", row.efficiency is not None and row.efficiency.low > 1 + SAME_TIME),
        ("above the ceiling", _above(row.efficiency, row.ceiling)),
        (f"disturbed {row.counts.get(Status.DISTURBED, 0)}", row.counts.get(Status.DISTURBED, 0) > 0),
        ("pyperf-unstable", unstable(of.values(makespan))),
        (f"outliers {row.outliers}", row.outliers > 0),
        (DISAGREES, any(e is not None and e.flag == DISAGREES for e in (row.speedup, row.efficiency))),
        *((f"{what} differ", True) for what in _different(of)),
    ]
    return tuple(flag for flag, true in told if true)


def _above(efficiency: Estimate | None, ceiling: Estimate | None) -> bool:
    """Return whether a cell beat the bare processes by more than 5 %: then one of the two was timed wrongly."""
    return efficiency is not None and ceiling is not None and efficiency.low > ceiling.high * (1 + SAME_TIME)


def _logical_gpu(m: Measurement) -> bool:
    return m.details.gpu is not None and m.details.gpu.devices == "LOGICAL"


def _different(of: CellData) -> list[str]:
    """Name what differs from the baseline in any block: `tasks`, `answers`, `scores`; adaptive backends may."""
    if of.baseline is None:
        return []
    mine, theirs = of.good, of.baseline.good
    adaptive = of.cell.backend.stepped or any(m.steps_done < m.steps_asked for m in mine.values())
    different = []
    if _hashes(mine, "tasks_hash") - _hashes(theirs, "tasks_hash") and _hashes(theirs, "tasks_hash"):
        different.append("tasks")
    if not adaptive and len(_hashes(mine, "answers_hash") | _hashes(theirs, "answers_hash")) > 1:
        different.append("answers")
    if not adaptive and _score_spread(mine, theirs) > SAME_SCORE:
        different.append("scores")
    return different


def _hashes(good: Blocks, name: str) -> set[str]:
    return {getattr(m, name) for m in good.values()} - {""}


def _score_spread(mine: Blocks, theirs: Blocks) -> float:
    """Return the largest difference of a score between two series, relative where scores pass 1."""
    spread = 0.0
    for name in {name for m in mine.values() for name in m.scores}:
        values = [m.scores[name] for m in [*mine.values(), *theirs.values()] if name in m.scores]
        spread = max(spread, (max(values) - min(values)) / max(1.0, *(abs(v) for v in values)))
    return spread
