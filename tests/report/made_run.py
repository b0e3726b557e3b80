"""A made run with everything that may happen in it; times follow simple laws, so that expected values are known."""

from pathlib import Path

import numpy as np

from raybench.model.measurement import Disturbance, Environment, Measurement, Phases, SweepTiming, TaskStamp, WorkerSeen
from raybench.model.plan import Cell, Job, Plan, Role, Skip, Spec, Status, Tag
from raybench.store import store

BLOCKS = 6
TASKS = 8
SECONDS = 4.0  # of the one-thread loop over all tasks
SPEEDUPS = {  # (backend, P) -> speedup of the law, before noise
    ("sequential", 1): 1.0,
    ("sequential_threads", 2): 1.25,
    ("joblib", 1): 0.98,
    ("joblib", 2): 1.9,
    ("ray_tasks", 1): 0.95,
    ("ray_tasks", 2): 1.5,
    ("ray_tune_asha", 2): 2.5,
}
START_UP = {"sequential": 0.0, "sequential_threads": 0.0, "joblib": 0.4, "ray_tasks": 6.0, "ray_tune_asha": 6.5}
NASTY = "pipe|name<script>alert(1)</script>`tick`"
TRACEBACK = 'Traceback:\n  File "x.py"\n| boom <b>bold</b> [click](javascript:alert(1)) *star* __init__'


def backend(name: str) -> Spec:
    roles = {"sequential": Role.BASELINE, "sequential_threads": Role.THREADED_BASELINE}
    return Spec(
        name=name,
        target=f"made:{name}",
        role=roles.get(name, Role.CANDIDATE),
        tags=(Tag.SERIAL,) if name == "sequential" else (Tag.PARALLEL,),
        stepped=name == "ray_tune_asha",
    )


def workload(name: str, *tags: str) -> Spec:
    return Spec(name=name, target=f"made:{name}", params={"n": TASKS}, tags=tags, about="made")


FRIEDMAN = workload("friedman", "compute", "hpo")
HURT = workload(NASTY, "compute")
LADDER = workload("granularity", "compute")


def cell(spec: Spec, name: str, cpus: int, **changes: object) -> Cell:
    if name == "sequential_threads":
        changes = {"cpus_per_task": cpus, **changes}
        return Cell(workload=spec, backend=backend(name), workers=1, **changes)
    return Cell(workload=spec, backend=backend(name), workers=cpus, **changes)


def cells() -> list[Cell]:
    """List every cell that has jobs."""
    found = [cell(FRIEDMAN, name, cpus) for name, cpus in SPEEDUPS]
    found += [cell(HURT, "sequential", 1), cell(HURT, "joblib", 2), cell(HURT, "ray_tasks", 2)]
    found += [cell(LADDER, "sequential", 1), cell(LADDER, "ray_tasks", 2)]
    return found


def plan(blocks: int = BLOCKS) -> Plan:
    jobs = []
    for block in range(blocks):
        order = 0
        for one in cells():
            twice = one.backend.name == "sequential" and one.workload is FRIEDMAN
            for replica in (1, 2) if twice else (1,):
                jobs.append(Job(cell=one, block=block, order=order, replica=replica, seed=1))
                order += 1
    skips = (
        Skip(cell=cell(FRIEDMAN, "ray_tasks", 2, gpus=1), reason="asks for 1 GPU; this machine has 0"),
        Skip(cell=cell(FRIEDMAN, "joblib", 4), reason="asks for 4 cores; 2 are usable"),
        Skip(cell=cell(FRIEDMAN, "ray_tasks", 4), reason="asks for 4 cores; 2 are usable"),
    )
    return Plan(
        study="made", seed=1, blocks=blocks, usable_cpus=2, jobs=tuple(jobs), skips=skips, controls=True, verdicts=True
    )


