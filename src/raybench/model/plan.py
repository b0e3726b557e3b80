"""What is planned: workloads, backends, cells, jobs, studies and plans; no behaviour beyond identity.

Measured things are in `records`, numbers drawn from them in `estimate`. Glossary: METHODOLOGY.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from raybench.model.serialize import digest

SCHEMA = 2  # of a plan and of a raw line; a reader refuses any other


class Status(StrEnum):
    """How a measurement ended."""

    OK = "ok"
    SKIPPED = "skipped"  # planned, never started; `reason` says why
    FAILED = "failed"  # raised, wrong answer, killed, out of memory
    TIMED_OUT = "timed_out"
    DISTURBED = "disturbed"  # finished, but the machine was not quiet: kept, not used, queued again


@dataclass(frozen=True, slots=True, kw_only=True)
class Requires:
    """What must be there before a workload or a backend can run."""

    packages: tuple[str, ...] = ()  # import names
    data: tuple[str, ...] = ()  # file names known to `workloads.files`
    gpus: int = 0
    tags: tuple[str, ...] = ()  # backend only: tags that the workload must carry, all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A workload's or a backend's YAML, resolved.

    target : importable class, `package.module:Class` or `package.module.Class`.
    params : keyword arguments of the class; JSON values only.
    stepped : workload: its tasks spend a budget in steps; backend: it needs such a workload.
    """

    name: str
    target: str
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    requires: Requires = field(default_factory=Requires)
    stepped: bool = False
    source: str = ""  # row of the source systems, e.g. S0.worker
    about: str = ""  # one line for tables


@dataclass(frozen=True, kw_only=True)  # no slots: the key is kept
class Cell:
    """One point of the grid. P, the cores granted to the whole process tree, is `cpus`."""

    workload: Spec
    backend: Spec
    workers: int
    cpus_per_task: int = 1
    gpus: float = 0
    oversubscribed: bool = False  # more workers than cores, asked for by name (I/O cells)
    granted: int | None = None  # cores granted where that is not workers x cpus_per_task

    @property
    def cpus(self) -> int:
        """P: cores granted to the whole process tree."""
        return self.workers * self.cpus_per_task if self.granted is None else self.granted

    @cached_property
    def key(self) -> str:
        """Twelve hex digits over everything in the cell, so that an edited size is another cell."""
        return digest(replace(self, gpus=float(self.gpus)))[:12]  # a whole number comes back from JSON as a float


STEAL_SHARE = 0.01  # time that the hypervisor keeps back slows a measurement one to one


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a measurement may take. `None` is "no limit of its own"."""

    memory_bytes: int | None = None  # resident set of the process tree, watched
    task_timeout_s: float | None = None  # enforced where the backend can end one task
    cell_timeout_s: float = 300.0
    steal_share: float = STEAL_SHARE  # of the machine's CPU time, 0 to 1; a measurement with more is disturbed
    runtime_env: Mapping[str, Any] | None = None  # Ray only


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where Ray cells run. Without an address each cell starts, or shares, an embedded local head."""

    name: str = "local"
    address: str | None = None
    nodes: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One measurement to take: what the child process reads on its standard input."""

    cell: Cell
    block: int
    order: int  # place within the block
    replica: int = 1
    attempt: int = 1
    seed: int  # of tasks and splits; the same for every cell of a study
    limits: Limits = field(default_factory=Limits)
    cluster: Cluster = field(default_factory=Cluster)
    hash_seed: int = 0  # PYTHONHASHSEED, one value a block
    padding: int = 0  # bytes added to the environment, one value a block (Mytkowicz et al. 2009)
    affinity: tuple[int, ...] = ()  # CPU numbers; empty: leave as it is
    extra: bool = False  # of a mini-block, added after the planned blocks

    @property
    def key(self) -> tuple[str, int, int, int]:
        """Identity of the measurement: (cell, block, replica, attempt)."""
        return (self.cell.key, self.block, self.replica, self.attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """A planned cell that will not run, and why."""

    cell: Cell
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GridRow:
    """A product of axes within a study. `cpus` may hold the words `all` and `powers`."""

    workloads: tuple[str, ...]
    backends: tuple[str, ...]
    cpus: tuple[int | str, ...] = ("all",)
    gpus: tuple[float, ...] = (0,)
    cpus_per_task: tuple[int, ...] = (1,)
    workers: tuple[int, ...] = ()  # more workers than cores, for I/O cells; empty: one per cpus_per_task
    task_timeout_s: float | None = None  # of these cells' tasks, where the run's limits name none


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A named grid with its number of blocks and its budget, free of Hydra."""

    name: str
    grid: tuple[GridRow, ...]
    workloads: Mapping[str, Spec]
    backends: Mapping[str, Spec]
    blocks: int
    seed: int
    budget_min: float
    controls: bool = True
    verdicts: bool = True
    quality_pairs: int = 10
    limits: Limits = field(default_factory=Limits)
    cluster: Cluster = field(default_factory=Cluster)
    target_half_width: float = 0.05
    oversubscribe: bool = False
    retry_failed: bool = False
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a study will do, before the first timing: what `plan.json` holds."""

    study: str
    seed: int
    blocks: int
    usable_cpus: int
    jobs: tuple[Job, ...]
    skips: tuple[Skip, ...]
    controls: bool
    verdicts: bool
    quality: tuple[str, ...] = ()  # workloads with a quality pass
    quality_pairs: int = 0
    target_half_width: float = 0.05
    about: str = ""
    schema: int = SCHEMA

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell once, skipped ones too: by workload, the loops first, then by cores and backend."""
        seen = {cell.key: cell for cell in [*(j.cell for j in self.jobs), *(s.cell for s in self.skips)]}
        return tuple(sorted(seen.values(), key=reading_order))


def reading_order(cell: Cell) -> tuple[Any, ...]:
    """Sort cells for a reader: by workload, controls last, the loops first, then by cores and backend."""
    tags = cell.backend.tags
    loops = ("serial" not in tags) + ("serial" not in tags and "threads" not in tags)
    control = "control" in tags
    return (cell.workload.name, control, loops, cell.gpus, cell.cpus, cell.backend.name, cell.key)
