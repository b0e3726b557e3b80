"""What of a study still fits into its budget, and how long the intervals asked for would take."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from raybench.model.clock import now
from raybench.model.plan import Job

FEWEST, ENOUGH = 2, 3  # groups from which a cell has an interval: where the study's other cells help, and always
MOST_GROUPS = 100  # to look at when asking how many would do

Groups = list[list[Job]]


@dataclass(kw_only=True)
class Budget:
    """Seconds for a pass through a study, and how they are spent.

    seconds : in all. core : keys of cells that go on where the time is short. target : half-width asked for, a
    fraction. expected : half-width to expect after so many groups on this host; None where nobody knows.
    """

    seconds: float
    core: Sequence[str] = ()
    target: float = 0.0
    expected: Callable[[int], float] | None = None
    began: float = field(default_factory=now)
    took: dict[str, float] = field(default_factory=dict)  # seconds of a workload's group, the longest so far

    @property
    def left_s(self) -> float:
        """Return the seconds that are left; negative once they are overdrawn."""
        return self.seconds - (now() - self.began)

    def note(self, group: Sequence[Job], seconds: float) -> None:
        """Take note of how long a group took."""
        name = group[0].cell.workload.name
        self.took[name] = max(self.took.get(name, 0.0), seconds)

    def estimate_s(self, groups: Groups) -> float:
        """Return the seconds that groups will take, by their workloads' longest so far."""
        return sum(self.took.get(group[0].cell.workload.name, 0.0) for group in groups)

    def choose(self, groups: Groups) -> Groups:
        """Choose the groups of a block that are still measured, so that as many rows as possible get an interval.

        All of them where they fit, and where no row would be left without an interval for it. Else the core's, and
        beside them what fits as often as an interval needs, cheap ones first. Where the target is out of reach for
        all rows, those with an interval leave the time to the core's.
        """
        block = groups[0][0].block
        core = [group for group in groups if any(job.cell.key in self.core for job in group)]
        if core and block >= ENOUGH and self.needs_s(groups) > self.seconds:
            groups = core
        times = max(1, FEWEST - block)  # that a row must be measured once more
        if times * self.estimate_s(groups) <= self.left_s:
            return groups
        others = sorted((group for group in groups if group not in core), key=lambda group: self.estimate_s([group]))
        chosen = core if self.estimate_s(core) <= self.left_s else []
        for group in others:
            if times * self.estimate_s([*chosen, group]) <= self.left_s:
                chosen = [*chosen, group]
        return [group for group in groups if group in chosen]  # in the order drawn

    def needs_s(self, groups: Groups) -> float:
        """Return the seconds after which this block's rows are expected to reach the target; 0 where nobody knows."""
        if self.expected is None or not self.target:
            return 0.0
        wanted = next((n for n in range(ENOUGH, MOST_GROUPS) if self.expected(n) <= self.target), MOST_GROUPS)
        return wanted * self.estimate_s(groups)

    def words(self, groups: Groups) -> str:
        """Say after the first block what this budget will give."""
        if self.expected is None:
            return ""
        block_s = self.estimate_s(groups)
        blocks = int(self.seconds / block_s) if block_s else 0
        found = f"a block takes {block_s / 60:.1f} min, so {self.seconds / 60:g} min hold {blocks}"
        if blocks >= 2:
            found += f"; expect +-{100 * self.expected(blocks):.1f} %"
        needs_s = max(self.needs_s(groups), ENOUGH * block_s)
        if needs_s > self.seconds:
            found += f"; intervals of +-{100 * self.target:g} % in all rows need {needs_s / 60:.0f} min"
            found += ", the core rows go first" if self.core else ""
        return found
