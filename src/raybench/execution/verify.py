"""Verify every pair: one child process per backend, so that each arm has its own environment and its own head."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from raybench.config.settings import Settings
from raybench.execution.child import Child
from raybench.execution.child import environment as child_environment
from raybench.execution.run_folder import read_machine
from raybench.execution.verify_backend import Verified, disagreements
from raybench.model.plan import Limits, Role, Spec, Status, Tag
from raybench.model.serialize import from_json, to_json
from raybench.planning.planner import unsuitable
from raybench.system import machine, process_tree

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
    for backend in backends:
        suited = []
        for workload in workloads:
            if reason := _reason(workload, backend):
                yield Verified(workload=workload.name, backend=backend.name, status=Status.SKIPPED, reason=reason)
            else:
                suited.append(workload)
        for gpus in sorted({_gpus(spec) for spec in suited}):
            yield from _on_backend(backend, [s for s in suited if _gpus(s) == gpus], gpus=gpus, seed=study.seed)


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
                return f"package {package} is not installed"
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


def _on_backend(backend: Spec, workloads: Sequence[Spec], *, gpus: float, seed: int) -> Iterator[Verified]:
    serial = Tag.SERIAL in backend.tags
    threads = backend.role is Role.THREADED_BASELINE
    cpus = min(WORKERS, machine.usable_cpus())
    workers, each = (1, 1) if serial else (1, cpus) if threads else (cpus, 1)
    hangs = any(Tag.HANGS in spec.tags for spec in workloads)
    tag = f"raybench-verify-{backend.name}:"
    limits = Limits(task_timeout_s=TASK_TIMEOUT_S if hangs else None)
    missing = {spec.name for spec in workloads}
    with tempfile.TemporaryDirectory(prefix="rb") as folder:
        child = Child(
            "raybench.execution.worker", env=child_environment(backend, threads=each, tag=tag), cwd=Path(folder)
        )
        try:
            child.send(
                {
                    "verify": to_json(backend),
                    "workloads": to_json(list(workloads)),
                    "workers": workers,
                    "cpus_per_task": each,
                    "gpus": gpus,
                    "limits": to_json(limits),
                    "seed": seed,
                    "affinity": list(machine.cpus_for(workers * each)),
                }
            )
            for text in child.lines():
                one = from_json(Verified, json.loads(text))
                missing.discard(one.workload)
                yield one
            words = child.last_words()
        finally:
            child.close()
            process_tree.end(tag)
    for name in sorted(missing):
        reason = f"the process ended before its answer: {words}"
        yield Verified(workload=name, backend=backend.name, status=Status.FAILED, reason=reason)
