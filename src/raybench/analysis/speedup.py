"""Measurements turned into one row per planned cell: times, speedup, efficiency, ceiling, flags.

Cold and warm, one-thread base and threaded base, absolute and relative speedup never share a field.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from raybench.analysis.dataset import Ledger, Metric, cold, copy_s, is_ceiling, ledger, makespan, pair
from raybench.model.estimate import Estimate, Row, VerdictKind
from raybench.model.measurement import Measurement
from raybench.model.plan import Cell, Plan, Status
from raybench.model.stats import (
    DISAGREES,
    Ratio,
    Resampler,
    band_verdict,
    median_rank_ci,
    noise_floor,
    ratio,
    tukey_outliers,
    unstable,
)

BAND = (0.7, 0.8)  # the documented "rule" of parallel efficiency
FULL_WORK = 0.999  # less than that of the steps asked for is other work: no speedup, a time to score
SAME_SCORE = 1e-9
LABELS = {"chosen"}  # an index among the scores: compared between backends, but no quantity


def rows(plan: Plan, measurements: Sequence[Measurement], resampler: Resampler | None = None) -> list[Row]:
    """Return one row per planned cell, in the order of the plan; failed and skipped cells keep theirs."""
    data = ledger(plan, measurements)
    draws = resampler or Resampler()
    floors = noise_floors(data, draws)
    return [_row(data, key, floors, draws) for key in data.cells]


def noise_floors(data: Ledger, resampler: Resampler) -> dict[str, Estimate]:
    """Return the A/A ratio (first replica / second) of each cell measured twice a block, by cell key."""
    found = {}
    for key, replica in data.good:
        if replica == 2:
            first, second = pair(data.ok(key), data.ok(key, replica=2), makespan)
            found[key] = ratio(first, second, resampler).estimate()
    return found


def _row(data: Ledger, key: str, floors: Mapping[str, Estimate], resampler: Resampler) -> Row:
    cell, good = data.cells[key], data.ok(key)
    tasks = max((len(m.tasks) for m in good.values()), default=0)
    asked = data.values(key, lambda m: float(m.steps_asked))
    done = data.values(key, lambda m: float(m.steps_done))
    seconds = data.values(key, makespan)
    row = Row(
        cell=cell,
        counts=data.counts(key),
        n=len(good),
        tasks=tasks,
        reason=data.reason(key),
        makespan=_median(seconds),
        cold=_median(data.values(key, cold)),
        start_up=_median(data.values(key, lambda m: m.phases.start_up)),
        warm_up=_median(data.values(key, lambda m: m.phases.warm_up)),
        shutdown=_median(data.values(key, lambda m: m.phases.shutdown)),
        cap=cap(cell, tasks),
        work_ratio=float(np.median(done) / np.median(asked)) if len(asked) and np.median(asked) > 0 else 1.0,
        cpu=_median(data.values(key, lambda m: m.cpu_s)),
        peak_rss=_median(data.values(key, lambda m: m.peak_rss_bytes)),
        scores=_scores(good),
        outliers=tukey_outliers(seconds),
    )
    if good and not data.is_ladder(key):  # of a ladder, METG is the result
        row = _add_ratios(data, key, row, resampler)
    base = data.base(key)
    floor = noise_floor(floors[base]) if base and base in floors and math.isfinite(floors[base].high) else 0.0
    return replace(row, flags=_flags(data, key, row, floor))


def karp_flatt(speedup: npt.NDArray[np.float64], cpus: float) -> npt.NDArray[np.float64]:
    """Return the serial fraction that a speedup on P > 1 cores implies; below 0 it is superlinear.

    Source: Karp & Flatt 1990.
    """
    return (1 / speedup - 1 / cpus) / (1 - 1 / cpus)


def cap(cell: Cell, tasks: int) -> float | None:
    """Return the largest efficiency that N equal tasks allow: 10 tasks on 25 cores cannot pass 0.40."""
    if tasks == 0:
        return None
    return tasks * cell.cpus_per_task / (cell.cpus * math.ceil(tasks / cell.workers))


def _add_ratios(data: Ledger, key: str, row: Row, resampler: Resampler) -> Row:
    """Add every ratio that the row's cells allow."""
    cpus, full = row.cell.cpus, row.work_ratio >= FULL_WORK
    row = replace(row, utilisation=_utilisation(data, key, resampler), ceiling=_estimate_ceiling(data, key, resampler))
    base = data.base(key)
    if base is None or base == key or row.cell.backend.is_control:
        return row
    warm = _against(data, base, key, makespan, resampler)
    row = replace(
        row,
        base_kind=f"{data.cells[base].backend.name}, 1 thread",
        base=_median(data.paired(base, key, makespan)[0]),
        base_cold=_median(data.paired(base, key, cold)[0]),
    )
    if warm is None:
        return replace(row, reason="; ".join(filter(None, [row.reason, "no block shared with the base"])))
    row = replace(row, relative=_scale(data, data.one_core(key), key, resampler) if full and cpus > 1 else None)
    if not full:
        return replace(row, time_to_score=warm.estimate())
    started = _against(data, base, key, cold, resampler)
    efficiency = warm.estimate(lambda s: s / cpus, edges=BAND)
    return replace(
        row,
        speedup=warm.estimate(),
        speedup_cold=started.estimate() if started else None,
        efficiency=efficiency,
        gain=_scale(data, data.threaded(key), key, resampler),
        karp_flatt=_serial_fraction(warm, cpus) if cpus > 1 else None,
        band=_band(row.cell, efficiency),
    )


