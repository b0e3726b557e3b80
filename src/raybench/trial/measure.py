"""Measure the plausible backends beside the sequential baseline, in alternating rounds, until they are told apart."""

import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from raybench.execution.group import Group, Repeats, Rounds
from raybench.execution.member import Ended
from raybench.execution.sandbox import Home
from raybench.model.clock import now
from raybench.model.log_ratio import FEWEST, LogRatio, log_ratio
from raybench.model.measurement import Sample
from raybench.model.pairing import round_differences
from raybench.model.plan import Cell, Job, Limits, Spec, Status
from raybench.model.precision import BETWEEN_PROCESSES
from raybench.system import machine
from raybench.trial import inputs
from raybench.trial.backends import LIBRARY, SEQUENTIAL, shown, specs
from raybench.trial.calibrate import start_s
from raybench.trial.look import Look
from raybench.trial.work import Observer, Step, Work, passed_on

MOST_BYTES = 128 * 2**20  # of the measured items and results together
NARROWEST = math.log(1.02)  # half-width: a program of a minute does not know more
NEAR = math.log(1.05)  # two that differ by less are the same to a user
WARM_UP_S = 0.5  # a call that takes longer warms nobody up
SEED = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured. budget_s : from the first start to the last round; rounds, items : at most.

    subset_s : of the sequential baseline over the items that are measured.
    """

    budget_s: float
    subset_s: float = 1.0
    rounds: int = 40
    items: int = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A backend beside the sequential baseline. speedup, low, high : warm, of the measured items, with a 95 % interval.

    answers : how they compare with the sequential baseline's. reason : '' or why there is no number.
    """

    backend: str
    cpus: int
    speedup: float = 0.0
    low: float = 0.0
    high: float = math.inf
    rounds: int = 0
    start_s: float | None = None
    answers: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What was measured. indices : of the items that were run. base_s : the baseline's seconds, geometric mean."""

    indices: tuple[int, ...] = ()
    base_s: float = 0.0
    backends: tuple[Measured, ...] = ()
    interrupted: bool = False


def subset(look: Look, items: Sequence[Any], cpus: int, effort: Effort) -> tuple[int, ...]:
    """Choose items, from all over the list, that take the baseline so long; four for each core, unless too large."""
    wanted = math.ceil(effort.subset_s / max(look.mean_s, 1e-9))
    fitting = int(MOST_BYTES / max(1.0, look.bytes_in + look.bytes_out))
    least = min(4 * cpus, len(items), max(cpus, fitting))
    count = max(least, min(wanted, fitting, effort.items))
    return tuple(sorted(inputs.sample(items, count, seed=SEED)))


def measure(
    work: Work,
    look: Look,
    cells: Sequence[tuple[str, int]],
    home: Home,
    *,
    effort: Effort,
    observe: Observer,
) -> Rows:
    """Run the sequential baseline and these (backend, P) in rounds; Ctrl-C ends it with what is known so far."""
    indices = subset(look, work.items, max(cpus for _, cpus in cells), effort)
    path = work.write(home.scratch / "measured.pkl", indices)
    session = _Session(look, indices, effort.budget_s, observe)
    jobs = _jobs(look, str(path), indices, cells)
    ended: dict[str, Ended] = {}
    interrupted = False
    group = Group(jobs, home, token=secrets.token_hex(32), keep=session.keep, origin=session.began)
    wanted = Rounds(count=effort.rounds, reason="until decided")
    repeats = Repeats(budget_s=effort.budget_s)
    try:
        for job, one in group.run(wanted, repeats, started=session.started, enough=lambda: session.enough(jobs)):
            ended[job.cell.key] = one
    except KeyboardInterrupt:
        interrupted = True
    baseline = session.of(jobs[0])
    if not baseline and jobs[0].cell.key in ended:
        reason = ended[jobs[0].cell.key].measurement.reason
        return Rows(indices=indices, backends=(Measured(backend=SEQUENTIAL, cpus=1, reason=reason),))
    return Rows(
        indices=indices,
        base_s=float(np.exp(np.mean([math.log(one.seconds) for one in baseline]))) if baseline else 0.0,
        backends=tuple(_row(job, session, jobs[0], ended) for job in jobs[1:]),
        interrupted=interrupted,
    )


def _jobs(look: Look, path: str, indices: Sequence[int], cells: Sequence[tuple[str, int]]) -> list[Job]:
    """Return one job for the sequential baseline, the first, and one for each cell."""
    seconds = dict(zip(indices, look.seconds_of(indices), strict=True))
    cheapest = min(range(len(indices)), key=lambda place: seconds[indices[place]])
    params = {
        "path": path,
        "cheapest": cheapest if seconds[indices[cheapest]] < WARM_UP_S else None,
        "repeatable": look.facts is not None and look.facts.repeatable is True and not look.facts.changes_item,
    }
    workload = Spec(name=look.name, target="raybench.workloads.function.Function", params=params)
    known = specs()
    limits = Limits(cell_timeout_s=60.0 + 20 * sum(seconds.values()))
    jobs = []
    for place, (name, cpus) in enumerate([(SEQUENTIAL, 1), *cells]):
        wide = name == LIBRARY
        cell = Cell(
            workload=workload, backend=known[name], workers=1 if wide else cpus, cpus_per_task=cpus if wide else 1
        )
        jobs.append(
            Job(
                cell=cell,
                block=0,
                order=place,
                seed=SEED,
                limits=limits,
                affinity=machine.cpus_for(cpus),
                environment=passed_on(),
            )
        )
    return jobs


