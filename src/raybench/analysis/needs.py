"""For how much longer a study would have to run until its intervals are as narrow as asked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raybench.analysis.dataset import Dataset
from raybench.model import precision, stats
from raybench.model.estimate import Row
from raybench.model.plan import Status, Tag

FIRST_ROUNDS = 2  # of a group in the first blocks
MOST_MIN = 24 * 60.0  # beyond a day nobody waits: the cell needs another host, not more blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What is missing until all intervals are narrow enough.

    width : the half-width asked for, as a fraction. minutes : of further measuring; infinite beyond a day.
    narrow, cells : how many cells have that width, and of how many. predicted : from the host's state, since there
        are no intervals yet.
    """

    width: float
    minutes: float
    narrow: int
    cells: int
    predicted: bool


def needed(data: Dataset, rows: Sequence[Row], *, facts: Mapping[str, Any] | None = None) -> Needed | None:
    """Return what is missing; None where all intervals are narrow enough, or where nothing can be said.

    An interval narrows with the square root of the number of blocks. Before there are intervals, the host's state
    tells what to expect. facts : of the run's environment, `host_state` in them.
    """
    counted = [row for row in rows if is_counted(row) and row.n]
    width, block_s = data.plan.target_half_width, _block_s(data)
    if not counted or block_s is None:
        return None
    halves = [stats.half_width(ratio) for row in counted if (ratio := row.speedup or row.time_to_score) is not None]
    known = [half for half in halves if math.isfinite(half)]
    narrow = sum(half <= width for half in known)
    if narrow == len(counted):
        return None
    done = max(row.n for row in counted)
    blocks = done * (max(known) / width) ** 2 if known else _predicted_blocks(width, facts or {})
    if blocks is None:
        return None
    minutes = max(1.0, math.ceil(blocks - done)) * block_s / 60
    return Needed(
        width=width,
        minutes=minutes if minutes <= MOST_MIN else math.inf,
        narrow=narrow,
        cells=len(counted),
        predicted=not known,
    )


def is_counted(row: Row) -> bool:
    """Return whether the width of a row's interval matters: controls, baselines and sweeps have none to narrow."""
    backend = row.cell.backend
    aside = backend.is_control or Tag.SERIAL in backend.tags or Tag.GRANULARITY_SWEEP in row.cell.workload.tags
    return not aside


def _predicted_blocks(width: float, facts: Mapping[str, Any]) -> float | None:
    state = facts.get("host_state")
    step = state.get("step") if isinstance(state, Mapping) else None
    if not isinstance(step, int | float):
        return None
    found = precision.groups_for(width, step=float(step), rounds=FIRST_ROUNDS)
    return math.inf if found is None else float(found)


def _block_s(data: Dataset) -> float | None:
    """Return the seconds of a block, the mean of those begun; None without a good measurement."""
    lines = [m for of in data.cells for m in of.lines if m.status is Status.OK]
    if not lines:
        return None
    first = min(m.began for m in lines)
    last = max(m.began + m.phases.cold + m.phases.data for m in lines)
    return (last - first) / len({m.block for m in lines})


def stops_short(data: Dataset) -> bool:
    """Return whether planned blocks have not begun."""
    return {m.block for of in data.cells for m in of.lines} < {job.block for job in data.plan.jobs}