def _band(cell: Cell, efficiency: Estimate) -> VerdictKind | None:
    """Judge the documented band, for parallel cells only."""
    return band_verdict(efficiency, *BAND) if cell.cpus > 1 else None


def _serial_fraction(warm: Ratio, cpus: int) -> Estimate:
    estimate = warm.estimate(lambda s: karp_flatt(s, cpus), edges=())
    return replace(estimate, flag="superlinear" if estimate.high < 0 else estimate.flag)


def _against(data: Ledger, top: str, bottom: str, metric: Metric, resampler: Resampler) -> Ratio | None:
    a, b = data.paired(top, bottom, metric)
    return ratio(a, b, resampler) if len(a) else None


def _scale(data: Ledger, top: str | None, bottom: str, resampler: Resampler) -> Estimate | None:
    found = _against(data, top, bottom, makespan, resampler) if top else None
    return found.estimate() if found else None


def _estimate_ceiling(data: Ledger, key: str, resampler: Resampler) -> Estimate | None:
    """Estimate E_hw(P), what P bare processes at once leave of one process's speed, from the same blocks."""
    cpus, base = data.cells[key].cpus, data.base(key)
    bare = key if is_ceiling(data.cells[key]) else data.ceiling(key)
    if base is None or bare is None or cpus == 1:
        return None
    alone, together = pair(data.ok(base), _as_copies(data.ok(bare), cpus), makespan)
    return ratio(alone, together, resampler).estimate(edges=()) if len(alone) else None


def _as_copies(bare: Mapping[int, Measurement], cpus: int) -> dict[int, Measurement]:
    """Express each measurement as the seconds of a whole bag per process: the mean of its copies.

    Where the processes share one bag instead, a whole bag per process would take P times as long.
    """
    found = {}
    for block, m in bare.items():
        seconds = copy_s(m) or cpus * m.phases.makespan
        found[block] = replace(m, phases=replace(m.phases, makespan=seconds))
    return found


def _utilisation(data: Ledger, key: str, resampler: Resampler) -> Estimate | None:
    """Estimate CPU seconds of the tree per core-second granted: low is waiting, high and slow is burnt."""
    timed = [m for _, m in sorted(data.ok(key).items()) if m.cpu_makespan_s is not None and makespan(m)]
    if not timed:
        return None
    cpus = data.cells[key].cpus
    burnt = np.array([m.cpu_makespan_s for m in timed], dtype=np.float64)
    found = ratio(burnt, np.array([m.phases.makespan for m in timed]), resampler)
    return found.estimate(lambda share: share / cpus, edges=())


