"""Views of a recorded run that several rules are held against."""

import itertools
from collections.abc import Iterable

from raybench.analysis.dataset import RunData
from raybench.model.measurement import Measurement
from raybench.model.plan import Cell, Job, Status


def good(run: RunData) -> list[tuple[Cell, Measurement]]:
    """Return the measurements that count, each with its cell."""
    by_key = {cell.key: cell for cell in run.plan.cells}
    return [(by_key[m.cell], m) for m in run.measurements if m.status is Status.OK]


def by_block(jobs: Iterable[Job]) -> list[list[Job]]:
    ordered = sorted(jobs, key=lambda job: (job.block, job.order))
    return [list(group) for _, group in itertools.groupby(ordered, key=lambda job: job.block)]
