"""The committed run, for the rules of the checklist: the one that `reports/current` names."""

import itertools
from collections.abc import Iterable

import pytest

from checkout import ROOT
from raybench.analysis.dataset import RunData
from raybench.model.measurement import Measurement
from raybench.model.plan import Cell, Job, Status
from raybench.report import build
from raybench.store import store

REPORTS = ROOT / "reports"


def committed() -> RunData:
    """Read the committed run; without one there is nothing that these rules could be held against."""
    folder = store.current(REPORTS)
    if folder is None:
        pytest.fail("reports/current names no run: commit one, taken with `raybench run study=quick`")
    return build.read(folder, REPORTS)


def good(run: RunData) -> list[tuple[Cell, Measurement]]:
    """Return the measurements that count, each with its cell."""
    by_key = {cell.key: cell for cell in run.plan.cells}
    return [(by_key[m.cell], m) for m in run.measurements if m.status is Status.OK]


def by_block(jobs: Iterable[Job]) -> list[list[Job]]:
    ordered = sorted(jobs, key=lambda job: (job.block, job.order))
    return [list(group) for _, group in itertools.groupby(ordered, key=lambda job: job.block)]
