"""What is planned: workloads, backends, cells, jobs, studies and plans; no behaviour beyond identity.

Measured things are in `records`, numbers drawn from them in `estimate`. Glossary: METHODOLOGY.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
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


class Tag(StrEnum):
    """What the harness must know of a workload (its kind of work) or of a backend (what it can do); a closed set."""

    # a workload's
    COMPUTE = "compute"
    IO = "io"
    MEMORY = "memory"
    STATE = "state"
    FAULTS = "faults"
    KILLS = "kills"  # its tasks kill their worker
    HANGS = "hangs"  # its tasks hang
    HPO = "hpo"  # each task is a configuration to tune
    SLEEP = "sleep"  # a control: tasks that wait
    WAITS = "waits"  # its tasks wait and take no processor, so that logical CPUs do for them
    REPLAY = "replay"  # its tasks wait as long as others computed
    GRANULARITY_SWEEP = "granularity_sweep"  # task sets of several task lengths in one measurement
    SIZE_SWEEP = "size_sweep"  # one of several workloads that differ in their bytes
    LOGICAL_GPU = "logical_gpu"  # its GPUs are tokens of a scheduler
    # of both: it queues for GPUs; it hands them out
    GPU = "gpu"
    # a backend's
    SERIAL = "serial"  # one worker, so P = 1 only
    PARALLEL = "parallel"
    THREADS_POOL = "threads_pool"  # its workers are threads of one process
    SHARED_HEAD = "shared_head"  # its cells join one Ray head per block
    ENDS_TASKS = "ends_tasks"  # it can end one task at its time-out
    SURVIVES_KILLS = "survives_kills"  # its workers may die


class Role(StrEnum):
    """What a backend is in a study."""

    CANDIDATE = "candidate"  # one may choose it: its speedup is a result
    BASELINE = "baseline"  # the one-thread loop that speedups refer to
    THREADED_BASELINE = "threaded_baseline"  # the same loop, library threads on all P cores; P > 1 only
    CONTROL = "control"  # tests the harness
    CEILING = "ceiling"  # a control too: what the machine allows without any framework
    PEER = "peer"  # a candidate of another project, for comparison
    COLD_START = "cold_start"  # `variant_of` another, started from nothing each time
    DOCUMENTED = "documented"  # `variant_of` another, as its library's tutorials show it


class Stop(StrEnum):
    """Why a pass through a plan measured no more."""

    COMPLETE = "complete"  # every planned block is there and every interval is narrow enough
    PLANNED = "planned blocks"  # all there; some intervals are wider than asked, and the budget was spent
    BUDGET = "budget"
    MOST_BLOCKS = "30 blocks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requires:
    """What must be there before a workload or a backend can run."""

    packages: tuple[str, ...] = ()  # import names
    data: tuple[str, ...] = ()  # file names known to `workloads.files`
    absent: tuple[str, ...] = ()  # data files; the workload stands in for one that needs them
    gpus: int = 0
    tags: tuple[Tag, ...] = ()  # backend only: tags that the workload must carry, all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A workload's or a backend's YAML, resolved.

    target : importable class, `package.module:Class` or `package.module.Class`.
    params : keyword arguments of the class; JSON values only.
    stepped : workload: its tasks spend a budget in steps; backend: it needs such a workload and stops tasks early.
    role, variant_of, disables : backend only. `variant_of` names the backend from which it differs, `disables` the
        one setting in words that it is ablated of.
    environment : names of environment variables that the user's code needs; their values are in no raw data.
    """

    name: str
    target: str
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[Tag, ...] = ()
    requires: Requires = field(default_factory=Requires)
    stepped: bool = False
    source: str = ""  # row of the source systems, e.g. S0.worker
    about: str = ""  # one line for tables
    role: Role = Role.CANDIDATE
    variant_of: str = ""
    disables: str = ""
    environment: tuple[str, ...] = ()

    @property
    def is_control(self) -> bool:
        """Return whether a backend tests the harness instead of being anybody's choice."""
        return self.role in (Role.CONTROL, Role.CEILING)

    @property
    def uses_ray(self) -> bool:
        """Return whether a backend needs a Ray cluster, so that it may run on one that is joined."""
        return "ray" in self.requires.packages

    @property
    def identity(self) -> Mapping[str, Any]:
        """Return what makes the measured work: another text, tag or role is the same work."""
        return {"name": self.name, "target": self.target, "params": self.params}


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
    real: int | None = None  # usable cores beneath logical CPUs; None where `cpus` are cores
    cluster: str = ""  # of a grid row that names one, or of the nodes that the run starts

    @property
    def cpus(self) -> int:
        """P: cores granted to the whole process tree."""
        return self.workers * self.cpus_per_task if self.granted is None else self.granted

    @property
    def emulated(self) -> bool:
        """Return whether the CPUs are logical: scheduling is real, computing is waited for."""
        return self.real is not None

    @cached_property
    def key(self) -> str:
        """Twelve hex digits over what is measured, so that an edited size is another cell and an edited text is not.

        A plan of schema 1 states keys of its own, over the texts too; its reader keeps them.
        """
        gpus = float(self.gpus)  # a whole number comes back from JSON as a float
        shape: tuple[Any, ...] = (self.workers, self.cpus_per_task, gpus, self.oversubscribed, self.granted)
        if self.emulated or self.cluster:
            shape = (*shape, self.real, self.cluster)
        return digest([self.workload.identity, self.backend.identity, *shape])[:12]


