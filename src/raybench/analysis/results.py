"""What the report is made of: all analyses of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from raybench.analysis.anytime import Anytime, TimeToTarget
from raybench.analysis.controls import ControlReport, Residual
from raybench.analysis.dataset import Dataset
from raybench.analysis.emulation import Emulation
from raybench.analysis.held_out import HeldOut
from raybench.analysis.losses import CoreSeconds
from raybench.analysis.metg import Curve
from raybench.analysis.timing import Sensitivity, TimedShare
from raybench.analysis.tuning import Delta, EarlyStopping
from raybench.model.estimate import Estimate, Row, VerdictKind
from raybench.model.plan import Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLine:
    """A documented sentence and what the data say.

    unit : of `value`, as `units.by_unit` knows it. band : what the sentence demands, in words.
    kind : what the sentence says of its cells. section : where in its source. side : on which a
        PREDICTED or EMULATED number falls.
    further : numbers of the further parts that the sentence has, each with its unit; None without one.
    meant : the study planned a cell that the claim is about. needs : what another study would have to have.
    """

    id: str
    source: str
    statement: str
    band: str
    verdict: VerdictKind
    kind: str = ""
    section: str = ""
    side: str = ""
    meant: bool = True
    needs: str = ""
    value: Estimate | None = None
    unit: str = ""
    further: tuple[tuple[Estimate | None, str], ...] = ()
    note: str = ""
    cells: tuple[str, ...] = ()  # keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """The sorted times of a cell's tasks in seconds, of all good blocks. n : blocks."""

    cell: Cell
    n: int
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All analyses of a run, and the data set that they were made from.

    documented : published RMSE delta by workload, as a fraction.
    emulated : the run's own emulated cells, or those of the machine's newest emulated run.
    aside : why a section has nothing to show, by its id.
    """

    data: Dataset
    rows: tuple[Row, ...]
    controls: ControlReport
    curves: tuple[Curve, ...] = ()
    accounts: tuple[CoreSeconds, ...] = ()
    deltas: tuple[Delta, ...] = ()
    splits: tuple[EarlyStopping, ...] = ()
    anytime: tuple[Anytime, ...] = ()
    targets: tuple[TimeToTarget, ...] = ()
    residuals: tuple[Residual, ...] = ()
    timed: TimedShare | None = None
    sensitivity: Sensitivity | None = None
    durations: tuple[Durations, ...] = ()
    emulated: Emulation | None = None
    held_out: HeldOut = field(default_factory=HeldOut)
    claims: tuple[ClaimLine, ...] = ()
    documented: Mapping[str, float] = field(default_factory=dict)
    aside: Mapping[str, str] = field(default_factory=dict)

    @property
    def sweeps(self) -> frozenset[str]:
        """Name the workloads that are granularity sweeps: METG is their result, not a speedup."""
        return frozenset(curve.cell.workload.name for curve in self.curves)

    @property
    def floor(self) -> float:
        """Return the bias that the A/A control leaves possible, as a fraction."""
        return self.controls.floor
