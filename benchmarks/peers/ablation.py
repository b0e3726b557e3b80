"""Backends side by side on one workload, variants of one backend against each other, parts of fixed costs.

For the benchmark of peers: every figure is of one run, and the ideal, bare processes, was measured in its blocks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from raybench.analysis.dataset import CellData, Dataset, copy_s, is_ceiling, joined_shared_head, makespan
from raybench.analysis.pairs import compare, pair_cells
from raybench.analysis.tuning import busy_seconds
from raybench.model.estimate import Estimate
from raybench.model.measurement import FitStages, HeadUse, Measurement, Phases
from raybench.model.plan import Cell, Role
from raybench.model.stats import Resampler, median_rank_ci, ratio

STAMP_S = 1e-4  # what is left of a sum of stamps by rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One backend on the workload that all share, warm. Times in seconds.

    ideal : time of bare processes / time; above 1 only with less work. lost : core-seconds per task beyond the ideal.
    busy : share of the core-seconds in which tasks ran, within the same measurement.
    before : cold, from the interpreter's start until workers have run a task; None where a head was shared.
    work : share of the steps that were run; 1 but for early stopping.
    """

    cell: Cell
    time: Estimate
    ideal: Estimate
    lost: Estimate
    busy: Estimate
    before: Estimate | None
    work: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What a setting buys: time without it / time of the tuned variant, warm, same configurations.

    setting : in words; '' where the other variant is the documented one, which differs in all of them.
    base : seconds of the tuned variant in the blocks of the ratio.
    """

    cell: Cell
    other: Cell
    setting: str
    base: Estimate
    ratio: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Named parts of a time in seconds, in order; medians over blocks, the parts of each block add up to `whole`."""

    cell: Cell
    whole: Estimate
    parts: Mapping[str, Estimate]


def sides(data: Dataset, resampler: Resampler | None = None) -> list[Side]:
    """Put the backends of each workload that has a hardware ceiling side by side, in reading order."""
    draws = resampler or Resampler()
    found = []
    for of in data.cells:
        cell, bare = of.cell, of.ceiling
        if bare is None or cell.cpus == 1 or cell.backend.is_control or of.is_sweep:
            continue
        mine, copies = of.good, {b: seconds for b, m in bare.good.items() if (seconds := copy_s(m))}
        blocks = [b for b in sorted(mine.keys() & copies.keys()) if makespan(mine[b])]
        if not blocks:
            continue
        ideal = np.array([copies[b] / cell.cpus for b in blocks])
        took = np.array([mine[b].phases.makespan for b in blocks])
        busy = np.array([busy_seconds(mine[b]) or 0.0 for b in blocks])
        tasks = len(mine[blocks[0]].tasks)
        joined = any(joined_shared_head(mine[b]) for b in blocks)
        steps = [_steps(mine[b]) / mine[b].steps_asked for b in blocks if mine[b].steps_asked]
        found.append(
            Side(
                cell=cell,
                time=median_rank_ci(took),
                ideal=ratio(ideal, took, draws).estimate(),
                lost=median_rank_ci(cell.cpus * (took - ideal) / max(1, tasks)),
                busy=median_rank_ci(busy / (cell.cpus * took)),
                before=None if joined else median_rank_ci([_before(mine[b].phases) for b in blocks]),
                work=float(np.median(steps)) if steps else 1.0,
            )
        )
    return found


def _steps(m: Measurement) -> float:
    """Count the steps that were really run; a search that begins tasks anew notes the sum itself."""
    return float(m.details.search.steps_run if m.details.search else m.steps_done)


def _before(phases: Phases) -> float:
    return phases.interpreter + phases.imports + phases.start_up + phases.warm_up


def gains(data: Dataset, resampler: Resampler | None = None) -> list[Gain]:
    """Compare each tuned variant with its documented one and with those that lack one setting, in reading order."""
    draws = resampler or Resampler()
    found = []
    for of in data.cells:
        for other, setting in _variants_of(of):
            if compared := compare(other, of, makespan, draws):
                base = median_rank_ci(pair_cells(other, of, makespan)[1])
                found.append(
                    Gain(cell=of.cell, other=other.cell, setting=setting, base=base, ratio=compared.estimate())
                )
    return found


def _variants_of(of: CellData) -> Iterator[tuple[CellData, str]]:
    """List the variants of a tuned cell on the same workload and cores, with the setting that each lacks."""
    cell = of.cell
    for sibling in of.siblings:
        other = sibling.cell
        if (other.cpus, other.workers) != (cell.cpus, cell.workers):
            continue
        if other.backend.variant_of == cell.backend.name and (
            other.backend.disables or other.backend.role is Role.DOCUMENTED
        ):
            yield sibling, other.backend.disables


def starts(data: Dataset) -> list[Parts]:
    """Name the parts of each cold start of a Ray head, from the interpreter's start to workers that have run a task."""
    return [
        of
        for cell, good in _good(data)
        if not is_ceiling(cell)
        for of in _parts(cell, [_start(m.phases) for m in good if m.head and m.head.use is HeadUse.OWN])
    ]


def _start(phases: Phases) -> dict[str, float]:
    named = {name.replace("_", " "): seconds for name, seconds in phases.start_parts.items()}
    return {
        "interpreter": phases.interpreter,
        "imports": phases.imports,
        **named,
        "rest of start-up": phases.start_up - sum(named.values()),
        "first tasks": phases.warm_up,
    }


def fits(data: Dataset) -> list[Parts]:
    """Name the parts of each fit of Ray Tune: what an average worker's time went into, from its call to its return.

    Of tuned variants only: where an actor runs one trial, no worker lives through the fit.
    """
    return [
        of
        for cell, good in _good(data)
        if not cell.backend.disables
        for of in _parts(cell, [_fit(m, m.details.fit) for m in good if m.details.fit and _kept_share(m, cell)])
    ]


def _kept_share(m: Measurement, cell: Cell) -> bool:
    return 0 < len({task.worker for task in m.tasks}) <= cell.workers


def _fit(m: Measurement, told: FitStages) -> dict[str, float]:
    workers = len({task.worker for task in m.tasks})
    start = float(np.mean(told.workers_first_start_s))
    named = dict(told.start_parts)
    rest = start - sum(named.values())
    trials = sum(task.ended - task.started for task in m.tasks) / workers
    gaps = sum(told.gaps_s) / workers
    return {
        **named,
        **({"rest of the start": rest} if abs(rest) > STAMP_S else {}),
        "trials": trials,
        "between trials": gaps,
        "after a worker's last trial": told.whole_s - start - trials - gaps,
    }


def _good(data: Dataset) -> Iterator[tuple[Cell, list[Measurement]]]:
    for of in data.cells:
        yield of.cell, [m for m in of.in_order if makespan(m)]


def _parts(cell: Cell, found: Sequence[Mapping[str, float]]) -> Iterator[Parts]:
    """Take medians over blocks; a part that is missing in some is 0 there."""
    if found:
        names = list(dict.fromkeys(name for one in found for name in one))
        yield Parts(
            cell=cell,
            whole=median_rank_ci([sum(one.values()) for one in found]),
            parts={name: median_rank_ci([one.get(name, 0.0) for one in found]) for name in names},
        )
