"""What is concluded from measurements: numbers with their intervals, rows of the report, kinds of verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from raybench.model.evidence import Evidence
from raybench.model.plan import Cell


class VerdictKind(StrEnum):
    """What the data say about a documented claim."""

    SUPPORTED = "SUPPORTED"
    REFUTED = "REFUTED"
    INCONCLUSIVE = "INCONCLUSIVE"
    ANSWERED = "ANSWERED"
    EMULATED = "EMULATED"
    PREDICTED = "PREDICTED"
    UNTESTABLE = "UNTESTABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval and the number of blocks (or pairs) behind it.

    Too few data give an infinite interval and a `flag`, never an error.
    evidence : what p values are taken from; None where there is none but the interval.
    """

    point: float
    low: float
    high: float
    n: int
    flag: str = ""  # e.g. 'insufficient', 'quantised timer', 'cross-check disagrees'
    evidence: Evidence | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One planned cell as the report shows it. Times in seconds; ratios paired by block.

    counts : measurements by status. reason : why there is no number, or why some failed; '' if all is well.
    makespan, cold, start_up, warm_up, shutdown : median with rank interval.
    base_kind : words for the base of `speedup`, e.g. `sequential, 1 thread`; '' where there is no base.
    base : the base's warm makespan; base_cold : the base's cold time.
    speedup, speedup_cold, efficiency : against the sequential baseline only. None where the work differs:
        then `time_to_score` (base makespan / makespan at less work) is given instead.
    gain : against the threaded baseline on all P cores; never an efficiency.
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
    doubts: tuple[str, ...] = ()  # why its numbers are not believed: then no ratio decides anything
    band: VerdictKind | None = None
