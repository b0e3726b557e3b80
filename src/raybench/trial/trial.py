"""One trial of a function: look, predict, measure, conclude; each step told to an observer as it happens."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult

from raybench.analysis import predictor
from raybench.execution.sandbox import Home
from raybench.model.clock import now
from raybench.model.errors import BadSettings
from raybench.model.serialize import to_json
from raybench.system import machine
from raybench.trial import inputs, show, target, verdict
from raybench.trial.backends import LIBRARY, RAY, RAY_BATCHED, choose
from raybench.trial.calibrate import Calibration, calibration
from raybench.trial.look import Look, look, problems
from raybench.trial.measure import Effort, Measured, Rows, measure, subset
from raybench.trial.predict import Prediction, predict, tasks
from raybench.trial.verdict import Option, Verdict
from raybench.trial.work import Observer, Step, Work

BATCHED_BELOW_S = 0.03  # shorter tasks go to Ray in batches
MOST_CELLS = 6  # beside the sequential baseline in one group
HOPELESS = 0.8  # predicted speedup at best: not worth a second of measuring
FEWEST_ROUNDS = 3
RAYS = {RAY, RAY_BATCHED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted. cpus : numbers of cores here; elsewhere : on other machines, predicted only."""

    cpus: tuple[int, ...] = ()
    elsewhere: tuple[int, ...] = ()
    backends: tuple[str, ...] = ()
    budget_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is known of a function. stopped : '' or why less is known than was asked for."""

    look: Look
    problems: tuple[str, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    rows: Rows = field(default_factory=Rows)
    options: tuple[Option, ...] = ()
    verdict: Verdict
    stopped: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield show.render(self)

    def _repr_html_(self) -> str:
        """Return the trial for a notebook's cell."""
        return show.html(self)

    def json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        found: dict[str, Any] = to_json(self)
        return found


def try_(
    function: Callable[..., Any],
    inputs: Iterable[Any],
    *,
    setup: Callable[[], Any] | None = None,
    star: bool = False,
    wish: Wish | None = None,
    observe: Observer = lambda step: None,
) -> Trial:
    """Say whether calling `function` on each of `inputs` should be distributed; takes up to a minute.

    setup : called once per worker; its result is the function's first argument. star : an item is a tuple of arguments.
    A function of a notebook's cell works. Raises BadSettings where function and items do not fit together.
    """
    work = Work(
        target=target.of(function),
        items=_collect(inputs),
        star=star,
        setup=target.of(setup) if setup is not None else None,
    )
    return run(work, wish or Wish(), observe)


def run(work: Work, wish: Wish, observe: Observer) -> Trial:
    """Try a function; Ctrl-C ends it with what is known so far, once it has been looked at."""
    target.check_call(work.target, star=work.star, setup=work.setup is not None, item=work.items[0])
    _check(wish)
    with Home() as home:
        clock = _Clock(wish.budget_s)
        seen = look(work, home, cpus=machine.usable_cpus(), observe=observe)
        trial = Trial(look=seen, problems=tuple(problems(seen)), verdict=_unknown(seen))
        if seen.failure or seen.count == 1:
            return replace(trial, verdict=verdict.conclude(seen, (), _NOTHING, elsewhere=()))
        for text in (seen.words(), *trial.problems):
            observe(Step(text=text, left_s=clock.left_s(), lasting=True))
        try:
            known = calibration(home, observe)
        except KeyboardInterrupt:
            return replace(trial, stopped="interrupted before anything was predicted")
        if not known.cached:  # a first calibration is no part of the budget
            clock = _Clock(wish.budget_s)
        trial = _predicted(trial, wish, known)
        observe(Step(text="predicted", left_s=clock.left_s(), shown=show.table(trial)))
        return _measured(trial, work, home, known, clock=clock, observe=observe)


class _Clock:
    """The time that is left of a budget from now on."""

    def __init__(self, budget_s: float) -> None:
        self.budget_s, self._began = budget_s, now()

    def left_s(self) -> float:
        return max(0.0, self.budget_s - (now() - self._began))


_NOTHING = Calibration(machine="", costs=(), failed={})


def _unknown(seen: Look) -> Verdict:
    return Verdict(use="", cpus=1, sentences=(f"Not decided: {seen.name} was only looked at.",))


def _collect(items: Iterable[Any]) -> list[Any]:
    return inputs.collect(items, "inputs")


def _check(wish: Wish) -> None:
    usable = machine.usable_cpus()
    for count in wish.cpus:
        if not 1 <= count <= usable:
            raise BadSettings(f"--cpus {count}: {usable} cores are usable here; for more, --on {count} predicts")
    if any(count < 1 for count in wish.elsewhere):
        raise BadSettings("--on: expected numbers of cores, at least 1")
    if wish.budget_s <= 0:
        raise BadSettings(f"--budget {wish.budget_s:g}s: expected a time above 0, e.g. 60s")
    choose(wish.backends)


