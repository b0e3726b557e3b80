"""When an emulated measurement may be believed: the rules, fixed in advance, and why a measurement breaks one.

Tasks that wait take no core, so that more of them fit than there are cores, as long as the rest (Ray's daemons, the
driver, the workers' own code) has room. A measurement that breaks a rule gives no number.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from raybench.model.measurement import Disturbance, Measurement, Sample, TaskStamp
from raybench.model.plan import Cell, Plan, Status, Tag

CPU_SHARE = 0.5  # of the machine's CPU time that the emulation itself may take in its makespan
RATE_SHARE = 0.5  # of the tasks per second that the machine manages
OVERSHOOT_S, OVERSHOOT_SHARE = 0.010, 0.03  # p99 of what waits take too long: the larger of 10 ms and 3 % of their mean
BACKGROUND = 0.3  # of the machine's CPU time, by others
ANCHOR = 0.05  # replay at P = 2 against the real cell that it replays
STEAL = 0.01  # of the CPU time kept back by the hypervisor: beyond it the host is contended, and anchors are pooled
FEWEST_BLOCKS = 3  # valid blocks of a cell, where so many were measured
RECORDED, COUNT = "recorded", "count"  # parameters of a replay


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A replay on real cores beside the cell that it replays. ratio : replay / real makespan, by block."""

    cell: Cell
    real: Cell
    ratio: Mapping[int, float]


def find_anchors(plan: Plan, lines: Sequence[Measurement]) -> list[Anchor]:
    """Find the replays of whole recorded cells on as many logical CPUs as they had cores, in the same run."""
    good = {(m.cell, m.block): m for m in reversed(lines) if m.status is Status.OK and m.replica % 2}
    found = []
    cells = plan.cells
    for cell in cells:
        source = cell.workload.params.get(RECORDED)
        if not cell.emulated or not source or source.get("run") or cell.cpus != source["cpus"]:
            continue
        if cell.workload.params.get(COUNT) or cell.backend.name != source["backend"] or cell.cluster:
            continue
        for real in cells:
            if _name(real) == (source["workload"], source["backend"], source["cpus"]) and not real.emulated:
                blocks = {block for key, block in good if key == cell.key} & {b for key, b in good if key == real.key}
                ratio = {
                    b: good[cell.key, b].phases.makespan / good[real.key, b].phases.makespan for b in sorted(blocks)
                }
                found.append(Anchor(cell=cell, real=real, ratio=ratio))
    return found


def _name(cell: Cell) -> tuple[str, str, int]:
    return (cell.workload.name, cell.backend.name, cell.cpus)


class Rules:
    """The rules over one run. anchors : one ratio per anchor and block."""

    def __init__(self, plan: Plan, lines: Sequence[Measurement], samples: Sequence[Sample]) -> None:
        self.anchors = find_anchors(plan, lines)
        self._disturbances = {s.process: s.disturbance for s in reversed(samples)}
        steal = [s.disturbance.steal for s in samples if s.disturbance.steal is not None]
        self._contended = bool(steal) and float(np.mean(steal)) > STEAL
        self._pooled = [ratio for anchor in self.anchors for ratio in anchor.ratio.values()]

    def part(
        self, cell: Cell, good: Mapping[int, Measurement]
    ) -> tuple[dict[int, Measurement], dict[int, tuple[str, ...]]]:
        """Part good measurements by block into valid ones and those that break a rule, with the rules.

        None is valid where fewer than 3 blocks are, of those that there are.
        """
        invalid = {block: reasons for block, m in good.items() if (reasons := self.broken(cell, m))}
        valid = {block: m for block, m in good.items() if block not in invalid}
        return (valid if len(valid) >= min(FEWEST_BLOCKS, len(good)) else {}), invalid

    def broken(self, cell: Cell, m: Measurement) -> tuple[str, ...]:
        """Return every rule that a good measurement of an emulated cell breaks, in words; () where it is valid.

        A workload whose waiting is real (I/O) has no lengths to hold its waits against, and needs no anchor.
        """
        if not cell.emulated:
            return ()
        disturbance = self._disturbances.get(m.key, m.disturbance)
        told = [own_share(cell, m), background(disturbance), workers(cell, m), once(cell, m)]
        if Tag.REPLAY in cell.workload.tags:
            told += [rate(m), overshoot(m), self.anchor(m.block)]
        return tuple(filter(None, told))

    def anchor(self, block: int) -> str:
        """Say why a block has no anchor that holds, or ''. On a contended host all blocks are one."""
        if self._contended:
            ratios, where = self._pooled, "of all blocks"
        else:
            ratios, where = [a.ratio[block] for a in self.anchors if block in a.ratio], "of this block"
        if not ratios:
            return "no anchor in this block: no replay at P = 2 beside its real cell"
        worst = max(ratios, key=lambda ratio: abs(math.log(ratio)))
        mean = math.exp(math.fsum(map(math.log, ratios)) / len(ratios)) if self._contended else worst
        return "" if abs(mean - 1) <= ANCHOR else f"anchor {where} off by {100 * (mean - 1):+.1f} %, allowed are 5 %"


