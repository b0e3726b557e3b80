"""From a Study to jobs in blocks: what will be measured, in which order, and what not, and why.

Imports no workload and no backend: it reads their YAML and asks importlib whether packages are there.
"""

import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from raybench.model.errors import BadSettings
from raybench.model.plan import Cell, Cluster, GridRow, Job, Limits, Plan, Role, Skip, Spec, Study, Tag, needs_ray
from raybench.planning.groups import draw_block, is_baseline
from raybench.planning.nodes import lacks

PER_CPU = "per_cpu"  # parameter of a workload: tasks for each CPU
EXTRAS = {"distributed": "dask", **{name: name for name in ("mlflow", "optuna", "tensorboard")}}  # import name -> extra
# A workload with the left tag needs a backend with the right tag, for the reason given.
NEEDS = {
    Tag.KILLS: (Tag.SURVIVES_KILLS, "its tasks kill their worker; this backend has no worker that may die"),
    Tag.HANGS: (Tag.ENDS_TASKS, "its tasks hang; this backend cannot end one task (cell limit only)"),
    Tag.GPU: (Tag.GPU, "its tasks ask for GPUs; this backend does not hand out GPUs"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the plan must know of the machine; given, so that planning is pure."""

    usable_cpus: int
    cpus_for: Callable[[int], tuple[int, ...]]  # CPU numbers for P cores
    gpus: int
    missing_data: Callable[[str], str]  # why a data file cannot be had, or ''
    missing_package: Callable[[str], bool] = lambda name: importlib.util.find_spec(name) is None
    memory_bytes: int = 0  # of the machine or its container; 0 is unknown
    refused_nodes: Callable[[Cluster], str] = lambda cluster: ""  # why several nodes cannot be started here, or ''
    cluster: Cluster = field(default_factory=Cluster)  # that was looked at

    def cpus_of(self, backend: Spec) -> int:
        """Count the cores that a backend may be granted: the joined cluster's where it runs there, else ours."""
        return self.cluster.cpus if self.is_elsewhere(backend) else self.usable_cpus

    def gpus_of(self, backend: Spec) -> int:
        """Count the GPUs that a backend may be granted."""
        return self.cluster.gpus if self.is_elsewhere(backend) else self.gpus

    def is_elsewhere(self, backend: Spec) -> bool:
        """Return whether a backend's tasks run on a cluster that is joined."""
        return self.cluster.is_joined and backend.uses_ray

    @property
    def all_cpus(self) -> int:
        """What the words `all` and `powers` mean: the joined cluster's CPUs, else this machine's usable ones."""
        return self.cluster.cpus if self.cluster.is_joined else self.usable_cpus


def plan(study: Study, machine: Machine) -> Plan:
    """Lay out a study: every cell of the grid as jobs in freshly drawn blocks, or as a skip with its reason.

    Which processes form a group, and in which order: `groups`. Block 0 begins with the first workload of a core row.
    """
    check_cluster_has(study, machine)
    cells, skips = _sort_out(_cells(study, machine), study, machine)
    core = _core(cells, study)
    first = next((cell.workload.name for cell in cells if cell.key in core), "")
    pattern = _pattern(cells, study, machine)
    memory = machine.memory_bytes // 2 if machine.memory_bytes else None
    jobs: list[Job] = []
    for block in range(study.blocks):
        jobs += draw_block(pattern, seed=study.seed, block=block, first=first, aa=study.controls, memory_bytes=memory)
    tuned = [name for name in dict.fromkeys(c.workload.name for c in cells) if Tag.HPO in study.workloads[name].tags]
    return Plan(
        study=study.name,
        seed=study.seed,
        blocks=study.blocks,
        usable_cpus=machine.all_cpus,
        jobs=tuple(jobs),
        skips=tuple(skips),
        controls=study.controls,
        verdicts=study.verdicts,
        quality=tuple(tuned) if study.quality_pairs else (),
        quality_pairs=study.quality_pairs,
        target_half_width=study.target_half_width,
        core=core,
        about=study.about,
    )


def _pattern(cells: Sequence[Cell], study: Study, machine: Machine) -> list[Job]:
    """Return one job per cell; its place in a block is drawn later."""
    return [
        Job(
            cell=cell,
            block=0,
            order=0,
            seed=study.seed,
            limits=_limits(cell, study),
            cluster=_cluster(cell, study),
            affinity=_affinity(cell, _cluster(cell, study), machine),
            environment=tuple(sorted({*study.environment, *cell.workload.environment, *cell.backend.environment})),
        )
        for cell in cells
    ]


def _cluster(cell: Cell, study: Study) -> Cluster:
    """Return the cluster that a cell runs on: that of its grid row, or the run's."""
    return study.clusters.get(cell.cluster, study.cluster)


def _affinity(cell: Cell, cluster: Cluster, machine: Machine) -> tuple[int, ...]:
    """Return the CPU numbers that a cell may run on: oversubscribed cells share what there is, as do all nodes.

    Those of a cluster that is joined are not ours to pin.
    """
    if machine.is_elsewhere(cell.backend):
        return ()
    shared = cluster.nodes and needs_ray(cell)
    return machine.cpus_for(machine.usable_cpus if shared else min(cell.cpus, machine.usable_cpus))


def _limits(cell: Cell, study: Study) -> Limits:
    """Return the run's limits, with the time-out of this cell's grid row where the run names none."""
    asked = [
        row.task_timeout_s
        for row in study.grid
        if cell.workload.name in row.workloads and cell.backend.name in row.backends and row.task_timeout_s is not None
    ]
    return (
        replace(study.limits, task_timeout_s=min(asked))
        if asked and study.limits.task_timeout_s is None
        else study.limits
    )


def top_up_block(planned: Plan, wanted: Iterable[str], *, block: int) -> list[Job]:
    """Draw one more block of the wanted cells (keys) with their baselines."""
    keys = set(wanted)
    workloads = {cell.workload.name for cell in planned.cells if cell.key in keys}
    pattern = {
        job.cell.key: replace(job, replica=1, extra=True)
        for job in planned.jobs
        if job.cell.key in keys or (is_baseline(job.cell) and job.cell.workload.name in workloads)
    }
    return draw_block(list(pattern.values()), seed=planned.seed, block=block, aa=planned.controls)


def check_cluster_has(study: Study, machine: Machine) -> None:
    """Raise BadSettings where the study asks for more CPUs than the cluster has that it joins."""
    if machine.cluster.is_joined:
        most = max((count for row in study.grid for count in row.cpus if isinstance(count, int)), default=0)
        if most > machine.cluster.cpus:
            raise BadSettings(
                f"cpus: {most} asked, the cluster {machine.cluster.name} has {machine.cluster.cpus}; "
                f"ask for fewer, e.g. cpus=[{machine.cluster.cpus}], or add nodes"
            )


# --- cells ----------------------------------------------------------------------------------------


def _cells(study: Study, machine: Machine) -> list[Cell]:
    found: dict[str, Cell] = {}
    for row in study.grid:
        for workload in row.workloads:
            for backend in row.backends:
                for laid in _of_row(study.workloads[workload], study.backends[backend], row, machine):
                    cell = _named(laid, study.cluster)
                    found.setdefault(cell.key, cell)
    return list(found.values())


def _named(cell: Cell, cluster: Cluster) -> Cell:
    """Name the run's nodes in a cell of Ray that runs on them: it is another cell than one on a head of its own."""
    return replace(cell, cluster=cluster.name) if cluster.nodes and needs_ray(cell) and not cell.cluster else cell


def _core(cells: Sequence[Cell], study: Study) -> tuple[str, ...]:
    """Return the keys of the cells of core rows, in the order of the rows."""
    wanted = [
        (workload, backend) for row in study.grid if row.core for workload in row.workloads for backend in row.backends
    ]
    by_pair: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        by_pair.setdefault((cell.workload.name, cell.backend.name), []).append(cell.key)
    return tuple(dict.fromkeys(key for pair in wanted for key in by_pair.get(pair, ())))


def _of_row(workload: Spec, backend: Spec, row: GridRow, machine: Machine) -> Iterable[Cell]:
    """Lay one pair out over the axes; serial backends exist at P = 1 only, threaded ones at P > 1 only."""
    counts = cpu_counts(row.cpus, machine.all_cpus)
    own = workload.params.get("gpus") if Tag.GPU in workload.tags else None  # its tasks queue for a number of its own
    for gpus in row.gpus if own is None else (own,):
        if Tag.SERIAL in backend.tags:
            yield Cell(workload=workload, backend=backend, workers=1, gpus=gpus)
            continue
        for cpus in counts:
            if row.logical:
                yield _logical(workload, backend, cpus, row, machine)
                continue
            if backend.role is Role.THREADED_BASELINE:
                if cpus > 1:
                    yield Cell(workload=workload, backend=backend, workers=1, cpus_per_task=cpus, gpus=gpus)
                continue
            for each in row.cpus_per_task:
                if cpus % each:
                    continue
                for workers in row.workers or (cpus // each,):
                    wide = workers * each > cpus
                    yield Cell(
                        workload=workload,
                        backend=backend,
                        workers=workers,
                        cpus_per_task=each,
                        gpus=gpus,
                        oversubscribed=wide,
                        granted=cpus if wide else None,
                        cluster=row.cluster,
                    )


def _logical(workload: Spec, backend: Spec, cpus: int, row: GridRow, machine: Machine) -> Cell:
    """Return a cell of logical CPUs; a workload with `per_cpu` grows with them."""
    if per_cpu := workload.params.get(PER_CPU):
        workload = replace(workload, params={**workload.params, "count": per_cpu * cpus, PER_CPU: 0})
    return Cell(workload=workload, backend=backend, workers=cpus, real=machine.usable_cpus, cluster=row.cluster)


def cpu_counts(asked: Sequence[int | str], usable: int) -> list[int]:
    """Spell out `all` and `powers` (1, 2, 4 ... and all usable cores); sorted, each once."""
    counts: set[int] = set()
    for word in asked:
        if word == "all":
            counts.add(usable)
        elif word == "powers":
            counts |= {2**k for k in range(usable.bit_length()) if 2**k <= usable} | {usable}
        else:
            counts.add(int(word))
    return sorted(counts)


def _sort_out(cells: Sequence[Cell], study: Study, machine: Machine) -> tuple[list[Cell], list[Skip]]:
    run, skips = [], []
    for cell in cells:
        if any(not machine.missing_data(name) for name in cell.workload.requires.absent):
            continue  # it stands in for a workload whose data are at hand
        if cell.cpus > machine.usable_cpus and study.oversubscribe and not machine.is_elsewhere(cell.backend):
            cell = replace(cell, oversubscribed=True)
        reason = unsuitable(cell.workload, cell.backend) or _unavailable(cell, study, machine)
        if reason:
            skips.append(Skip(cell=cell, reason=reason))
        else:
            run.append(cell)
    return run, skips


def unsuitable(workload: Spec, backend: Spec) -> str:
    """Say why this pair makes no sense on any machine, or ''."""
    lacking = [tag for tag in backend.requires.tags if tag not in workload.tags]
    if lacking:
        return f"{backend.name} needs a workload tagged {', '.join(lacking)}; {workload.name} is none"
    if backend.stepped and not workload.stepped:
        return f"{backend.name} stops tasks early; the tasks of {workload.name} have no steps to stop between"
    for tag, (wanted, why) in NEEDS.items():
        if tag in workload.tags and wanted not in backend.tags:
            return f"{workload.name} on {backend.name}: {why}"
    return ""


def _unavailable(cell: Cell, study: Study, machine: Machine) -> str:
    for spec in (cell.workload, cell.backend):
        for package in spec.requires.packages:
            if machine.missing_package(package):
                return say_missing(package)
        for name in spec.requires.data:
            if reason := machine.missing_data(name):
                return reason
    wanted = max(cell.gpus, cell.workload.requires.gpus, cell.backend.requires.gpus)
    gpus = machine.gpus_of(cell.backend)
    if wanted > gpus and Tag.LOGICAL_GPU not in cell.workload.tags:
        where = "the cluster" if machine.is_elsewhere(cell.backend) else "this machine"
        return f"asks for {wanted:g} GPU, {where} has {gpus}"
    return _without_room(cell, study, machine)


def _without_room(cell: Cell, study: Study, machine: Machine) -> str:
    """Say why there is no room for a cell's workers, or ''. Logical CPUs need none: their tasks wait."""
    if cell.emulated:
        waits = Tag.WAITS in cell.workload.tags
        told = "" if waits else "its tasks compute; logical CPUs do for tasks that wait only"
        return told or lacks(cell, _cluster(cell, study), machine.refused_nodes)
    slots = cell.workers * cell.cpus_per_task
    if slots > cell.cpus and "ray" in cell.backend.requires.packages:
        return f"asks for {slots} slots on {cell.cpus} cores; Ray hands out one slot per core granted"
    if cell.cpus > machine.cpus_of(cell.backend) and not study.oversubscribe:
        if machine.cluster.is_joined:
            return (
                f"runs on this machine alone, which has {machine.usable_cpus} usable cores; only Ray joins the cluster"
            )
        return (
            f"asks for {cell.cpus} cores, {machine.usable_cpus} are usable; "
            "oversubscribe=true runs it all the same, labelled"
        )
    return lacks(cell, _cluster(cell, study), machine.refused_nodes)


def say_missing(package: str) -> str:
    """Say that a package is not installed, and what to type."""
    extra = EXTRAS.get(package)
    remedy = f"pip install 'raybench[{extra}]'" if extra else f"pip install {package}"
    return f"package {package} is not installed; {remedy}"


def limit_note(job: Job) -> str:
    """Say `cell limit only` where a task time-out is asked for and this backend cannot end one task."""
    if job.limits.task_timeout_s is None or Tag.ENDS_TASKS in job.cell.backend.tags:
        return ""
    return "cell limit only"


def estimate_s(jobs: Sequence[Job], known: Mapping[str, float]) -> float:
    """Estimate how long these jobs take: seconds per process from earlier runs, else a guess by kind."""
    return sum(known.get(job.cell.key, _guess_s(job.cell)) for job in jobs)


def _guess_s(cell: Cell) -> float:
    """Guess the seconds of one process with its rounds, on two cores."""
    starts = 9.0 if "ray" in cell.backend.requires.packages else 3.0
    return starts + (4.0 if cell.backend.stepped else 2.0)