def _median(values: npt.NDArray[np.float64]) -> Estimate | None:
    return median_rank_ci(values) if len(values) else None


def _scores(good: Mapping[int, Measurement]) -> dict[str, Estimate]:
    """Estimate each score over blocks; a deterministic one has the interval [point, point] at any n."""
    names = sorted({name for m in good.values() for name in m.scores} - LABELS)
    found = {}
    for name in names:
        estimate = median_rank_ci([m.scores[name] for _, m in sorted(good.items()) if name in m.scores])
        found[name] = replace(estimate, flag="") if estimate.low == estimate.high else estimate
    return found


def _flags(data: Ledger, key: str, row: Row, floor: float) -> tuple[str, ...]:
    """List, in words, what a reader must know beside the numbers."""
    told = [
        ("OVERSUBSCRIBED", row.cell.oversubscribed),
        ("LOGICAL GPU", any(_logical_gpu(m) for m in data.ok(key).values())),
        (f"cap {row.cap or 0:.2f}", row.cap is not None and row.cap < 1 and row.efficiency is not None),
        ("superlinear", row.efficiency is not None and row.efficiency.low > 1 + floor),
        ("above the ceiling", _above(row.efficiency, row.ceiling, floor)),
        (f"disturbed {row.counts.get(Status.DISTURBED, 0)}", row.counts.get(Status.DISTURBED, 0) > 0),
        ("pyperf-unstable", unstable(data.values(key, makespan))),
        (f"outliers {row.outliers}", row.outliers > 0),
        (DISAGREES, any(e is not None and e.flag == DISAGREES for e in (row.speedup, row.efficiency))),
        *((f"{what} differ", True) for what in _different(data, key)),
    ]
    return tuple(flag for flag, true in told if true)


def _above(efficiency: Estimate | None, ceiling: Estimate | None, floor: float) -> bool:
    """Return whether a cell beat the bare processes by more than noise: then one of the two was timed wrongly."""
    return efficiency is not None and ceiling is not None and efficiency.low > ceiling.high * (1 + floor)


def _logical_gpu(m: Measurement) -> bool:
    return m.details.gpu is not None and m.details.gpu.devices == "LOGICAL"


def _different(data: Ledger, key: str) -> list[str]:
    """Name what differs from the one-thread loop in any block: `tasks`, `answers`, `scores`; adaptive arms may."""
    base = data.base(key)
    if base is None:
        return []
    mine, theirs = data.ok(key), data.ok(base)
    adaptive = data.cells[key].backend.stepped or any(m.steps_done < m.steps_asked for m in mine.values())
    different = []
    if _hashes(mine, "tasks_hash") - _hashes(theirs, "tasks_hash") and _hashes(theirs, "tasks_hash"):
        different.append("tasks")
    if not adaptive and len(_hashes(mine, "answers_hash") | _hashes(theirs, "answers_hash")) > 1:
        different.append("answers")
    if not adaptive and _score_spread(mine, theirs) > SAME_SCORE:
        different.append("scores")
    return different


def _hashes(good: Mapping[int, Measurement], name: str) -> set[str]:
    return {getattr(m, name) for m in good.values()} - {""}


def _score_spread(mine: Mapping[int, Measurement], theirs: Mapping[int, Measurement]) -> float:
    """Return the largest difference of a score between two series, relative where scores pass 1."""
    spread = 0.0
    for name in {name for m in mine.values() for name in m.scores}:
        values = [m.scores[name] for m in [*mine.values(), *theirs.values()] if name in m.scores]
        spread = max(spread, (max(values) - min(values)) / max(1.0, *(abs(v) for v in values)))
    return spread