def measurement(job: Job, index: int) -> Measurement:
    """Make the line of one job: a law, 1 % noise per measurement, and a drift that all cells of a block share."""
    noise = np.random.default_rng([job.block, index])
    one = job.cell
    name, cpus = one.backend.name, one.cpus
    line = {
        "cell": one.key, "block": job.block, "replica": job.replica, "attempt": 1, "order": job.order, "index": index,
        "began": round(8.0 * index, 6), "backend_version": f"{name} 1.0",
    }  # fmt: skip
    if one.workload is HURT and name == "joblib":
        return Measurement(status=Status.FAILED, reason=TRACEBACK, **line)
    if one.workload is HURT and name == "ray_tasks":
        return Measurement(status=Status.TIMED_OUT, reason="ran longer than 300 s", **line)
    drift = 1 + 0.02 * job.block
    speedup = SPEEDUPS[(name, cpus)]
    makespan = round(SECONDS / speedup * drift * (1 + 0.01 * noise.standard_normal()), 6)
    workers = [1000 + 10 * index + i for i in range(cpus if name != "sequential_threads" else 1)]
    if one.workload is LADDER:
        return Measurement(status=Status.OK, sweep=ladder(name, drift), phases=Phases(makespan=makespan), **line)
    adaptive = name == "ray_tune_asha"
    stamps = tuple(stamp(i, workers, makespan, steps=40 if adaptive and i >= 4 else 100) for i in range(TASKS))
    return Measurement(
        status=Status.OK,
        phases=Phases(
            interpreter=0.05, imports=0.5, data=0.1, start_up=START_UP[name], warm_up=0.3 if START_UP[name] else 0.0,
            start_parts={"init": START_UP[name]} if START_UP[name] else {}, makespan=makespan, shutdown=0.2, check=0.01,
        ),
        cpu_s=round(SECONDS * 1.1 + START_UP[name] / 2, 6), cpu_makespan_s=SECONDS, cpu_source="cgroup",
        peak_rss_bytes=(300 + 40 * cpus) * 2**20, memory_source="cgroup",
        tasks=stamps, tasks_hash="t", answers_hash="" if adaptive else "a",
        steps_asked=100 * TASKS, steps_done=sum(s.steps for s in stamps),
        workers_seen=tuple(
            WorkerSeen(pid=pid, node="here", threads=1, affinity=cpus, nice=0, omp="1") for pid in workers
        ),
        nodes_seen=("here",),
        scores={"rmse": 2.5 if not adaptive else round(2.5 + 0.01 * job.block, 6)},
        disturbance=Disturbance(background_before=0.0, background_during=0.01, steal=0.0),
        **line,
    )  # fmt: skip


def stamp(index: int, workers: list[int], makespan: float, *, steps: int) -> TaskStamp:
    """Place a task in its worker's queue: equal tasks, round robin."""
    rounds = -(-TASKS // len(workers))
    length = makespan / rounds
    started = (index // len(workers)) * length
    at = round(started + 0.9 * length, 6)
    last = [(100, 2.5, at)] if steps == 100 else []
    return TaskStamp(
        index=index, started=round(started, 6), ended=at, worker=workers[index % len(workers)], steps=steps, loss=2.5,
        points=((40, 3.0 - 0.05 * index, round(started + 0.4 * length, 6)), *last),
    )  # fmt: skip


def ladder(name: str, drift: float) -> tuple[SweepTiming, ...]:
    """Return a ladder with 1 ms of work per unit and 2 ms of overhead per task on a backend, none in the loop."""
    points = []
    for work in (256, 64, 16, 4, 1):
        cpus, overhead = (1, 0.0) if name == "sequential" else (2, 0.002)
        wall = 200 / cpus * (work * 0.001 + overhead) * drift
        busy = 200 * work * 0.001 * drift
        points.append(SweepTiming(work=work, tasks=200, wall_s=round(wall, 6), busy_s=round(busy, 6), workers=cpus))
    return tuple(points)


def environment() -> Environment:
    return Environment(
        machine="made-2c-8g-000000",
        identity={"source": "5" * 64, "lock": "1" * 64, "data": "d" * 64, "machine": "made-2c-8g-000000", "plan": "p"},
        began="20260131T120000Z",
        facts={
            "cpu": {"model": "Made <CPU> | 2", "physical_cores": 2, "logical_cpus": 2, "usable": 2},
            "memory": {"total_bytes": 8 * 2**30},
            "storage": {"/dev/shm": {"filesystem": "tmpfs", "total_bytes": 2**30, "free_bytes": 2**29}},
            "gpu": {"devices": "unavailable: no NVIDIA GPU that nvidia-smi shows"},
            "code": {"commit": "c0ffee" * 6 + "c0ff", "dirty": False, "lock_sha256": "1" * 64},
            "packages": {"ray": "2.60.0", "numpy": "2.4.0"},
        },
        command="raybench run study=made",
    )


def write(reports: Path, *, keep: slice = slice(None)) -> Path:
    """Write the run below a reports folder and name it as current; `keep` cuts the list of measurements."""
    folder = reports / "raw" / "made-2c-8g-000000" / "made" / "20260131T120000Z-made00"
    store.write_plan(folder, plan())
    store.write_environment(folder, environment())
    writer = store.Store(folder / store.MEASUREMENTS)
    for index, job in list(enumerate(plan().jobs))[keep]:
        writer.append(measurement(job, index))
    store.set_current(reports, folder)
    return folder
