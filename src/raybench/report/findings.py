"""What the report is made of: rows and the lines of the other analyses, in the form in which they are printed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from raybench.metg import Curve
from raybench.model import Cell, Environment, Estimate, Measurement, Plan, Quality, Row, VerdictKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLine:
    """A documented sentence and what the data say.

    unit : of `value`, as `units.by_unit` knows it. band : what the sentence demands, in words.
    """

    id: str
    source: str
    statement: str
    band: str
    verdict: VerdictKind
    value: Estimate | None = None
    unit: str = ""
    note: str = ""
    cells: tuple[str, ...] = ()  # keys


@dataclass(frozen=True, slots=True, kw_only=True)
class LossLine:
    """Where the P x T core-seconds of a cell went: shares that add up to 1."""

    cell: Cell
    core_seconds: Estimate
    parts: Mapping[str, Estimate]  # in the order in which they are drawn
    flag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaLine:
    """How much lower the tuned model's error is than the baseline's, on untouched test rows.

    delta : 1 - tuned / baseline, ratio of means, + is better; interval over splits and rows.
    delta_rows : the same with the interval over test rows only. optimism : test minus validation error.
    documented : the published value of `delta`, if there is one.
    """

    workload: str
    arm: str
    baseline: str
    metric: str
    baseline_error: Estimate
    tuned_error: Estimate
    delta: Estimate
    delta_rows: Estimate | None = None
    optimism: Estimate | None = None
    documented: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlLine:
    """A control with a known answer: what was expected, what was measured, and whether it holds."""

    name: str
    about: str
    expected: str
    value: Estimate | None
    unit: str
    ok: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The raw data of one run as the report needs it. `folder` is relative to the reports folder."""

    folder: str
    data: str  # hash over the raw files
    plan: Plan
    environment: Environment
    measurements: tuple[Measurement, ...]
    qualities: tuple[Quality, ...] = ()
    torn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All analyses of a run. `untrusted` says which controls failed; '' entries do not occur.

    floor : smallest effect that may be called a difference, from A/A.
    """

    rows: tuple[Row, ...]
    floor: float = 0.0
    untrusted: tuple[str, ...] = ()
    controls: tuple[ControlLine, ...] = ()
    curves: tuple[Curve, ...] = ()
    losses: tuple[LossLine, ...] = ()
    deltas: tuple[DeltaLine, ...] = ()
    claims: tuple[ClaimLine, ...] = ()
    aside: Mapping[str, str] = field(default_factory=dict)  # section name -> why it has nothing
