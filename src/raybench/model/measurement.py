"""What is measured: tasks and their results, phases, raw lines and the machine they were taken on.

Raw samples only; nothing here is an average. How a line is stored: `store.raw_line`. Glossary: METHODOLOGY.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from raybench.model.plan import SCHEMA, Job, Status

Count = Annotated[int, Meta(ge=0)]
Ordinal = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0, le=1e12)]  # msgspec takes no infinity; NaN keeps no bound
WorkerId = tuple[str, int]  # node and process: two nodes may have processes of one number
PIDS = 2**22  # Linux gives no process or thread a number as large


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One unit of work.

    params : what distinguishes it; JSON values only.
    steps : full budget (boosting rounds, trees); None where the workload is not stepped.
    hold_s : how long its worker keeps its slot after it, so that other workers must come forward; warm-up only.
    """

    index: int
    params: Mapping[str, Any]
    steps: int | None = None
    hold_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a task yields. A stepped task yields at each of its steps that are reported, and at its full budget.

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
    node: str  # a name that stands for the node, never its host name
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
    node: str = ""  # where its worker ran, by the name that `WorkerSeen` has

    @property
    def worker(self) -> WorkerId:
        """Which worker ran it."""
        return (self.node, self.pid)


def worker_number(place: int, pid: int) -> int:
    """Number a worker for its stamps: its pid on the first node of `nodes_seen`, and one of its own on each other."""
    return place * PIDS + pid


