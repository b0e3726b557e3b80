"""Quantities by arithmetic from measured start-up and from the granularity sweep (METHODOLOGY: start-up, METG)."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from raybench.analysis import predictor
from raybench.analysis.dataset import CellData, cold, makespan
from raybench.analysis.held_out import LeftOut
from raybench.analysis.metg import Curve, Metg
from raybench.analysis.pairs import pair
from raybench.claims.selection import Sample, Selection, transform
from raybench.model import units
from raybench.model.evidence import Change
from raybench.model.measurement import Measurement
from raybench.model.stats import Floats, geometric_mean, median_rank_ci, ratio

AT_LEAST, AT_MOST = ">", "<"  # censoring marks of METG


def start_up_s(selection: Selection) -> Iterator[Sample]:
    """Return the seconds that a cold cell spends outside its makespan beyond what the baseline spends there."""
    for of, extra in _extra(selection):
        yield selection.sample(of, median_rank_ci(extra))


def break_even_s(selection: Selection) -> Iterator[Sample]:
    """Return the sequential time from which P cores gain anything at all, T_start / (1 - 1/P), start-up included."""
    yield from _sequential(selection, lambda cpus: 1 / (1 - 1 / cpus))


def sequential_s_for(selection: Selection, *, level: float) -> Iterator[Sample]:
    """Return the sequential time from which start-up leaves that efficiency: e / (1 - e) x P x T_start."""
    yield from _sequential(selection, lambda cpus: level / (1 - level) * cpus)


def start_up_share(selection: Selection, *, sequential_s: float) -> Iterator[Sample]:
    """Predict the share of the time that start-up takes of tasks which the baseline needs `sequential_s` for."""
    for of, extra in _extra(selection):
        work = sequential_s / of.cell.cpus
        found = transform(median_rank_ci(np.maximum(0.0, extra)), partial(_share, work))
        longer = sequential_s / float(np.median(of.baseline.values(makespan) if of.baseline else ()))
        note = f"on as many cores as measured, for work {units.plain(longer)} times as long"
        yield replace(selection.sample(of, found, note=note), predicted=True)


def metg_work(selection: Selection, *, level: float) -> Iterator[Sample]:
    """Return the useful seconds per task at which a backend still keeps that efficiency (METG), warm."""
    curves = {curve.cell.key: curve for curve in selection.material.findings.curves}
    for of in selection.cells:
        curve = curves.get(of.key)
        for found in curve.metg if curve else ():
            if curve and found.level == level:
                yield _metg_sample(selection, of, curve, found)


def _metg_sample(selection: Selection, of: CellData, curve: Curve, found: Metg) -> Sample:
    """Give a censored METG an interval that reaches to the end of the sweep and no further."""
    work, why = found.work, ""
    steps = [step.work_s for step in curve.steps]
    if found.mark == AT_LEAST or math.isinf(work.low):
        work = replace(work, point=max(steps), low=min(work.low, max(steps)), high=math.inf)
        why = f"not reached with tasks of {units.duration(max(steps))}"
    elif found.mark == AT_MOST:
        work = replace(work, point=min(steps), low=0.0, high=max(work.high, min(steps)))
        why = f"kept down to the shortest task, {units.duration(min(steps))}"
    return selection.sample(of, work, note=why)


def bytes_per_second(selection: Selection) -> Iterator[Sample]:
    """Return the bytes that the tasks worked on per second of makespan and of the data's journey."""
    for of in selection.cells:
        rates = [
            used / (m.phases.warm_up + m.phases.makespan)
            for m in of.in_order
            if (used := m.details.bytes_used) and makespan(m)
        ]
        if rates:
            yield selection.sample(of, geometric_mean(rates, selection.material.draws))


def prediction_error(selection: Selection) -> Iterator[Sample]:
    """Return predicted time / measured time - 1, the cell itself left out; above 0 it promises too long a time."""
    held = {one.cell.key: one for one in selection.material.findings.held_out.of(LeftOut.CELL)}
    for of in selection.cells:
        if one := held.get(of.key):
            found = ratio(one.told_s, one.took_s, selection.material.draws).estimate(Change(shift=-1))
            yield selection.sample(of, found, other=of.baseline)


def scheduled_speedup(selection: Selection, *, cpus: float) -> Iterator[Sample]:
    """Predict the speedup of the baseline's tasks on so many cores with nothing lost but their uneven ends."""
    most = max((of.cell.cpus for of in selection.material.data.cells), default=1)
    for of in selection.baselines:
        good = [m for m in of.in_order if m.tasks]
        if good and not of.is_sweep:
            found = median_rank_ci([predictor.limit_speedup(m, int(cpus)) for m in good])
            note = f"{len(good[0].tasks)} tasks; {units.plain(cpus / most)} times the cores measured"
            about = f"{of.cell.workload.name} on {units.plain(cpus)} cores"
            yield replace(selection.sample(of, found, note=note), about=about, predicted=True)


def _sequential(selection: Selection, factor: Callable[[int], float]) -> Iterator[Sample]:
    for of, extra in _extra(selection):
        scale = factor(of.cell.cpus)
        found = transform(median_rank_ci(np.maximum(0.0, extra)), scale.__mul__)
        yield replace(selection.sample(of, found), predicted=True)


def _extra(selection: Selection) -> Iterator[tuple[CellData, Floats]]:
    """Yield the cold cells on more than one core with their surplus outside the makespan, one value per block."""
    for of in selection.cells:
        base = of.baseline
        if base is None or base is of or of.cell.cpus == 1:
            continue
        mine, theirs = pair(of.good, base.good, _outside)
        if len(mine):
            yield of, mine - theirs


def _share(rest: float, part: float) -> float:
    return part / (part + rest)


def _outside(m: Measurement) -> float | None:
    whole = cold(m)
    return None if whole is None else whole - m.phases.makespan
