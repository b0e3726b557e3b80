"""A run of any size made from a seed: what the analysis and the report are timed on. Nothing is measured."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from raybench.model.measurement import Environment, Measurement, Phases, TaskStamp
from raybench.model.plan import GridRow, Job, Plan, Role, Spec, Status, Study, Tag
from raybench.planning.planner import Machine, plan
from raybench.store import store

CPUS = 16
BLOCKS = 10
TASKS = 8
WORK_S = 4.0  # one-thread seconds of a bag
EFFICIENCY = {"sequential": 1.0, "sequential_threads": 0.6, "joblib": 0.9, "ray_tasks": 0.85, "ray_tune_fifo": 0.8}


def made_plan(measurements: int, *, seed: int = 1) -> Plan:
    """Plan as many cells on sixteen made cores as give at least so many measurements in ten blocks."""
    backends = {name: _backend(name) for name in EFFICIENCY}
    count = 1
    while True:
        workloads = {f"made_{i}": _workload(f"made_{i}") for i in range(count)}
        made = plan(_study(workloads, backends, seed), machine())
        if len(made.jobs) >= measurements:
            return made
        count = max(count + 1, int(count * measurements / max(len(made.jobs), 1)))


def machine() -> Machine:
    """Describe sixteen cores on which everything is there."""
    return Machine(
        usable_cpus=CPUS,
        cpus_for=lambda count: tuple(range(count)),
        gpus=0,
        missing_data=lambda name: "",
        missing_package=lambda name: False,
    )


def made_measurements(made: Plan, *, seed: int = 1) -> Iterator[Measurement]:
    """Draw one good measurement per job: log-normal noise of 5 %, drift of 10 % over the run."""
    rng = np.random.default_rng(seed)
    for index, job in enumerate(made.jobs):
        yield _measurement(job, index, float(np.exp(rng.normal(0, 0.05)) * (1 + 0.1 * index / len(made.jobs))))


def write(reports: Path, measurements: int) -> Path:
    """Write a whole made run below a reports folder, as the runner would, and name it the current one."""
    made = made_plan(measurements)
    folder = reports / "raw" / "made-16c" / made.study / "20260131T000000Z"
    folder.mkdir(parents=True)
    store.write_plan(folder, made)
    store.write_environment(
        folder, Environment(machine="made-16c", identity={"source": "made"}, began="20260131T000000Z", facts={})
    )
    lines = store.Store(folder / "measurements.jsonl")
    for measurement in made_measurements(made):
        lines.append(measurement)
    store.set_current(reports, folder)
    return folder


def _measurement(job: Job, index: int, noise: float) -> Measurement:
    cpus = job.cell.cpus
    makespan = WORK_S / (1 + (cpus - 1) * EFFICIENCY[job.cell.backend.name]) * noise
    length = makespan * job.cell.workers / TASKS
    return Measurement(
        cell=job.cell.key,
        block=job.block,
        replica=job.replica,
        attempt=job.attempt,
        status=Status.OK,
        order=job.order,
        index=index,
        began=index * 5.0,
        phases=Phases(interpreter=0.05, imports=0.4, start_up=0.5, warm_up=0.2, makespan=makespan, shutdown=0.1),
        cpu_s=makespan * cpus,
        cpu_makespan_s=makespan * cpus * 0.95,
        peak_rss_bytes=200 * 2**20,
        tasks=tuple(
            TaskStamp(
                index=i,
                started=round(i // job.cell.workers * length, 6),
                ended=round((i // job.cell.workers + 1) * length * 0.98, 6),
                worker=1000 + i % job.cell.workers,
            )
            for i in range(TASKS)
        ),
        tasks_hash="made",
        answers_hash="made",
        scores={"rmse": 1.0},
    )


def _study(workloads: dict[str, Spec], backends: dict[str, Spec], seed: int) -> Study:
    row = GridRow(workloads=tuple(workloads), backends=tuple(backends), cpus=("powers",))
    return Study(
        name="made",
        grid=(row,),
        workloads=workloads,
        backends=backends,
        blocks=BLOCKS,
        seed=seed,
        budget_min=10_000,
        quality_pairs=0,
    )


def _workload(name: str) -> Spec:
    return Spec(name=name, target="raybench.workloads.primes.Primes", tags=(Tag.COMPUTE,), source="made", about="made")


def _backend(name: str) -> Spec:
    roles = {"sequential": Role.BASELINE, "sequential_threads": Role.THREADED_BASELINE}
    tags = (Tag.SERIAL,) if name == "sequential" else ()
    role = roles.get(name, Role.CANDIDATE)
    return Spec(name=name, target="raybench.backends.sequential.Sequential", tags=tags, role=role)
