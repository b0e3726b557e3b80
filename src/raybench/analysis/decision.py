"""The decision table: for each workload, whether to distribute it on this machine. Pure, from rows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from raybench.analysis.kinds import Kind, is_loop, kind_of
from raybench.analysis.metg import WRONG
from raybench.analysis.results import Findings
from raybench.analysis.speedup import BAND, SAME_TIME
from raybench.model.estimate import Estimate, Row
from raybench.model.plan import Role, Spec, Tag

KEPT = BAND[0]  # the efficiency down to which a shortest task is given


class Advice(StrEnum):
    """What to do with a workload."""

    DISTRIBUTE = "distribute"
    WARM_ONLY = "only where workers stay warm"
    UNDECIDED = "undecided"
    DO_NOT = "do not distribute"
    NO_DATA = "no data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One line of the decision table.

    kind : None for micro-benchmarks, which have answers of their own.
    row : the backend and cores that the advice is about; None without data.
    warm, cold : gain over the better of the two baselines, and over the sequential baseline from a cold start.
    against : which baseline `warm` is measured against.
    sooner : backends that reach a score sooner by doing less work; never called a speedup.
    """

    workload: str
    advice: Advice
    kind: Kind | None = None
    row: Row | None = None
    warm: Estimate | None = None
    cold: Estimate | None = None
    against: str = ""
    shortest_task_s: Estimate | None = None
    shortest_mark: str = ""
    sooner: tuple[Row, ...] = ()
    why: str = ""


def decisions(findings: Findings) -> list[Decision]:
    """Decide for every workload, with the shortest task of each backend from its granularity sweep."""
    shortest: dict[tuple[str, int], tuple[Estimate, str]] = {}
    for curve in (curve for curve in findings.curves if WRONG not in curve.flags):
        for found in curve.metg:
            if found.level == KEPT:
                shortest.setdefault((curve.cell.backend.name, curve.cell.cpus), (found.work, found.mark))
    rows = [row for row in findings.rows if row.cell.workload.name not in findings.sweeps]
    return decide(rows, floor=max(SAME_TIME, findings.floor), shortest=shortest)


def by_kind(decided: Sequence[Decision]) -> dict[Kind, list[Decision]]:
    """Group the decisions that have data by kind of work, in reading order; the longest baseline comes first."""
    found: dict[Kind, list[Decision]] = {}
    for kind in Kind:
        mine = [line for line in decided if line.kind is kind and line.advice is not Advice.NO_DATA]
        if mine:
            found[kind] = sorted(mine, key=_baseline_s, reverse=True)
    return found


def _baseline_s(line: Decision) -> float:
    return line.row.base.point if line.row is not None and line.row.base is not None else 0.0


def decide(
    rows: Sequence[Row], *, floor: float, shortest: Mapping[tuple[str, int], tuple[Estimate, str]]
) -> list[Decision]:
    """Decide for each workload, in the order of the rows.

    `distribute` needs an interval that excludes 1 by more than `floor`, against the sequential baseline
    and, where it was measured, against the threaded one; warm and cold.
    A cell that is not believed (`Row.doubts`) is no candidate; the line names it.
    floor : the smallest gain that counts: 5 %, or what the A/A control cannot exclude as bias.
    shortest : by (backend, cores), the shortest task that keeps the documented efficiency, and its censoring mark.
    """
    by_workload: dict[str, list[Row]] = {}
    for row in rows:
        if (
            Tag.SLEEP in row.cell.workload.tags or row.cell.emulated
        ):  # nobody distributes waiting, on CPUs that are none
            continue
        by_workload.setdefault(row.cell.workload.name, []).append(row)
    return [_decide_one(mine, name, floor, shortest) for name, mine in by_workload.items()]


