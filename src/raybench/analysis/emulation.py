"""Emulated scale-out: what scheduling alone leaves of logical CPUs, beside what the predictor said.

E = ideal list schedule of the lengths / makespan. One after another the tasks would take the sum of their lengths: no
sequential baseline is run. Which measurements count: `validity`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from raybench.analysis.dataset import CellData, Dataset, is_baseline
from raybench.analysis.predictor import task_seconds
from raybench.analysis.validity import RECORDED, Anchor
from raybench.model.estimate import Estimate
from raybench.model.evidence import Change
from raybench.model.laws import Laws, fit_laws
from raybench.model.log_ratio import Prior, fit_prior
from raybench.model.measurement import Measurement
from raybench.model.plan import Cell, Cluster, Tag
from raybench.model.schedule import LEASE_S, leased_schedule_s, list_schedule_s
from raybench.model.stats import Resampler, ratio

LEASE = "RAY_worker_lease_timeout_milliseconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One emulated cell. nodes : logical CPUs of each node, the driver's first. tasks, task_s : their number and mean.

    lease_s : how long the driver keeps a leased worker; None where there are no leases.
    efficiency : ideal list schedule / makespan; speedup : sum of the lengths / makespan; None where it is not valid.
    predicted : efficiency by the predictor; error : predicted / measured makespan - 1.
    contention : how much longer the replayed tasks took on 2 real cores than alone; None where they are made up.
    growing : the tasks grow with P (weak scaling). reason : why there is no number, or why some blocks have none.
    """

    cell: Cell
    nodes: tuple[int, ...]
    lease_s: float | None
    tasks: int = 0
    task_s: float = 0.0
    n: int = 0
    efficiency: Estimate | None = None
    speedup: Estimate | None = None
    predicted: float | None = None
    error: Estimate | None = None
    contention: Estimate | None = None
    work_ratio: float = 1.0
    growing: bool = False
    reason: str = ""

    @property
    def topology(self) -> str:
        """Write the nodes: `25`, `11+8+4+2`."""
        return "+".join(map(str, self.nodes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Laws fitted to one workload of fixed size on one backend."""

    workload: str
    backend: str
    laws: Laws


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulation:
    """All emulated cells of a run. anchors : replay / real makespan by name of the real workload, over blocks.

    run : its folder, where it is another one than the report's.
    """

    points: tuple[Point, ...]
    anchors: Mapping[str, Estimate] = field(default_factory=dict)
    scaling: tuple[Scaling, ...] = ()
    run: str = ""


def emulation(data: Dataset, draws: Resampler) -> Emulation | None:
    """Return what the emulated cells of a run show; None where it planned none."""
    cells = [of for of in data.cells if of.cell.emulated and Tag.REPLAY in of.cell.workload.tags]
    if not cells:
        return None
    clusters = {job.cell.key: job.cluster for job in data.plan.jobs}
    prior = _prior(cells)
    points = [_point(of, clusters.get(of.key, Cluster()), cells, prior, draws) for of in cells]
    return Emulation(
        points=tuple(points),
        anchors={a.real.workload.name: _pooled(a, draws) for a in data.rules.anchors if a.ratio},
        scaling=tuple(_scaling(cells, draws)),
    )


def _point(of: CellData, cluster: Cluster, cells: Sequence[CellData], prior: Prior | None, draws: Resampler) -> Point:
    nodes = cluster.nodes or (of.cell.cpus,)
    point = Point(
        cell=of.cell,
        nodes=nodes,
        lease_s=lease_s(of.cell, cluster),
        growing="per_cpu" in of.cell.workload.params,
        reason=of.reason(),
    )
    good = of.in_order
    if not good:
        return point
    took = [m.phases.makespan for m in good]
    ideal = [list_schedule_s(m.details.waits_s, of.cell.workers) for m in good]
    efficiency = ratio(ideal, took, draws, prior=prior)
    told = _predict(of, nodes, point.lease_s, cells)
    return replace(
        point,
        n=len(good),
        tasks=len(good[0].tasks),
        task_s=float(np.mean([np.mean(m.details.waits_s) for m in good])),
        efficiency=efficiency.estimate(),
        speedup=ratio([sum(m.details.waits_s) for m in good], took, draws, prior=prior).estimate(),
        predicted=float(np.exp(np.mean(np.log(ideal) - np.log(told)))) if told else None,
        error=ratio(told, took, draws, prior=prior).estimate(Change(shift=-1)) if told else None,
        contention=_contention(of, draws),
        work_ratio=sum(m.steps_done for m in good) / (sum(m.steps_asked for m in good) or 1) or 1.0,
    )


def lease_s(cell: Cell, cluster: Cluster) -> float | None:
    """Return how long the driver keeps a leased worker; None for a backend without leases."""
    if "ray" not in cell.backend.requires.packages:
        return None
    flags = cell.backend.params.get("flags", {})
    return float(cluster.lease_timeout_ms or flags.get(LEASE) or 1000 * LEASE_S) / 1000


def _prior(cells: Sequence[CellData]) -> Prior | None:
    """Return how the variances of the run's efficiencies are distributed."""
    logs, seconds = [], []
    for of in cells:
        took = np.array([m.phases.makespan for m in of.in_order])
        ideal = np.array([list_schedule_s(m.details.waits_s, of.cell.workers) for m in of.in_order])
        logs.append(np.log(ideal / took))
        seconds.append(float(np.exp(np.log(took).mean())) if len(took) else 0.0)
    return fit_prior(logs, seconds)


# --- prediction -----------------------------------------------------------------------------------


def _predict(of: CellData, nodes: Sequence[int], lease: float | None, cells: Sequence[CellData]) -> list[float]:
    """Predict each makespan: list schedule, cost of a task fitted at P = 1, leases; [] where P = 1 was not measured."""
    cost = task_cost_s(of.cell, cells)
    if cost is None or lease is None:
        return []
    return [leased_schedule_s(m.details.waits_s, nodes, per_task_s=cost, lease_s=lease) for m in of.in_order]


def task_cost_s(cell: Cell, cells: Sequence[CellData]) -> float | None:
    """Return what a task costs its worker beyond its wait, from the same kind of backend on one logical CPU."""
    for other in cells:
        alone = other.cell
        if alone.cpus == 1 and alone.backend.target == cell.backend.target and not alone.cluster and other.good:
            lease = lease_s(alone, Cluster())
            return float(np.median([_cost(m, lease or LEASE_S) for m in other.in_order]))
    return None


def _cost(m: Measurement, lease: float) -> float:
    rest = m.phases.makespan - leased_schedule_s(m.details.waits_s, (1,), lease_s=lease)
    return max(0.0, rest / len(m.tasks))


# --- anchors, contention, laws --------------------------------------------------------------------


def _pooled(anchor: Anchor, draws: Resampler) -> Estimate:
    return ratio(list(anchor.ratio.values()), np.ones(len(anchor.ratio)), draws).estimate()


def _contention(of: CellData, draws: Resampler) -> Estimate | None:
    """Estimate how much longer the recorded tasks took on 2 cores at once than alone, median task by median task."""
    source = of.cell.workload.params.get(RECORDED)
    if not source:
        return None
    real = [d for d in of.study.cells if d.cell.workload.name == source["workload"] and not d.cell.emulated]
    alone = next((d for d in real if is_baseline(d.cell)), None)
    both = next((d for d in real if d.cell.cpus == 2 and d.cell.backend.name == of.cell.backend.name), None)
    both = both or next((d for d in real if d.cell.cpus == 2 and "ray" in d.cell.backend.requires.packages), None)
    if alone is None or both is None:
        return None
    factors = [
        float(np.median(np.array(task_seconds(both.good[b])) / np.array(task_seconds(alone.good[b]))))
        for b in sorted(alone.good.keys() & both.good.keys())
        if len(both.good[b].tasks) == len(alone.good[b].tasks) > 0
    ]
    return ratio(factors, np.ones(len(factors)), draws).estimate() if factors else None


def _scaling(cells: Sequence[CellData], draws: Resampler) -> Iterator[Scaling]:
    """Fit the laws to each workload of fixed size that one backend ran on enough logical CPUs of one node."""
    families: dict[tuple[str, str, str], list[CellData]] = {}
    for of in cells:
        spec = of.cell.workload
        if "per_cpu" not in spec.params and not of.cell.cluster and of.good:
            families.setdefault((spec.name, repr(spec.params), of.cell.backend.name), []).append(of)
    for (workload, _, backend), found in families.items():
        blocks = sorted(set.intersection(*(set(of.good) for of in found)))
        seconds = {of.cell.cpus: [of.good[b].phases.makespan for b in blocks] for of in found}
        if (laws := fit_laws(seconds, draws)) is not None:
            yield Scaling(workload=workload, backend=backend, laws=laws)
