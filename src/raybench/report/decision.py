"""The decision table: for each workload, whether to distribute it on this machine. Pure, from rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from raybench.model.estimate import Estimate, Row
from raybench.model.plan import Role, Spec, Tag
from raybench.report.cells import clip, is_loop


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

    row : the backend and cores that the advice is about; None without data.
    warm, cold : gain over the better of the two loops, and over the one-thread loop from a cold start.
    against : which loop `warm` is measured against.
    sooner : backends that reach a score sooner by doing less work; never called a speedup.
    """

    workload: str
    advice: Advice
    row: Row | None = None
    warm: Estimate | None = None
    cold: Estimate | None = None
    against: str = ""
    shortest_task_s: Estimate | None = None
    shortest_mark: str = ""
    sooner: tuple[Row, ...] = ()
    why: str = ""


def decide(
    rows: Sequence[Row], *, floors: Mapping[str, float], shortest: Mapping[tuple[str, int], tuple[Estimate, str]]
) -> list[Decision]:
    """Decide for each workload, in the order of the rows.

    `distribute` needs an interval that excludes 1 by more than the noise floor, against the one-thread loop and,
    where it was measured, against the loop with all threads; warm and cold.
    A cell that is not believed (`Row.doubts`) is no candidate; the line names it.
    floors : noise floor by workload; without one of its own a workload takes the largest.
    shortest : by (backend, cores), the shortest task that keeps the documented efficiency, and its censoring mark.
    """
    by_workload: dict[str, list[Row]] = {}
    for row in rows:
        if Tag.SLEEP in row.cell.workload.tags:  # a control with a known ideal: nobody distributes waiting
            continue
        by_workload.setdefault(row.cell.workload.name, []).append(row)
    largest = max(floors.values(), default=0.0)
    return [_decide_one(mine, name, floors.get(name, largest), shortest) for name, mine in by_workload.items()]


def _decide_one(
    rows: Sequence[Row], workload: str, floor: float, shortest: Mapping[tuple[str, int], tuple[Estimate, str]]
) -> Decision:
    parallel = [row for row in rows if not is_loop(row) and not _is_no_choice(row.cell.backend)]
    doubted = "; ".join(
        f"{row.cell.backend.name} not believed: {', '.join(row.doubts)}" for row in parallel if row.doubts
    )
    parallel = [row for row in parallel if not row.doubts]
    cold = [row for row in rows if row.cell.backend.role is Role.COLD_START and not row.doubts]
    starts = {(row.cell.backend.variant_of, row.cell.cpus): row.speedup_cold for row in cold}
    sooner = tuple(row for row in parallel if row.time_to_score is not None and row.time_to_score.low > 1 + floor)
    found = [_Candidate(row, starts) for row in parallel if row.speedup is not None and row.cell.cpus > 1]
    if not found and doubted:
        return Decision(workload=workload, advice=Advice.UNDECIDED, sooner=sooner, why=doubted)
    if not found:
        reasons = dict.fromkeys(row.reason for row in parallel if row.reason)
        missing = "no parallel cell with the same work as the loop"
        missing = missing if any(is_loop(row) for row in rows) else "no loop was planned to compare with"
        why = next((clip(reason) for reason in reasons), missing)
        return Decision(workload=workload, advice=Advice.NO_DATA, sooner=sooner, why=why)
    ranks = list(Advice)
    best = min(
        found, key=lambda c: (ranks.index(c.advice(floor)), -c.sure(floor), c.row.cell.cpus, c.row.cell.backend.name)
    )
    task, mark = shortest.get((best.row.cell.backend.name, best.row.cell.cpus), (None, ""))
    return Decision(
        workload=workload,
        advice=best.advice(floor),
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
    """A parallel cell with the same work as the loop, and what it gains against the better of the two loops."""

    def __init__(self, row: Row, starts: Mapping[tuple[str, int], Estimate | None]) -> None:
        assert row.speedup is not None
        self.row, self.warm, self.against = row, row.speedup, "the one-thread loop"
        if row.gain is not None and row.gain.point < row.speedup.point:
            self.warm, self.against = row.gain, "the loop with all threads"
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
            return "" if gain is not None else "not compared with a loop that uses all threads"
        if advice is Advice.WARM_ONLY:
            if self.cold is None:
                return "the cold start was not measured"
            loses = self.cold.high < 1
            return "start-up costs more than the run saves" if loses else "cold, the gain may be noise (A/A)"
        if advice is Advice.UNDECIDED:
            within = any(estimate.low <= 1 for estimate in self.compared)
            return "the interval of the gain includes no difference" if within else "the gain may be noise (A/A)"
        loop = "all threads" if gain is not None and gain.high < 1 + floor else "one thread"
        return f"the loop with {loop} is as fast or faster"
