"""The types that cross module boundaries, and their JSON form; standard library only.

No behaviour lives here beyond identity (`Cell.key`) and conversion. Glossary: METHODOLOGY.md.
"""

import dataclasses
import functools
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

T = TypeVar("T")

SCHEMA = 1  # of a raw line; a reader refuses any other


class Status(StrEnum):
    """How a measurement ended."""

    OK = "ok"
    SKIPPED = "skipped"  # planned, never started; `reason` says why
    FAILED = "failed"  # raised, wrong answer, killed, out of memory
    TIMED_OUT = "timed_out"
    DISTURBED = "disturbed"  # finished, but the machine was not quiet: kept, not used, queued again


class VerdictKind(StrEnum):
    """What the data say about a documented claim."""

    SUPPORTED = "SUPPORTED"
    REFUTED = "REFUTED"
    INCONCLUSIVE = "INCONCLUSIVE"
    PREDICTED = "PREDICTED"
    UNTESTABLE = "UNTESTABLE"


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


@dataclass(frozen=True, slots=True, kw_only=True)
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

    @property
    def key(self) -> str:
        """Twelve hex digits over everything in the cell, so that an edited size is another cell."""
        return digest(self)[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a measurement may take. `None` is "no limit of its own"."""

    memory_bytes: int | None = None  # resident set of the process tree, watched
    task_timeout_s: float | None = None  # enforced where the backend can end one task
    cell_timeout_s: float = 300.0
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
class Task:
    """One unit of work.

    params : what distinguishes it; JSON values only.
    steps : full budget (boosting rounds, trees); None where the workload is not stepped.
    """

    index: int
    params: Mapping[str, Any]
    steps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a task yields. A stepped task yields at each rung and at its full budget.

    steps : steps done so far; 0 where the workload is not stepped.
    loss : validation error, to be made small; None where there is none.
    answer : only the last one of a task carries it.
    """

    steps: int = 0
    loss: float | None = None
    answer: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A stamped report of a running task: `at` in seconds of `clock.now`."""

    steps: int
    loss: float | None
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSeen:
    """What a worker process said about itself. Asked is not got."""

    pid: int
    node: str  # host name, or the Ray node's id
    threads: int  # largest native thread pool after the first task; 0 where no native library is loaded
    affinity: int  # CPUs it may run on
    nice: int
    omp: str  # OMP_NUM_THREADS as the worker sees it


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """What came back of one task; stamps and facts are the worker's own.

    started, ended : seconds of `clock.now`, taken in the worker.
    steps : steps done; fewer than `Task.steps` means stopped early.
    error : '' or why the task failed, naming the task (only where failures are results).
    tries : how often the task was started, as far as the backend knows.
    seen : the worker's facts, on the first result of each worker process; None on the others.
    """

    index: int
    answer: Any
    started: float
    ended: float
    pid: int
    steps: int = 0
    loss: float | None = None
    points: tuple[Point, ...] = ()
    error: str = ""
    tries: int = 1
    seen: WorkerSeen | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStamp:
    """The part of a `TaskResult` that is stored; seconds since the makespan began, to the microsecond."""

    index: int
    started: float
    ended: float
    worker: int  # pid
    steps: int = 0
    loss: float | None = None
    points: tuple[tuple[int, float | None, float], ...] = ()  # (steps, loss, at)
    error: str = ""
    tries: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderPoint:
    """One bag of a ladder of task lengths, all run in one warm process.

    work : units of fixed work per task (kernel iterations); comparable between backends.
    wall_s : makespan of the bag; busy_s : sum of the tasks' own times.
    """

    work: int
    tasks: int
    wall_s: float
    busy_s: float
    workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Where a measurement's seconds went, in order. A phase that does not exist is 0.

    interpreter : from the runner's spawn to the first line of the child.
    imports : workload's and backend's modules in the driver.
    data : loading the data in the driver (untimed for speedups: every backend pays the same).
    start_parts : parts of start-up by name; they lie within `start_up`.
    start_up : until P workers have answered.
    warm_up : until every worker has imported, holds its data and has run a tiny task.
    makespan : from the first dispatch to the last result in the driver.
    shutdown : leaving the backend.
    check : checking and scoring in the driver, in no speedup.
    """

    interpreter: float = 0.0
    imports: float = 0.0
    data: float = 0.0
    start_up: float = 0.0
    start_parts: Mapping[str, float] = field(default_factory=dict)
    warm_up: float = 0.0
    makespan: float = 0.0
    shutdown: float = 0.0
    check: float = 0.0

    @property
    def cold(self) -> float:
        """Seconds a user waits who starts from nothing: all but the data and the check."""
        return self.interpreter + self.imports + self.start_up + self.warm_up + self.makespan + self.shutdown


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """How quiet the machine was; None is "unknown here".

    foreign_before, foreign_during : CPU seconds of others per second and core, 0 to 1.
    """

    foreign_before: float | None = None
    foreign_during: float | None = None
    steal: float | None = None  # share of the machine's CPU time, 0 to 1
    throttled: int | None = None  # cgroup periods throttled meanwhile
    swapped_in: int | None = None  # pages
    reason: str = ""  # '' is quiet


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One line of raw data: raw samples only, never an average."""

    cell: str  # Cell.key
    block: int
    replica: int
    attempt: int
    status: Status
    reason: str = ""
    order: int = 0
    index: int = 0  # running number within the run
    extra: bool = False
    began: float = 0.0  # seconds since the run began
    phases: Phases = field(default_factory=Phases)
    cpu_s: float | None = None  # of the whole process tree, daemons included
    cpu_makespan_s: float | None = None  # the same, during the makespan only
    cpu_source: str = ""
    peak_rss_bytes: int | None = None
    memory_source: str = ""
    tasks: tuple[TaskStamp, ...] = ()
    tasks_hash: str = ""  # over the task list: equal for every backend
    answers_hash: str = ""  # over the answers, index by index
    steps_asked: int = 0
    steps_done: int = 0
    ladder: tuple[LadderPoint, ...] = ()
    workers_seen: tuple[WorkerSeen, ...] = ()
    nodes_seen: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)  # what a workload or a backend adds, by name
    disturbance: Disturbance = field(default_factory=Disturbance)
    backend_version: str = ""
    schema: int = SCHEMA

    @property
    def key(self) -> tuple[str, int, int, int]:
        """Identity of the measurement: (cell, block, replica, attempt)."""
        return (self.cell, self.block, self.replica, self.attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """One (split, search seed) pair of the quality pass: untimed errors on untouched test rows.

    arm : `tuned`, `asha`, `random_split` ... ; the named way in which the model was chosen.
    baseline_errors, tuned_errors : squared error (or 0/1 loss) of each test row, same rows.
    """

    workload: str
    arm: str
    pair: int
    metric: str
    baseline: str
    baseline_test: float
    tuned_validation: float
    tuned_test: float
    baseline_errors: tuple[float, ...] = ()
    tuned_errors: tuple[float, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    chosen: Mapping[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def key(self) -> tuple[str, str, int]:
        """Identity of the line."""
        return (self.workload, self.arm, self.pair)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The machine and the code of a run, once per run. Unknown values are `unavailable: why`.

    machine : key made of stable facts (CPU model and counts, memory), e.g. `epyc-2c-24g-1a2b3c`.
    identity : hashes of source, lock file, data and plan; resume needs all of them equal.
    facts : everything in METHODOLOGY's fingerprint, grouped; JSON values only.
    """

    machine: str
    identity: Mapping[str, str]
    began: str  # clock.stamped()
    facts: Mapping[str, Any]
    command: str = ""
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval and the number of blocks (or pairs) behind it.

    Too few data give an infinite interval and a `flag`, never an error.
    """

    point: float
    low: float
    high: float
    n: int
    flag: str = ""  # e.g. 'insufficient', 'quantised timer', 'cross-check disagrees'


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One planned cell as the report shows it. Times in seconds; ratios paired by block.

    counts : measurements by status. reason : why there is no number, or why some failed; '' if all is well.
    makespan, cold, start_up, warm_up, shutdown : median with rank interval.
    base_kind : words for the base of `speedup`, e.g. `sequential, 1 thread`; '' where there is no base.
    base : the base's warm makespan; base_cold : the base's cold time.
    speedup, speedup_cold, efficiency : against the one-thread loop only. None where the work differs:
        then `time_to_score` (base makespan / makespan at less work) is given instead.
    gain : against the loop with library threads on all P cores; never an efficiency.
    relative : against the same backend on one core.
    cap : largest efficiency that N equal tasks on P workers allow, N / (P ceil(N / P)).
    work_ratio : steps done / steps asked; 1 where every task ran in full.
    ceiling : hardware ceiling E_hw(P) of this workload, measured in the same blocks; None if not measured.
    karp_flatt : serial fraction by Karp & Flatt, P > 1 only.
    band : verdict of `efficiency` against the documented 0.7-0.8; None without efficiency.
    """

    cell: Cell
    counts: Mapping[str, int]
    n: int
    tasks: int
    reason: str = ""
    makespan: Estimate | None = None
    cold: Estimate | None = None
    start_up: Estimate | None = None
    warm_up: Estimate | None = None
    shutdown: Estimate | None = None
    base_kind: str = ""
    base: Estimate | None = None
    base_cold: Estimate | None = None
    speedup: Estimate | None = None
    speedup_cold: Estimate | None = None
    efficiency: Estimate | None = None
    time_to_score: Estimate | None = None
    gain: Estimate | None = None
    relative: Estimate | None = None
    cap: float | None = None
    ceiling: Estimate | None = None
    karp_flatt: Estimate | None = None
    work_ratio: float = 1.0
    utilisation: Estimate | None = None  # CPU seconds of the tree in the makespan / (P x makespan)
    cpu: Estimate | None = None  # CPU seconds of the tree, whole measurement
    peak_rss: Estimate | None = None  # bytes
    scores: Mapping[str, Estimate] = field(default_factory=dict)
    outliers: int = 0  # Tukey 1.5 IQR; counted, never removed
    flags: tuple[str, ...] = ()
    band: VerdictKind | None = None


# --- JSON -----------------------------------------------------------------------------------------


def to_json(value: Any) -> Any:
    """Turn a dataclass tree into JSON values; enums become their text, tuples lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(v) for v in value]
    return value


def from_json(kind: type[T], value: Any) -> T:
    """Rebuild a dataclass (or any annotated type of this module) from JSON values.

    Unknown fields raise TypeError, missing ones take their default or raise TypeError.
    """
    return typing.cast("T", _rebuild(kind, value))


@functools.cache  # resolving annotations costs more than the rest of reading a line
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _rebuild(kind: Any, value: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        options = [k for k in typing.get_args(kind) if k is not type(None)]
        return value if value is None or len(options) != 1 else _rebuild(options[0], value)
    if origin is tuple:
        inner = typing.get_args(kind)
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(_rebuild(inner[0], v) for v in value)
        return tuple(_rebuild(k, v) for k, v in zip(inner, value, strict=True))
    if origin is not None and isinstance(value, Mapping):  # Mapping[str, X]
        return {k: _rebuild(typing.get_args(kind)[1], v) for k, v in value.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        unknown = set(value) - set(hints)
        if unknown:
            raise TypeError(f"{kind.__name__} has no field {', '.join(sorted(unknown))}")
        return kind(**{k: _rebuild(hints[k], v) for k, v in value.items()})
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    return value


def digest(value: Any) -> str:
    """Hash any JSON-able value: sha256 hex over its canonical JSON form."""
    text = json.dumps(to_json(value), sort_keys=True, separators=(",", ":"), allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()