def _decide_one(
    rows: Sequence[Row], workload: str, floor: float, shortest: Mapping[tuple[str, int], tuple[Estimate, str]]
) -> Decision:
    kind = kind_of(rows[0].cell.workload)
    parallel = [row for row in rows if not is_loop(row.cell.backend) and not _is_no_choice(row.cell.backend)]
    doubted = "; ".join(
        f"{row.cell.backend.name} not believed: {', '.join(row.doubts)}" for row in parallel if row.doubts
    )
    parallel = [row for row in parallel if not row.doubts]
    cold = [row for row in rows if row.cell.backend.role is Role.COLD_START and not row.doubts]
    starts = {(row.cell.backend.variant_of, row.cell.cpus): row.speedup_cold for row in cold}
    sooner = tuple(row for row in parallel if row.time_to_score is not None and row.time_to_score.low > 1 + floor)
    found = [_Candidate(row, starts) for row in parallel if row.speedup is not None and row.cell.cpus > 1]
    if not found and doubted:
        return Decision(workload=workload, advice=Advice.UNDECIDED, kind=kind, sooner=sooner, why=doubted)
    if not found:
        reasons = dict.fromkeys(row.reason for row in parallel if row.reason)
        missing = "no parallel cell with the same work as the sequential baseline"
        missing = missing if any(is_loop(row.cell.backend) for row in rows) else "no sequential baseline was planned"
        why = next(iter(reasons), missing)
        return Decision(workload=workload, advice=Advice.NO_DATA, kind=kind, sooner=sooner, why=why)
    ranks = list(Advice)
    best = min(
        found, key=lambda c: (ranks.index(c.advice(floor)), -c.sure(floor), c.row.cell.cpus, c.row.cell.backend.name)
    )
    task, mark = shortest.get((best.row.cell.backend.name, best.row.cell.cpus), (None, ""))
    return Decision(
        workload=workload,
        advice=best.advice(floor),
        kind=kind,
        row=best.row,
        warm=best.warm,
        cold=best.cold,
        against=best.against,
        shortest_task_s=task,
        shortest_mark=mark,
        sooner=sooner,
        why="; ".join(filter(None, [best.why(floor), doubted])),
    )


def _is_no_choice(backend: Spec) -> bool:
    return backend.is_control or backend.role is Role.COLD_START


class _Candidate:
    """A parallel cell with the same work as the baseline, and what it gains against the better of the two baselines."""

    def __init__(self, row: Row, starts: Mapping[tuple[str, int], Estimate | None]) -> None:
        assert row.speedup is not None
        self.row, self.warm, self.against = row, row.speedup, "the sequential baseline"
        if row.gain is not None and row.gain.point < row.speedup.point:
            self.warm, self.against = row.gain, "the threaded baseline"
        name, cpus = row.cell.backend.name, row.cell.cpus
        # A cell that joined a head which others had started has no cold time; its variant with a cold start has.
        self.cold = row.speedup_cold or starts.get((name, cpus))
        self.compared = [estimate for estimate in (row.speedup, row.gain) if estimate is not None]

    def advice(self, floor: float) -> Advice:
        if any(estimate.high < 1 + floor for estimate in self.compared):
            return Advice.DO_NOT
        if any(estimate.low <= 1 + floor for estimate in self.compared):
            return Advice.UNDECIDED
        pays = self.cold is not None and self.cold.low > 1 + floor
        return Advice.DISTRIBUTE if pays else Advice.WARM_ONLY

    def sure(self, floor: float) -> float:
        """Return what is gained for certain: from a cold start where that pays, else warm."""
        cold = self.cold if self.advice(floor) is Advice.DISTRIBUTE else None
        return cold.low if cold is not None else self.warm.low

    def why(self, floor: float) -> str:
        advice, gain = self.advice(floor), self.row.gain
        if advice is Advice.DISTRIBUTE:
            return "" if gain is not None else "not compared with the baseline that uses all threads"
        if advice is Advice.WARM_ONLY:
            if self.cold is None:
                return "the cold start was not measured"
            loses = self.cold.high < 1
            return (
                "start-up costs more than the run saves"
                if loses
                else "including start-up, the gain is within measurement noise"
            )
        if advice is Advice.UNDECIDED:
            if any(math.isinf(estimate.high) for estimate in self.compared):
                return "too few blocks for an interval"
            within = any(estimate.low <= 1 for estimate in self.compared)
            return "the 95 % interval includes 1x" if within else "the gain is within measurement noise"
        baseline = "threaded" if gain is not None and gain.high < 1 + floor else "sequential"
        return f"the {baseline} baseline is at least as fast"
