"""Task lengths from the raw lines of a run: of an earlier one, or of the run that is being measured."""

import os
from collections.abc import Sequence
from pathlib import Path

from raybench.model.errors import BackendFailed, RaybenchError
from raybench.model.measurement import Measurement
from raybench.model.plan import Cell, Status
from raybench.store import store
from raybench.workloads.base import BLOCK

RUN = "RAYBENCH_RUN"  # folder of the run that is being measured, in the driver's environment


def read_lengths(*, workload: str, backend: str, cpus: int, run: str = "") -> list[float]:
    """Return the seconds of each task of one process, in the order of the tasks.

    Of several blocks it is the one that is being measured, or else the last before it. BackendFailed where the run has
    no such cell measured.
    """
    folder = run or os.environ.get(RUN, "")
    name = f"{workload} on {backend}, P={cpus}"
    if not folder:
        raise BackendFailed(f"replay of {name}: no run to read it from; give recorded.run, a run's folder")
    try:
        plan, loaded = store.read_run(Path(folder))
    except RaybenchError as error:
        raise BackendFailed(f"replay of {name}: {error}") from error
    keys = {cell.key for cell in plan.cells if _is(cell, workload, backend, cpus)}
    chosen = _choose([m for m in loaded.measurements if m.cell in keys and m.status is Status.OK and m.tasks])
    if chosen is None:
        raise BackendFailed(f"replay of {name}: the run has no good measurement of it; measure that cell before")
    return [t.ended - t.started for t in sorted(chosen.tasks, key=lambda t: t.index)]


def _is(cell: Cell, workload: str, backend: str, cpus: int) -> bool:
    return (cell.workload.name, cell.backend.name, cell.cpus, cell.emulated) == (workload, backend, cpus, False)


def _choose(lines: Sequence[Measurement]) -> Measurement | None:
    now = int(os.environ.get(BLOCK, "0"))
    earlier = [m for m in lines if m.block <= now] or lines
    last = max((m.block for m in earlier), default=0)
    mine = [m for m in earlier if m.block == last]
    return min(mine, key=lambda m: (m.replica, -m.attempt), default=None)