class TaskStamp(msgspec.Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """The part of a `TaskResult` that is stored; seconds since the makespan began, to the microsecond.

    Stored as a row without names, which no dataclass can be: a study has a hundred thousand of them.
    loss : None where there is none, or where it is not finite.
    """

    index: Count
    started: float
    ended: float
    worker: int  # `worker_number`
    steps: int = 0
    loss: float | None = None
    points: tuple[tuple[int, float | None, float], ...] = ()  # (steps, loss, at)
    error: str = ""
    tries: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeClock:
    """How the clock of a node lies to the driver's.

    offset_s : what its stamps are ahead of the driver's. error_s : half the least round trip; 0 where it is one clock.
    """

    node: str
    offset_s: float
    error_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepTiming:
    """One step of a granularity sweep: a task set of one task length, all steps run in one warm process.

    work : units of fixed work per task (kernel iterations); comparable between backends.
    wall_s : makespan of the set; busy_s : sum of the tasks' own times.
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

    interpreter: Seconds = 0.0
    imports: Seconds = 0.0
    data: Seconds = 0.0
    start_up: Seconds = 0.0
    start_parts: Mapping[str, float] = field(default_factory=dict)
    warm_up: Seconds = 0.0
    makespan: Seconds = 0.0
    shutdown: Seconds = 0.0
    check: Seconds = 0.0

    @property
    def cold(self) -> float:
        """Seconds a user waits who starts from nothing: all but the data and the check."""
        return self.interpreter + self.imports + self.start_up + self.warm_up + self.makespan + self.shutdown


class HeadUse(StrEnum):
    """Whose Ray head a measurement ran on."""

    OWN = "own"  # started and ended within the measurement
    SHARED = "shared"  # started by the runner for several measurements in a row
    JOINED = "joined"  # of a cluster that was there before


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadUsed:
    """The Ray head of a measurement. start_s : seconds its start took the runner; 0 where it is not shared."""

    use: HeadUse
    start_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FitStages:
    """One fit of Ray Tune in seconds since its call; workers in the order of their first trials.

    start_parts : what an average worker's time until its first trial went into, by name; {} where it is not known.
    collect_s : from the end of Tune's own fit until the results were read; it lies within `whole_s`.
    """

    to_first_trial_s: float
    workers_first_start_s: tuple[float, ...]
    trials_per_worker: tuple[int, ...]
    gaps_s: tuple[float, ...]  # between trials of one worker
    tail_s: float  # after the last trial
    whole_s: float
    start_parts: Mapping[str, float] = field(default_factory=dict)
    collect_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchWork:
    """What a search that begins tasks anew really ran; its stamps count each task's last fit only."""

    fits: int
    steps_run: int
    steps_repeated: int
    busy_s: float  # sum over all fits


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedFailures:
    """Failures that a workload causes on purpose. planted : tasks by kind of failure; tries : starts of all tasks."""

    planted: Mapping[str, int]
    errors: int
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuUse:
    """The GPUs that tasks queued for. devices : `cuda`, or `LOGICAL` where they exist in Ray's books only."""

    devices: str
    most_at_once: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Tasks that do nothing, run as fast as they go by a backend that is up: what its machine manages.

    seconds : from the first dispatch to the last result. cpu_s : CPU seconds of the tree; None where unknown.
    """

    tasks: int
    seconds: float
    cpu_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What only some backends and workloads have to tell; None, or empty, where it does not apply."""

    copies_s: tuple[float, ...] = ()  # hardware ceiling: seconds of each independent copy of the baseline
    batches: tuple[int, ...] = ()  # tasks per batch, in the order in which batches came back
    injected_s: float | None = None  # planted overhead, mean per task as it was really waited
    fit: FitStages | None = None
    search: SearchWork | None = None
    failures: PlantedFailures | None = None
    gpu: GpuUse | None = None
    bytes_used: int | None = None  # of the shared object, summed over tasks
    waits_s: tuple[float, ...] = ()  # of a replay: seconds that each task was to wait, in the order of tasks
    burst: Burst | None = None  # of a replay, before its tasks

    def __or__(self, other: "Details") -> "Details":
        """Join what a backend and a workload told; where both told the same thing, `other` wins."""
        silent = Details()
        both = ((f.name, getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return Details(**{name: mine if its == getattr(silent, name) else its for name, mine, its in both})


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """How quiet the machine was; None is "unknown here".

    background_before, background_during : CPU seconds of others per second and core, 0 to 1.
    """

    background_before: float | None = None
    background_during: float | None = None
    steal: float | None = None  # share of the machine's CPU time, 0 to 1
    throttled: int | None = None  # cgroup periods throttled meanwhile
    swapped_in: int | None = None  # pages
    reason: str = ""  # '' is quiet


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One makespan of a process that stays between its samples; stored as soon as it ends.

    round : of the group; a baseline has one more than the cells, since it begins and ends each round.
    place : running number within the group. seconds : of one task set; loops : how often it was repeated.
    cpu_s : CPU seconds of the tree for one task set. task_s : minimum, quartiles and maximum of the tasks' own seconds.
    cores : CPU numbers that the baseline ran on; () where the process kept its own.
    spin_s : seconds of fixed work on the granted cores just before, mean over them; a covariate.
    began : seconds since the run began.
    """

    cell: str  # Cell.key
    block: int
    replica: int
    attempt: int
    round: int
    place: int
    seconds: float
    loops: int = 1
    cpu_s: float | None = None
    cores: tuple[int, ...] = ()
    task_s: tuple[float, ...] = ()
    spin_s: float | None = None
    began: float = 0.0
    disturbance: Disturbance = field(default_factory=Disturbance)

    @property
    def key(self) -> tuple[str, int, int, int, int]:
        """Identity of the line: (cell, block, replica, attempt, round)."""
        return (self.cell, self.block, self.replica, self.attempt, self.round)

    @property
    def process(self) -> tuple[str, int, int, int]:
        """Key of the Measurement of the process that took it."""
        return self.key[:4]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One process: where its seconds went, what it ran and who worked; all of it of its first sample."""

    cell: str  # Cell.key
    block: Count
    replica: Ordinal
    attempt: Ordinal
    status: Status
    reason: str = ""
    order: Count = 0
    index: Count = 0  # running number within the run
    group: int = 0  # of the block: processes of one workload that were alive together
    rounds: int = 0  # that the group was meant to run, and why: `rounds_reason`
    rounds_reason: str = ""
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
    sweep: tuple[SweepTiming, ...] = ()  # of a granularity sweep; its tasks have no stamps
    workers_seen: tuple[WorkerSeen, ...] = ()
    nodes_seen: tuple[str, ...] = ()  # in the order in which they answered
    scores: Mapping[str, float] = field(default_factory=dict)
    strays: tuple[str, ...] = ()  # names of processes that outlived the measurement under the runner, and were ended
    head: HeadUsed | None = None  # None where no Ray head is needed
    details: Details = field(default_factory=Details)
    facts: Mapping[str, Any] = field(default_factory=dict)  # what a workload adds by names of its own; JSON values
    disturbance: Disturbance = field(default_factory=Disturbance)
    backend_version: str = ""
    clocks: tuple[NodeClock, ...] = ()  # of a joined cluster's nodes; a line without any leaves the field out

    @classmethod
    def of(cls, job: Job, status: Status, reason: str = "", **facts: Any) -> "Measurement":
        """Begin the line of a job: its place in the plan and how it ended."""
        return cls(
            cell=job.cell.key,
            block=job.block,
            replica=job.replica,
            attempt=job.attempt,
            order=job.order,
            group=job.group,
            extra=job.extra,
            status=status,
            reason=reason,
            **facts,
        )

    @property
    def key(self) -> tuple[str, int, int, int]:
        """Identity of the measurement: (cell, block, replica, attempt)."""
        return (self.cell, self.block, self.replica, self.attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """One (split, search seed) pair of the quality pass: untimed errors on untouched test rows.

    variant : `tuned`, `asha`, `random_split` ... ; the named way in which the model was chosen.
    baseline_errors, tuned_errors : squared error (or 0/1 loss) of each test row, same rows.
    """

    workload: str
    variant: str
    pair: Count
    metric: str
    baseline: str
    baseline_test: float
    tuned_validation: float
    tuned_test: float
    baseline_errors: tuple[float, ...] = ()
    tuned_errors: tuple[float, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    chosen: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, int]:
        """Identity of the line."""
        return (self.workload, self.variant, self.pair)


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
