"""Studies made by hand: plans and measurements with known times, for the tests of the analysis."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from raybench.model.measurement import Details, GpuUse, HeadUse, HeadUsed, Measurement, Phases, TaskStamp
from raybench.model.plan import Cell, Job, Plan, Role, Skip, Spec, Status, Tag

WORKLOAD = Spec(name="work", target="x:Work", params={"n": 8}, tags=(Tag.COMPUTE,))
SEQUENTIAL = Spec(name="sequential", target="x:Loop", role=Role.BASELINE, tags=(Tag.SERIAL,))
THREADS = Spec(name="sequential_threads", target="x:Loop", role=Role.THREADED_BASELINE)
POOL = Spec(name="pool", target="x:Pool", tags=(Tag.PARALLEL,))
ASHA = Spec(name="asha", target="x:Asha", tags=(Tag.PARALLEL,), stepped=True)
SHARED_HEAD = HeadUsed(use=HeadUse.SHARED)
LOGICAL_GPU = Details(gpu=GpuUse(devices="LOGICAL", most_at_once=2))
CEILING = Spec(name="hardware_ceiling", target="x:Bare", role=Role.CEILING)
INJECTED = Spec(
    name="sequential_injected",
    target="x:Slow",
    role=Role.CONTROL,
    tags=(Tag.SERIAL,),
    params={"overhead_s": 0.05},
)


def cell(backend: Spec = SEQUENTIAL, cpus: int = 1, *, workload: Spec = WORKLOAD, **changes: Any) -> Cell:
    return Cell(workload=workload, backend=backend, **{"workers": cpus, **changes})


def stamps(spans: Sequence[tuple[int, float, float]], *, steps: int = 0) -> tuple[TaskStamp, ...]:
    """Make one stamp per (worker, started, ended)."""
    return tuple(
        TaskStamp(index=i, worker=worker, started=started, ended=ended, steps=steps)
        for i, (worker, started, ended) in enumerate(spans)
    )


def measured(where: Cell, block: int, seconds: float, **changes: Any) -> Measurement:
    """Make a good measurement of a cell; `phases` replaces single phases."""
    phases = Phases(**{"makespan": seconds, **changes.pop("phases", {})})
    made = Measurement(cell=where.key, block=block, replica=1, attempt=1, status=Status.OK, phases=phases)
    return replace(made, **changes)


def series(where: Cell, seconds: Sequence[float] | np.ndarray, **changes: Any) -> list[Measurement]:
    """Make one good measurement a block."""
    return [measured(where, block, float(s), **changes) for block, s in enumerate(seconds)]


def planned(
    cells: Sequence[Cell], *, blocks: int = 10, skipped: Mapping[Cell, str] | Sequence[Skip] = (), controls: bool = True
) -> Plan:
    jobs = [Job(cell=c, block=b, order=i, seed=1) for b in range(blocks) for i, c in enumerate(cells)]
    return Plan(
        study="made",
        seed=1,
        blocks=blocks,
        usable_cpus=16,
        jobs=tuple(jobs),
        skips=tuple(skipped),
        controls=controls,
        verdicts=True,
    )


def noisy(seconds: float, n: int, *, seed: int, cov: float = 0.02) -> np.ndarray:
    return seconds * np.exp(cov * np.random.default_rng(seed).normal(size=n))
