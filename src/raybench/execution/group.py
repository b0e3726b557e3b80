"""One group of a block: the processes of one workload, alive together, sampled in alternating rounds.

A round is framed by the baseline: B c1 c2 .. cm B, with B shared by neighbouring rounds, so that each sample has a
baseline within seconds on either side. Slow changes of the machine's speed then cancel in the ratio.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import numpy as np

from raybench.execution.member import Ended, Member
from raybench.execution.nodes import Nodes
from raybench.execution.sandbox import Home
from raybench.execution.series import Order
from raybench.model.clock import now
from raybench.model.measurement import Sample
from raybench.model.plan import Job, needs_ray
from raybench.planning.groups import is_baseline, runs_once
from raybench.system import interference, spin

LOOKED_AT = 20  # of the last samples; where half of them were disturbed, repeating helps nobody
REPEAT_SHARE = 0.25  # of the budget, for rounds that repeat a disturbed one
DEAR, DEAR_S = 2.0, 1.0  # a sample that takes so many times its baseline's seconds, and as long, is taken once
SPINS = 2  # repetitions of fixed work on each granted core before a sample


@dataclass
class Repeats:
    """Whether a disturbed round may still be repeated; shared by all groups of a run.

    budget_s : of the run. spent_s : seconds of repeated rounds so far.
    """

    budget_s: float
    spent_s: float = 0.0
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=LOOKED_AT))

    def allowed(self) -> bool:
        """Return whether less than half of the last samples were disturbed and a quarter of the budget is left."""
        return 2 * sum(self.recent) < LOOKED_AT and self.spent_s < REPEAT_SHARE * self.budget_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How many rounds a group is meant to have, and why."""

    count: int
    reason: str


DEAR_ROUND = Rounds(count=1, reason=f"a sample takes more than {DEAR:g} times its baseline's seconds")


class Group:
    """The processes of a group, from their start to their end.

    jobs : of the group, in the order in which they start. keep : stores a sample at once. origin : when the run began.
    nodes : that those of Ray run on.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        home: Home,
        *,
        token: str,
        keep: Callable[[Sample], None],
        origin: float,
        nodes: Nodes | None = None,
    ) -> None:
        self.jobs = jobs
        self._nodes = nodes
        self._home, self._token, self._keep, self._origin = home, token, keep, origin
        self._place = 0
        self._baseline_s = math.inf  # seconds that the baseline's last sample took
        self._dear: set[Member] = set()
        self._once = any(runs_once(job.cell) for job in jobs)
        first = jobs[0]
        self._rng = np.random.default_rng(np.random.SeedSequence([first.seed, first.block, first.group]))

    def run(
        self,
        rounds: Rounds,
        repeats: Repeats,
        *,
        started: Callable[[Job], None],
        enough: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[Job, Ended]]:
        """Start every process, run the rounds, end every process; yield what became of each.

        started : is told of each process before it starts. enough : asked before each round; true ends the rounds.
        """
        with ExitStack() as stack:
            members: list[Member] = []
            for place, job in enumerate(self.jobs):
                started(job)
                name = f"{job.group}.{place}"
                nodes = self._nodes if needs_ray(job.cell) else None
                member = Member(job, self._home, name=name, token=self._token, nodes=nodes)
                members.append(stack.enter_context(member))
            if self._once:
                rounds = Rounds(count=1, reason="its work cannot be repeated in one process")
                self._round(members, 0)
            else:
                self._rounds(members, rounds, repeats, enough)
            for member in members:
                ended = member.end()
                told = DEAR_ROUND if member in self._dear else rounds
                line = replace(ended.measurement, rounds=told.count, rounds_reason=told.reason)
                yield member.job, replace(ended, measurement=line)

    def _rounds(self, members: Sequence[Member], rounds: Rounds, repeats: Repeats, enough: Callable[[], bool]) -> None:
        baselines = [m for m in members if is_baseline(m.job.cell) and m.job.replica % 2]
        others = [m for m in members if m not in baselines]
        before = [self._sample(baseline, members, 0) for baseline in baselines]
        quiet = number = 0
        while quiet < rounds.count and any(member.alive for member in members) and not enough():
            began = now()
            wanted = [member for member in others if member not in self._dear]
            taken = [*before, *self._round(wanted, number, members)]
            before = [self._sample(baseline, members, number + 1) for baseline in baselines]
            reasons = [sample.disturbance.reason for sample in [*taken, *before] if sample]
            repeats.recent.extend(bool(reason) for reason in reasons[len(baselines) :])
            if number >= rounds.count:
                repeats.spent_s += now() - began
            number += 1
            quiet += not any(reasons) or not repeats.allowed()

    def _round(self, members: Sequence[Member], number: int, everyone: Sequence[Member] = ()) -> list[Sample | None]:
        order = self._rng.permutation(len(members))
        return [self._sample(members[int(i)], everyone or members, number) for i in order]

    def _sample(self, member: Member, everyone: Sequence[Member], number: int) -> Sample | None:
        """Take a sample with its covariates, and store it."""
        if not member.alive:
            return None
        order = Order(round=number, place=self._place, cores=self._core(member, number))
        self._place += 1
        spun = _spin(order.cores or member.job.affinity)
        watch = interference.Watch(lambda: sum(one.cpu_s() for one in everyone) + self._cpu_s_of_nodes())
        began = now()
        sample = member.sample(order)
        if sample is None:
            return None
        here = watch.after(background_share=member.job.limits.background_share)
        sample = replace(
            sample,
            spin_s=spun,
            began=round(began - self._origin, 3),
            disturbance=sample.disturbance if member.job.on_cluster else here,  # judged where the tasks ran
        )
        self._keep(sample)
        self._price(member, sample)
        return sample

    def _price(self, member: Member, sample: Sample) -> None:
        """Note what a sample cost: a cell that costs far more than its baseline is sampled once per group.

        Its ratio is far from 1, and its seconds are better spent on other cells: Ray Tune starts a controller for
        each task set. A disturbed sample is still taken again.
        """
        took = sample.seconds * sample.loops
        if is_baseline(member.job.cell):
            self._baseline_s = took
        elif took > max(DEAR_S, DEAR * self._baseline_s) and not sample.disturbance.reason:
            self._dear.add(member)

    def _cpu_s_of_nodes(self) -> float:
        return 0.0 if self._nodes is None else self._nodes.cpu_s()

    def _core(self, member: Member, number: int) -> tuple[int, ...]:
        """Return the core of the baseline's next sample: each granted core of the group in turn."""
        if not is_baseline(member.job.cell) or self._once:
            return ()
        cores = sorted({cpu for job in self.jobs for cpu in job.affinity})
        return (cores[(number + member.job.block) % len(cores)],) if cores else ()


def _spin(cores: Sequence[int]) -> float | None:
    """Return the mean seconds of fixed work on these cores, done by this process; None where they are not known."""
    return spin.on_cores(cores, SPINS) if cores else None
