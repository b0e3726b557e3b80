"""Verify every pair: one child process per backend, so that each variant has its own environment and its own head."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from raybench.config.settings import Settings
from raybench.execution.child import Bounds, Child, Cut, Ending
from raybench.execution.classify import UNREADABLE, memory_limit
from raybench.execution.environment import NO_GPU, environment
from raybench.execution.run_folder import read_machine
from raybench.execution.sandbox import Home, Sandbox
from raybench.execution.verify_backend import Verified, disagreements
from raybench.model.plan import Limits, Role, Spec, Status, Tag
from raybench.model.serialize import decode, to_json
from raybench.planning.planner import say_missing, unsuitable
from raybench.system import machine

WORKERS = 2
TASK_TIMEOUT_S = 5.0  # for workloads whose tasks hang on purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What verifying found. `bad`: something failed or disagrees."""

    ok: int
    skipped: int
    failed: int
    disagreements: tuple[str, ...]

    @property
    def bad(self) -> bool:
        """Return whether anything is wrong."""
        return bool(self.failed or self.disagreements)


def verify_all(settings: Settings) -> Iterator[Verified]:
    """Run every workload of the study's choice on every backend, tiny; skipped pairs come with their reason."""
    study = settings.study
    workloads = _choose(study.workloads, {name for row in study.grid for name in row.workloads})
    backends = _choose(study.backends, {name for row in study.grid for name in row.backends})
    with Home() as home:
        for backend in backends:
            suited = []
            for workload in workloads:
                if reason := _reason(workload, backend):
                    yield Verified(workload=workload.name, backend=backend.name, status=Status.SKIPPED, reason=reason)
                else:
                    suited.append(workload)
            for gpus in sorted({_gpus(spec) for spec in suited}):
                batch = _Batch(
                    backend=backend,
                    workloads=[spec for spec in suited if _gpus(spec) == gpus],
                    gpus=gpus,
                    seed=study.seed,
                    timeout_s=study.limits.cell_timeout_s,
                    environment=study.environment,
                )
                yield from _verify(batch, home)


def summary(verified: Sequence[Verified]) -> Summary:
    """Count, and compare the scores of non-adaptive backends."""
    count = {status: sum(one.status is status for one in verified) for status in Status}
    return Summary(
        ok=count[Status.OK],
        skipped=count[Status.SKIPPED],
        failed=count[Status.FAILED],
        disagreements=tuple(disagreements(verified)),
    )


def _choose(known: Mapping[str, Spec], asked: set[str]) -> list[Spec]:
    return [spec for name, spec in known.items() if name in asked]


def _reason(workload: Spec, backend: Spec) -> str:
    here = read_machine()
    if reason := unsuitable(workload, backend):
        return reason
    for spec in (workload, backend):
        for package in spec.requires.packages:
            if here.missing_package(package):
                return say_missing(package)
        for name in spec.requires.data:
            if reason := here.missing_data(name):
                return reason
    wanted = max(_gpus(workload), workload.requires.gpus)
    if wanted > here.gpus and Tag.LOGICAL_GPU not in workload.tags:
        return f"asks for {wanted:g} GPU, this machine has {here.gpus}"
    return ""


def _gpus(workload: Spec) -> float:
    """GPUs, real or logical, that the workload's tasks queue for."""
    return float(workload.params.get("gpus", 0)) if Tag.GPU in workload.tags else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """What one child verifies: workloads on one backend that is started once."""

    backend: Spec
    workloads: Sequence[Spec]
    gpus: float
    seed: int
    timeout_s: float  # for each workload
    environment: tuple[str, ...]  # names of variables that the study's code needs

    @property
    def shape(self) -> tuple[int, int]:
        """Workers, and cores of each."""
        cpus = min(WORKERS, machine.usable_cpus())
        if Tag.SERIAL in self.backend.tags:
            return 1, 1
        return (1, cpus) if self.backend.role is Role.THREADED_BASELINE else (cpus, 1)

    def request(self) -> dict[str, Any]:
        """Build what the child reads on its standard input."""
        workers, each = self.shape
        hangs = any(Tag.HANGS in spec.tags for spec in self.workloads)
        return {
            "verify": to_json(self.backend),
            "workloads": to_json(list(self.workloads)),
            "workers": workers,
            "cpus_per_task": each,
            "gpus": self.gpus,
            "limits": to_json(Limits(task_timeout_s=TASK_TIMEOUT_S if hangs else None)),
            "seed": self.seed,
            "affinity": list(machine.cpus_for(workers * each)),
        }


def _verify(batch: _Batch, home: Home) -> Iterator[Verified]:
    """Verify a batch; a workload that ends its child is failed, and another child takes those after it."""
    left = list(batch.workloads)
    while left:
        for one in _in_child(replace(batch, workloads=left), home):
            left = [spec for spec in left if spec.name != one.workload]
            yield one


def _in_child(batch: _Batch, home: Home) -> Iterator[Verified]:
    """Yield what one child answers; where it ends too early, the workload that it was at is failed."""
    names = [spec.name for spec in batch.workloads]
    with Sandbox(home, "v") as box:
        workers, each = batch.shape
        named = [*batch.environment, *(name for spec in batch.workloads for name in spec.environment)]
        env = environment(batch.backend, threads=each, named=named, cpus=workers * each) | box.variables
        if not batch.gpus:
            env |= NO_GPU
        bounds = Bounds(timeout_s=batch.timeout_s, memory_bytes=memory_limit(None), held_bytes=box.held_bytes)
        with Child("raybench.execution.worker", env=env, cwd=box.scratch) as child:
            box.add(child.process.pid)
            child.send(batch.request())
            for text in child.lines(bounds):
                try:
                    one = decode(Verified, text)
                    names.remove(one.workload)
                except UNREADABLE:
                    break
                yield one
            ending = child.end()
    if names:
        yield Verified(workload=names[0], backend=batch.backend.name, status=Status.FAILED, reason=_why(ending, batch))


def _why(ending: Ending, batch: _Batch) -> str:
    if ending.cut is Cut.TIME:
        return f"no answer within {batch.timeout_s:g} s; raise limits.cell_timeout_s if it needs longer"
    if ending.cut is Cut.MEMORY:
        return f"out of memory: the process tree held {ending.most_bytes / 2**30:.2f} GiB"
    return f"the process {ending.how} and no answer: {ending.last_words}"