def needs_ray(cell: Cell) -> bool:
    """Return whether a cell runs on the cluster; the others run beside it."""
    return cell.backend.uses_ray


BACKGROUND_SHARE = 0.10  # of the machine's CPU time, by other programs


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a measurement may take. `None` is "no limit of its own"."""

    memory_bytes: int | None = None  # resident set of the process tree, watched
    task_timeout_s: float | None = None  # enforced where the backend can end one task
    cell_timeout_s: float = 300.0
    background_share: float = BACKGROUND_SHARE  # of the machine's CPU time, 0 to 1; a sample with more is set aside
    runtime_env: Mapping[str, Any] | None = None  # Ray only


LOCAL = "local"  # the cluster that is this machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where Ray cells run: by its address, or on nodes that raybench starts; else each cell starts an embedded head.

    nodes : logical CPUs of each node; the first runs the head and the driver. bandwidth_mbit : of each node's link.
    lease_timeout_ms : how long a driver keeps a leased worker; None leaves Ray's default, or the backend's flag.

    The other fields are what the look before the run found of a cluster that was there before.
    machine : its key, in the place of this machine's. token : whether the processes that join must send one.
    found : its nodes, their hardware and versions; no addresses, no host names.
    """

    name: str = LOCAL
    address: str | None = None
    nodes: tuple[int, ...] = ()
    bandwidth_mbit: float | None = None
    lease_timeout_ms: int | None = None
    object_store_mib: int = 200
    machine: str = ""
    cpus: int = 0
    gpus: int = 0
    token: bool = False
    found: tuple[Mapping[str, Any], ...] = ()

    @property
    def is_embedded(self) -> bool:
        """Return whether each cell starts a head of its own."""
        return self.address is None and not self.nodes

    @property
    def is_joined(self) -> bool:
        """Return whether it was there before: its machines, environment and clocks are its own."""
        return self.address is not None and not self.nodes and self.name != LOCAL


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
    group: int = 0  # of the block: one workload's processes that are alive together
    extra: bool = False  # of a top-up block, added after the planned blocks
    environment: tuple[str, ...] = ()  # names of variables to pass on: the study's, the workload's, the backend's

    @property
    def key(self) -> tuple[str, int, int, int]:
        """Identity of the measurement: (cell, block, replica, attempt)."""
        return (self.cell.key, self.block, self.replica, self.attempt)

    @property
    def on_cluster(self) -> bool:
        """Return whether its tasks run on a cluster that is joined; other backends run on this machine."""
        return self.cluster.is_joined and self.cell.backend.uses_ray


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
    core: bool = False  # goes on where the budget is too small for all rows; the first such row begins the study
    logical: bool = False  # `cpus` are logical ones, of Ray's books alone: for workloads tagged `waits`
    cluster: str = ""  # a file of conf/cluster that these cells run on; empty: the cluster of the run


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
    clusters: Mapping[str, Cluster] = field(default_factory=dict)  # by name, of the grid rows that name one
    target_half_width: float = 0.05
    oversubscribe: bool = False
    retry_failed: bool = False
    accept_failed: bool = False
    about: str = ""
    environment: tuple[str, ...] = ()  # names of environment variables that every cell's code needs


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
    core: tuple[str, ...] = ()  # keys of cells of `core` rows
    about: str = ""
    schema: int = SCHEMA

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell once, skipped ones too: by workload, the loops first, then by cores and backend."""
        seen = {cell.key: cell for cell in [*(j.cell for j in self.jobs), *(s.cell for s in self.skips)]}
        return tuple(sorted(seen.values(), key=reading_order))


def reading_order(cell: Cell) -> tuple[Any, ...]:
    """Sort cells for a reader: by workload, controls last, the loops first, then by cores and backend."""
    serial = Tag.SERIAL in cell.backend.tags
    loops = (not serial) + (not serial and cell.backend.role is not Role.THREADED_BASELINE)
    return (cell.workload.name, cell.backend.is_control, loops, cell.gpus, cell.cpus, cell.backend.name, cell.key)
