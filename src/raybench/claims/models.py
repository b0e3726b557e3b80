"""Quantities by arithmetic from measured start-up and from the task-length ladder (METHODOLOGY: start-up, METG)."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from raybench.analysis.dataset import cold, makespan
from raybench.analysis.metg import Curve, Metg
from raybench.claims.selection import Asked, Sample, name_cell, transform
from raybench.model import units
from raybench.model.measurement import Measurement
from raybench.model.stats import Floats, median_rank_ci

AT_LEAST, AT_MOST = ">", "<"  # censoring marks of METG


def start_up_s(asked: Asked) -> Iterator[Sample]:
    """Return the seconds that a cold cell spends outside its makespan beyond what the loop spends there."""
    for key, extra in _extra(asked):
        yield asked.sample(key, median_rank_ci(extra))


def break_even_s(asked: Asked) -> Iterator[Sample]:
    """Return the sequential time from which P cores gain anything at all, T_start / (1 - 1/P), start-up included."""
    yield from _sequential(asked, lambda cpus: 1 / (1 - 1 / cpus))


def sequential_s_for(asked: Asked, *, level: float) -> Iterator[Sample]:
    """Return the sequential time from which start-up leaves that efficiency: e / (1 - e) x P x T_start."""
    yield from _sequential(asked, lambda cpus: level / (1 - level) * cpus)


def start_up_share(asked: Asked, *, sequential_s: float) -> Iterator[Sample]:
    """Predict the share of the time that start-up takes of a bag which the loop needs `sequential_s` for."""
    for key, extra in _extra(asked):
        work = sequential_s / asked.data.cells[key].cpus
        found = transform(median_rank_ci(np.maximum(0.0, extra)), partial(_share, work))
        longer = sequential_s / float(np.median(asked.data.values(asked.data.base(key) or "", makespan)))
        note = f"on as many cores as measured, for a bag {units.plain(longer)} times as long"
        yield replace(asked.sample(key, found, note=note), predicted=True)


def metg_work(asked: Asked, *, level: float) -> Iterator[Sample]:
    """Return the useful seconds per task at which a backend still keeps that efficiency (METG), warm."""
    for curve in asked.material.findings.curves:
        key = curve.cell.key
        for found in curve.metg:
            if key in asked.keys and found.level == level:
                yield _metg_sample(curve, found)


def _metg_sample(curve: Curve, found: Metg) -> Sample:
    """Return a censored METG an interval that reaches to the end of the ladder and no further."""
    work, why = found.work, ""
    rungs = [rung.work_s for rung in curve.rungs]
    if found.mark == AT_LEAST or math.isinf(work.low):
        work = replace(work, point=max(rungs), low=min(work.low, max(rungs)), high=math.inf)
        why = f"not reached with tasks of {units.duration(max(rungs))}"
    elif found.mark == AT_MOST:
        work = replace(work, point=min(rungs), low=0.0, high=max(work.high, min(rungs)))
        why = f"kept down to the shortest task, {units.duration(min(rungs))}"
    return Sample(
        about=name_cell(curve.cell),
        estimate=work,
        keys=(curve.cell.key,),
        workload=curve.cell.workload.name,
        note=why,
    )


def bytes_per_second(asked: Asked) -> Iterator[Sample]:
    """Return the bytes that the tasks worked on per second of makespan and of the data's journey."""
    for key in asked.keys:
        rates = [
            used / (m.phases.warm_up + m.phases.makespan)
            for _, m in sorted(asked.data.ok(key).items())
            if (used := m.details.bytes_used) and makespan(m)
        ]
        if rates:
            yield asked.sample(key, median_rank_ci(rates))


def _sequential(asked: Asked, factor: Callable[[int], float]) -> Iterator[Sample]:
    for key, extra in _extra(asked):
        scale = factor(asked.data.cells[key].cpus)
        found = transform(median_rank_ci(np.maximum(0.0, extra)), scale.__mul__)
        yield asked.sample(key, found)


def _extra(asked: Asked) -> Iterator[tuple[str, Floats]]:
    """Yield the cold cells on more than one core with their surplus outside the makespan, one value per block."""
    for key in asked.keys:
        base = asked.data.base(key)
        if base in (None, key) or asked.data.cells[key].cpus == 1:
            continue
        mine, theirs = asked.data.paired(key, base or "", _outside)
        if len(mine):
            yield key, mine - theirs


def _share(rest: float, part: float) -> float:
    return part / (part + rest)


def _outside(m: Measurement) -> float | None:
    whole = cold(m)
    return None if whole is None else whole - m.phases.makespan