def _predicted(trial: Trial, wish: Wish, known: Calibration) -> Trial:
    seen = trial.look
    names = [name for name in choose(wish.backends) if wish.backends or name not in RAYS or name == _ray(seen)]
    here = predict(seen, known, names, wish.cpus or (seen.cpus,))
    there = predict(seen, known, [name for name in names if name != LIBRARY], wish.elsewhere)
    there = [replace(one, elsewhere=True) for one in there]
    said = [f"{name} could not be calibrated: {why}" for name, why in known.failed.items() if name in names]
    trial = replace(trial, predictions=(*here, *there), problems=(*trial.problems, *said))
    return _concluded(trial, known, tuple(_option(one) for one in here))


def _ray(seen: Look) -> str:
    return RAY_BATCHED if seen.mean_s < BATCHED_BELOW_S else RAY


def _concluded(trial: Trial, known: Calibration, options: tuple[Option, ...]) -> Trial:
    there = [one for one in trial.predictions if one.elsewhere]
    return replace(trial, options=options, verdict=verdict.conclude(trial.look, options, known, elsewhere=there))


def _option(one: Prediction) -> Option:
    low, high = one.speedup_interval
    return Option(
        backend=one.backend,
        cpus=one.cpus,
        seconds=one.seconds,
        base_s=one.base_s,
        low=low,
        high=high,
        start_s=one.start_s,
        told=False,
        shown=one.shown,
    )


def _measured(trial: Trial, work: Work, home: Home, known: Calibration, *, clock: "_Clock", observe: Observer) -> Trial:
    effort = Effort(budget_s=clock.left_s())
    cells = plausible(trial, work, effort)
    if not cells:
        why = "nothing here is predicted to be near the sequential baseline, or one round takes longer than the budget"
        return replace(trial, stopped=f"not measured: {why}")
    rows = measure(work, trial.look, cells, home, effort=effort, observe=observe)
    trial = replace(trial, rows=rows, stopped="interrupted: fewer rounds than planned" if rows.interrupted else "")
    told = tuple(_told(one, trial, known) for one in rows.backends if one.rounds)
    failed = tuple(f"{one.backend} on {one.cpus} cores: {one.reason}" for one in rows.backends if one.reason)
    trial = replace(trial, problems=(*trial.problems, *failed))
    if not rows.base_s and rows.backends:
        return replace(trial, verdict=_fails(trial, failed[0]))
    if not told:
        return replace(trial, stopped=trial.stopped or "not measured: no backend gave a number")
    return _concluded(trial, known, told)


def _fails(trial: Trial, reason: str) -> Verdict:
    """Say that the baseline fails on an item that was not looked at; tasks are numbered as the items they are."""
    named = re.sub(r"\btask (\d+)", lambda found: f"item {trial.rows.indices[int(found.group(1))]}", reason)
    return Verdict(use="", cpus=1, sentences=(f"Cannot tell: the sequential baseline fails: {named}.",))


def plausible(trial: Trial, work: Work, effort: Effort) -> list[tuple[str, int]]:
    """Choose what to measure: what may be near the best by its prediction, as much as the budget has room for."""
    here = sorted((one for one in trial.predictions if not one.elsewhere), key=lambda one: one.seconds)
    wanted = [one for one in here if one.speedup_interval[1] >= HOPELESS][:MOST_CELLS]
    if not wanted:
        return []
    count = len(subset(trial.look, work.items, max(one.cpus for one in wanted), effort))
    share = count / trial.look.count
    while wanted:
        round_s = share * (trial.look.total_s + sum(one.seconds for one in wanted))
        if sum(one.start_s for one in wanted) + FEWEST_ROUNDS * round_s <= effort.budget_s or len(wanted) == 1:
            break
        wanted.pop()
    if FEWEST_ROUNDS * share * trial.look.total_s > effort.budget_s:
        return []
    return [(one.backend, one.cpus) for one in wanted]


def _told(one: Measured, trial: Trial, known: Calibration) -> Option:
    """Turn what was measured on some items into all of them: the uneven end weighs less on a longer list."""
    seen, rows = trial.look, trial.rows
    base_s = rows.base_s / len(rows.indices) * seen.count
    cost = known.of(one.backend)
    factor = 1.0
    if cost is not None:
        alone = tasks(seen, seen.task_s(len(rows.indices)), cost)
        everything = next(
            p for p in trial.predictions if (p.backend, p.cpus, p.elsewhere) == (one.backend, one.cpus, False)
        )
        factor = everything.speedup / (sum(alone.seconds) / predictor.seconds(alone, cost, one.cpus))
    started = one.start_s if one.start_s is not None else (cost.start_s if cost else 0.0)
    return Option(
        backend=one.backend,
        cpus=one.cpus,
        seconds=base_s / (one.speedup * factor),
        base_s=base_s,
        low=one.low * factor,
        high=one.high * factor,
        start_s=started,
        told=True,
    )
