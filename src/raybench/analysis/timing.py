"""Where the wall time of a run went, and what leaving out disturbed rounds changed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raybench.analysis.dataset import CellData, Dataset, makespan
from raybench.analysis.pairs import pair_cells
from raybench.model.measurement import Measurement, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedShare:
    """How much of the wall time was measured.

    wall_s : from the run's start to its last line, the quality pass left out. makespans_s : sum of all samples.
    timed_s : the same with the rest of the cold times: interpreter, imports, start-up, warm-up, shutdown.
    """

    wall_s: float
    makespans_s: float
    timed_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """Speedups from all rounds against those from quiet rounds alone.

    change : geometric mean over the cells, less 1. most : largest change of a cell, without its sign.
    disturbed, samples : counts of samples. cells : those with quiet rounds enough.
    """

    change: float
    most: float
    cells: int
    disturbed: int
    samples: int


def timed_share(lines: Sequence[Measurement], samples: Sequence[Sample]) -> TimedShare | None:
    """Return the timed share of a run; None without a measurement."""
    if not lines:
        return None
    repeated = sum(sample.seconds * sample.loops for sample in samples)
    taken = {sample.process for sample in samples}
    alone = sum(line.phases.makespan for line in lines if line.key not in taken)
    outside = sum(line.phases.cold - line.phases.makespan for line in lines)
    ends = [line.began + line.phases.cold + line.phases.data + line.phases.check for line in lines]
    ends += [sample.began + sample.seconds * sample.loops for sample in samples]
    return TimedShare(wall_s=max(ends), makespans_s=repeated + alone, timed_s=repeated + alone + outside)


def sensitivity(data: Dataset, lines: Sequence[Measurement], samples: Sequence[Sample]) -> Sensitivity | None:
    """Return what all rounds would say instead of quiet ones; None where a run has no rounds."""
    if not samples:
        return None
    disturbed = sum(bool(sample.disturbance.reason) for sample in samples)
    everything = Dataset(data.plan, lines, samples, all_rounds=True)
    pairs = zip(data.cells, everything.cells, strict=True)
    changes = [_log_speedup(every) - _log_speedup(quiet) for quiet, every in pairs if _is_compared(quiet)]
    known = [change for change in changes if math.isfinite(change)]
    return Sensitivity(
        change=math.expm1(float(np.mean(known))) if known else 0.0,
        most=max((math.expm1(abs(change)) for change in known), default=0.0),
        cells=len(known),
        disturbed=disturbed,
        samples=len(samples),
    )


def _is_compared(of: CellData) -> bool:
    return of.baseline is not None and not of.is_baseline and not of.is_sweep and not of.busy


def _log_speedup(of: CellData) -> float:
    """Return the mean log speedup over blocks; NaN without a block."""
    assert of.baseline is not None
    top, bottom = pair_cells(of.baseline, of, makespan)
    return float(np.log(top / bottom).mean()) if len(top) else math.nan
