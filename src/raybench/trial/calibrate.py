"""What each backend costs on this machine: its start, an empty task, a byte; measured once and kept."""

import platform
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from raybench.analysis.predictor import Cost
from raybench.execution.group import Group, Repeats, Rounds
from raybench.execution.sandbox import Home
from raybench.model.clock import now
from raybench.model.measurement import Measurement
from raybench.model.plan import Cell, Job, Limits, Spec, Status, Tag
from raybench.model.serialize import decode, digest, encode
from raybench.store import json_file
from raybench.system import machine
from raybench.system.identity import packages
from raybench.trial.backends import COSTED, SEQUENTIAL, specs
from raybench.trial.work import Observer, Step
from raybench.workloads import files

FORM = 1  # of the file
COUNT, CARRIERS, SIZE = 1000, 24, 2**20
TIMEOUT_S = 120.0
TAKES_S = 30.0
WORKLOAD = Spec(
    name="costs",
    target="raybench.workloads.costs.Costs",
    params={"count": COUNT, "carriers": CARRIERS, "size": SIZE},
    tags=(Tag.GRANULARITY_SWEEP,),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The costs of this machine's backends. failed : by backend, why it has none."""

    machine: str
    costs: tuple[Cost, ...]
    failed: dict[str, str]
    cached: bool = False

    def of(self, backend: str) -> Cost | None:
        """Return the cost of a backend; None where it could not be measured."""
        return next((cost for cost in self.costs if cost.backend == backend), None)


def calibration(home: Home, observe: Observer, *, fresh: bool = False) -> Calibration:
    """Return what was measured before on this machine with these packages, or measure it now.

    fresh : measure in any case.
    """
    path = cache_file()
    if not fresh and path.is_file():
        try:
            return replace(decode(Calibration, path.read_bytes()), cached=True)
        except (ValueError, OSError):
            pass  # written by another version, or torn: measured again
    found = measure(home, observe)
    if not found.failed:  # what failed today may work tomorrow
        path.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(path, encode(found).decode() + "\n")
    return found


def measure(home: Home, observe: Observer, names: Sequence[str] = COSTED) -> Calibration:
    """Measure the costs of backends on all usable cores; each runs in a process of its own."""
    known = specs()
    cpus = machine.usable_cpus()
    jobs = [_job(known[name], cpus, place) for place, name in enumerate((SEQUENTIAL, *names))]
    began = now()

    def started(job: Job) -> None:
        observe(Step(text=f"calibrating {job.cell.backend.name}", left_s=max(0.0, TAKES_S - (now() - began))))

    group = Group(jobs, home, token=secrets.token_hex(32), keep=lambda sample: None, origin=began)
    lines: dict[str, Measurement] = {}
    for job, ended in group.run(Rounds(count=1, reason="a sweep"), Repeats(budget_s=0.0), started=started):
        lines[job.cell.backend.name] = ended.measurement
    bare = lines[SEQUENTIAL]
    good = {name: lines[name] for name in names if lines[name].status is Status.OK and lines[name].sweep}
    return Calibration(
        machine=machine.machine_key(),
        costs=tuple(cost(name, cpus, line, bare) for name, line in good.items()),
        failed={name: lines[name].reason for name in names if name not in good},
    )


def cost(name: str, workers: int, line: Measurement, bare: Measurement) -> Cost:
    """Work out a backend's cost from its sweep of empty and of carrying tasks. bare : the sequential baseline's."""
    empty, carrying = line.sweep
    task_s = empty.wall_s / empty.tasks
    byte_s = max(0.0, carrying.wall_s / carrying.tasks - task_s) / (2 * carrying.work)
    return Cost(backend=name, workers=workers, start_s=start_s(line, bare), task_s=task_s, byte_s=byte_s)


def start_s(line: Measurement, bare: Measurement) -> float:
    """Return the seconds that a backend takes to start, to warm up and to end, beyond those of the baseline."""

    def fixed(of: Measurement) -> float:
        return of.phases.cold - of.phases.makespan

    return max(0.0, fixed(line) - fixed(bare))


def _job(backend: Spec, cpus: int, place: int) -> Job:
    workers = 1 if backend.name == SEQUENTIAL else cpus
    return Job(
        cell=Cell(workload=WORKLOAD, backend=backend, workers=workers),
        block=0,
        order=place,
        seed=1,
        limits=Limits(cell_timeout_s=TIMEOUT_S),
        affinity=machine.cpus_for(workers),
    )


def cache_file() -> Path:
    """Name the file of this machine, its packages and versions."""
    key = {
        "form": FORM,
        "machine": machine.machine_key(),
        "cpus": machine.usable_cpus(),
        "python": platform.python_version(),
        "packages": packages(),
    }
    return files.cache() / f"calibration-{digest(key)[:16]}.json"