def _row(job: Job, session: "_Session", baseline: Job, ended: dict[str, Ended]) -> Measured:
    name, cpus = job.cell.backend.name, job.cell.cpus
    line, base = (ended[one.cell.key].measurement if one.cell.key in ended else None for one in (job, baseline))
    if line is not None and line.status is not Status.OK:
        return Measured(backend=name, cpus=cpus, reason=line.reason)
    ratio = session.ratio(job, baseline)
    if not ratio.n:
        return Measured(backend=name, cpus=cpus, reason="not measured: the time was up before its first round")
    low, high = interval(ratio)
    answers = ""
    if line is not None and base is not None:
        answers = "equal" if line.answers_hash == base.answers_hash else _how_close(job)
    return Measured(
        backend=name,
        cpus=cpus,
        speedup=math.exp(ratio.mean),
        low=math.exp(low),
        high=math.exp(high),
        rounds=ratio.n,
        start_s=start_s(line, base) if line is not None and base is not None else None,
        answers=answers,
    )


def _how_close(job: Job) -> str:
    """Say how answers compare that are not the baseline's bit for bit; those of a repeatable function were checked."""
    return "equal within rounding" if job.cell.workload.params["repeatable"] else "differ from the baseline's (random?)"


def interval(ratio: LogRatio) -> tuple[float, float]:
    """Return the 95 % interval of a log ratio of two processes, never narrower than +-2 %.

    Equal processes differ by 0.6 % for life, which rounds within one process cannot show.
    """
    error = math.hypot(ratio.error, math.sqrt(2) * BETWEEN_PROCESSES)
    low, high = LogRatio(mean=ratio.mean, error=error, degrees=ratio.degrees, n=ratio.n).interval()
    return min(low, ratio.mean - NARROWEST), max(high, ratio.mean + NARROWEST)


@dataclass
class _Session:
    """The samples so far, and whether they suffice."""

    look: Look
    indices: Sequence[int]
    budget_s: float
    observe: Observer
    began: float = field(default_factory=now)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    rounds_began: float | None = None

    def started(self, job: Job) -> None:
        self.observe(Step(text=f"starting {shown(job.cell.backend.name)}", left_s=self._left_s()))

    def keep(self, sample: Sample) -> None:
        self.samples.setdefault(sample.cell, []).append(sample)
        self.rounds_began = self.rounds_began or now()
        self.observe(Step(text=f"measuring: round {sample.round + 1}", left_s=self._left_s()))

    def of(self, job: Job) -> list[Sample]:
        return self.samples.get(job.cell.key, [])

    def ratio(self, job: Job, baseline: Job) -> LogRatio:
        """Return the log speedup of a cell over the baseline; without an interval where it has fewer than 3 rounds."""
        return log_ratio(round_differences(self.of(baseline), self.of(job)))

    def enough(self, jobs: Sequence[Job]) -> bool:
        """Return whether the next round would pass the budget, or nothing is left to decide."""
        baseline, *cells = jobs
        done = len(self.of(baseline)) - 1
        per_round = (now() - (self.rounds_began or now())) / max(1, done)
        if done and per_round > self._left_s():
            return True
        alive = [job for job in cells if len(self.of(job)) >= done]
        return done >= FEWEST and self._decided(alive, baseline)

    def _decided(self, cells: Sequence[Job], baseline: Job) -> bool:
        ranked = sorted(cells, key=lambda job: -self.ratio(job, baseline).mean)
        if not ranked:
            return True
        best, *others = ranked
        return _told(self.ratio(best, baseline)) and all(_told(self._between(best, other)) for other in others[:1])

    def _between(self, one: Job, other: Job) -> LogRatio:
        """Return the log ratio of two cells' times over the rounds that both have."""
        first, second = ({s.round: math.log(s.seconds) for s in self.of(job)} for job in (one, other))
        return log_ratio([second[r] - first[r] for r in sorted(first.keys() & second.keys())])

    def _left_s(self) -> float:
        return max(0.0, self.budget_s - (now() - self.began))


def _told(ratio: LogRatio) -> bool:
    """Return whether a log ratio is known to be on one side of 0, or so near it that nobody minds."""
    low, high = interval(ratio)
    return low > 0 or high < 0 or (low > -NEAR and high < NEAR)
