"""A made emulated run: cells on logical CPUs with waits whose makespan is known, and a real cell as their anchor."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from made_study import SEQUENTIAL, cell, measured, planned, stamps
from raybench.analysis.dataset import RunData
from raybench.model.measurement import Burst, Details, Disturbance, Environment, Measurement, Sample
from raybench.model.plan import Cell, Cluster, Plan, Requires, Spec, Tag
from raybench.model.schedule import list_schedule_s

RAY = Spec(name="ray_tasks", target="x:Ray", tags=(Tag.PARALLEL,), requires=Requires(packages=("ray",)))
SHORT_LEASE = replace(
    RAY,
    name="ray_tasks_lease_default",
    variant_of="ray_tasks",
    params={"flags": {"RAY_worker_lease_timeout_milliseconds": "500"}},
)
LONG_LEASE = replace(RAY, params={"flags": {"RAY_worker_lease_timeout_milliseconds": "60000"}})
REAL = Spec(name="work", target="x:Work", params={"n": 4}, tags=(Tag.COMPUTE,))
RECORDED = {"workload": "work", "backend": "ray_tasks", "cpus": 2}
ANCHOR = Spec(name="replay_work", target="x:Replay", params={"recorded": RECORDED}, tags=(Tag.WAITS, Tag.REPLAY))
MADE_UP = Spec(name="replay_half", target="x:Replay", params={"per_cpu": 0, "count": 16}, tags=(Tag.WAITS, Tag.REPLAY))
BURST = Burst(tasks=100, seconds=0.1, cpu_s=0.1)
BLOCKS = 3


def logical(workload: Spec = MADE_UP, backend: Spec = LONG_LEASE, cpus: int = 8, **changes: Any) -> Cell:
    return cell(backend, cpus, workload=workload, real=2, **changes)


def waited(
    where: Cell, block: int, waits: Sequence[float], *, loss: float = 0.02, late_s: float = 0.001, **changes: Any
) -> Measurement:
    """Make a measurement whose tasks waited in turn on their workers, and whose makespan is `loss` over the ideal."""
    workers = where.workers
    ends = [0.0] * workers
    spans = []
    for i, wait in enumerate(waits):
        began = ends[i % workers]
        ends[i % workers] = began + wait + late_s
        spans.append((i % workers + 1, began, ends[i % workers]))
    seconds = list_schedule_s(waits, workers) * (1 + loss)
    details = Details(waits_s=tuple(waits), burst=BURST)
    made = measured(where, block, seconds, tasks=stamps(spans), details=details, cpu_makespan_s=0.2 * seconds)
    return replace(made, **changes)


def sample(m: Measurement, **changes: Any) -> Sample:
    """Make the one sample of a process."""
    return Sample(
        cell=m.cell, block=m.block, replica=m.replica, attempt=m.attempt, round=0, place=0,
        seconds=m.phases.makespan, disturbance=Disturbance(**{"background_during": 0.05, "steal": 0.0, **changes}),
    )  # fmt: skip


def anchored(
    lines: Sequence[Measurement],
    cells: Sequence[Cell],
    *,
    ratio: float = 1.01,
    clusters: dict[str, Cluster] | None = None,
) -> tuple[Plan, list[Measurement]]:
    """Put a real workload, alone and on 2 cores, and its replay beside other cells; tasks take 1.2 times as long."""
    alone, both = cell(SEQUENTIAL, workload=REAL), cell(LONG_LEASE, 2, workload=REAL)
    replay = logical(ANCHOR, LONG_LEASE, 2)
    plan = planned([alone, both, replay, *cells], blocks=BLOCKS)
    known = clusters or {}
    jobs = tuple(replace(j, cluster=known.get(j.cell.cluster, j.cluster)) for j in plan.jobs)
    made = []
    for block in range(BLOCKS):
        made.append(measured(alone, block, 4.0, tasks=stamps([(1, float(i), i + 1.0) for i in range(4)])))
        made.append(
            measured(both, block, 2.4, tasks=stamps([(i % 2, i // 2 * 1.2, i // 2 * 1.2 + 1.2) for i in range(4)]))
        )
        made.append(waited(replay, block, [1.2] * 4, loss=ratio - 1))
    return replace(plan, jobs=jobs), [*made, *lines]


def emulated_run(
    *cells: Cell,
    loss: float = 0.02,
    ratio: float = 1.01,
    wait_s: float = 0.5,
    clusters: dict[str, Cluster] | None = None,
) -> RunData:
    """Make a run in which each cell waits twice per CPU, with an anchor in each block."""
    lines = [
        waited(where, b, [wait_s] * (2 * where.cpus), loss=loss + 0.001 * b) for where in cells for b in range(BLOCKS)
    ]
    plan, measurements = anchored(lines, cells, ratio=ratio, clusters=clusters)
    return run_of(plan, measurements)


def run_of(plan: Plan, lines: Sequence[Measurement], samples: Sequence[Sample] = ()) -> RunData:
    return RunData(
        folder="r",
        data="d",
        plan=plan,
        environment=Environment(machine="made", identity={}, began="20260131T000000Z", facts={}),
        measurements=tuple(lines),
        samples=tuple(samples),
    )