def own_share(cell: Cell, m: Measurement) -> str:
    """Say that the emulation itself took too much of the machine, or ''."""
    if m.cpu_makespan_s is None:
        return "its own CPU time is not known"
    share = m.cpu_makespan_s / ((cell.real or 1) * m.phases.makespan)
    return "" if share <= CPU_SHARE else f"its own CPU share is {share:.2f}, allowed are {CPU_SHARE:g}"


def rate(m: Measurement) -> str:
    """Say that tasks came faster than half of what the machine manages, or ''."""
    burst = m.details.burst
    if burst is None or burst.seconds <= 0:
        return "the rate that this machine manages was not measured"
    most, real = burst.tasks / burst.seconds, len(m.tasks) / m.phases.makespan
    if real <= RATE_SHARE * most:
        return ""
    return f"{real:.0f} tasks per second, allowed is half of the {most:.0f} that this machine manages"


def overshoot(m: Measurement) -> str:
    """Say that waits took too long, or ''."""
    asked = np.array(m.details.waits_s)
    if len(asked) != len(m.tasks) or not len(asked):
        return "the lengths of its waits are not known"
    late = float(np.quantile(np.array([t.ended - t.started for t in _by_index(m.tasks)]) - asked, 0.99))
    allowed = max(OVERSHOOT_S, OVERSHOOT_SHARE * float(asked.mean()))
    if late <= allowed:
        return ""
    return f"waits end up to {1000 * late:.0f} ms late (p99), allowed are {1000 * allowed:.0f} ms"


def background(disturbance: Disturbance) -> str:
    """Say that others used too much of the machine, or ''."""
    share = disturbance.background_during
    if share is None or share <= BACKGROUND:
        return ""
    return f"background load took {share:.0%} of the CPU time, allowed are {BACKGROUND:.0%}"


def workers(cell: Cell, m: Measurement) -> str:
    """Say that not every worker was there, in the tasks or while warming up, or ''."""
    seen = len({t.worker for t in m.tasks} | {worker.pid for worker in m.workers_seen})
    return "" if seen >= cell.workers else f"{seen} of {cell.workers} workers were seen"


def once(cell: Cell, m: Measurement) -> str:
    """Say that a result is missing, came twice or is an error, or ''."""
    if [t.index for t in _by_index(m.tasks)] != list(range(len(m.tasks))) or not m.tasks:
        return "results are not one per task"
    failed = sum(bool(t.error) for t in m.tasks)
    return f"{failed} tasks failed" if failed else ""


def _by_index(tasks: Sequence[TaskStamp]) -> Iterator[TaskStamp]:
    return iter(sorted(tasks, key=lambda t: t.index))
