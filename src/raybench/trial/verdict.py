"""The verdict in words: which backend to use, from how many tasks on it pays, or why not to distribute."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from raybench.analysis.predictor import least_task_s
from raybench.model.units import amount, duration, plain
from raybench.trial.backends import COSTED, LIBRARY, SEQUENTIAL, THREADS, shown
from raybench.trial.calibrate import Calibration
from raybench.trial.look import Look
from raybench.trial.predict import Prediction

TIED = 1.03  # of two so near each other the one that starts sooner is chosen
WORTH = 1.05  # a speedup below it is not worth a word
RANK = (LIBRARY, *COSTED)
ENOUGH = 1e9  # tasks: nobody has more
UNCERTAIN = (
    "Not decided, so run it sequentially: nothing was measured, and no prediction is certain enough to be shown; "
    "a larger --budget measures."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way to run all items. seconds : warm, of all; start_s : more where its workers are not up yet.

    low, high : interval of the warm speedup. told : it was measured, not only predicted. shown : the prediction is
    certain enough to be shown.
    """

    backend: str
    cpus: int
    seconds: float
    base_s: float
    low: float
    high: float
    start_s: float
    told: bool
    shown: bool = True

    @property
    def speedup(self) -> float:
        """Return the warm speedup over the sequential baseline."""
        return self.base_s / self.seconds

    @property
    def cold_speedup(self) -> float:
        """Return the speedup over the sequential baseline of somebody who starts from nothing."""
        return self.base_s / (self.seconds + self.start_s)

    def pays_from(self, count: int) -> float:
        """Return the number of such tasks from which on it is faster than the baseline, its start included."""
        saved_s = (self.base_s - self.seconds) / count
        return math.ceil(self.start_s / saved_s * (1 - 1e-12)) if saved_s > 0 else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The sentences, the first one the verdict. use : the backend; 'sequential' where nothing is to be distributed."""

    use: str
    cpus: int
    sentences: tuple[str, ...]


def conclude(look: Look, options: Sequence[Option], known: Calibration, *, elsewhere: Sequence[Prediction]) -> Verdict:
    """Choose, and say why. options : measured, where nothing was measured predicted ones."""
    if look.failure:
        return Verdict(use="", cpus=1, sentences=(f"Cannot tell: {look.failure}.",))
    if look.count == 1:
        return Verdict(use=SEQUENTIAL, cpus=1, sentences=("Do not distribute: there is one item, so one task.",))
    best = choose(options, look.count)
    open_one = _undecided(options) if best is None else None
    if any(one is not None and not one.shown for one in (best, open_one)):
        best, first, chosen, cpus = None, UNCERTAIN, SEQUENTIAL, 1
    elif open_one is not None:
        first, chosen, cpus = _not_decided(open_one), SEQUENTIAL, 1
    elif best is None:
        first = f"Do not distribute: {reason(look, options, known)}."
        chosen, cpus = SEQUENTIAL, 1
    elif best.pays_from(look.count) > look.count:
        first = (
            f"Do not distribute these {look.count} tasks alone: {shown(best.backend)} starts in "
            f"{duration(best.start_s)} and saves {duration(best.base_s - best.seconds)}; it {_pays(best, look)}."
        )
        chosen, cpus = SEQUENTIAL, 1
    else:
        first, chosen, cpus = _use(best, look), best.backend, best.cpus
    others = [_other(one, look) for one in _families(options) if best and one.backend != best.backend and _is_good(one)]
    return Verdict(use=chosen, cpus=cpus, sentences=(first, *others, *_elsewhere(look, known, elsewhere)))


def choose(options: Iterable[Option], count: int) -> Option | None:
    """Return the way that takes least time for so many tasks, its start included; None where none beats the baseline.

    Where no start pays for so few tasks: the fastest way once its workers are up, among equals the first to start.
    """
    good = [one for one in options if _is_good(one)]
    paying = [one for one in good if one.pays_from(count) <= count]
    if paying:
        return min(paying, key=lambda one: (one.seconds + one.start_s, RANK.index(one.backend), one.cpus))
    ranked = sorted(good, key=lambda one: one.seconds)
    near = [one for one in ranked if one.seconds <= TIED * ranked[0].seconds]
    return min(near, key=lambda one: (RANK.index(one.backend), one.cpus)) if near else None


def _undecided(options: Iterable[Option]) -> Option | None:
    """Return the best way of those that may be faster than the sequential baseline and may not."""
    found = [one for one in options if one.speedup >= WORTH and one.low <= 1]
    return max(found, key=lambda one: one.speedup, default=None)


def _not_decided(one: Option) -> str:
    """Say what may pay, and that more time would tell."""
    ends = f"between {plain(one.low)}x and {plain(one.high)}x" if math.isfinite(one.high) else "from too few rounds"
    how = "measured" if one.told else "predicted"
    found = f"{_name(one)} is {how} at {plain(one.speedup)}x, {ends}"
    return f"Not decided, so run it sequentially: {found}; a larger --budget tells."


def _is_good(one: Option) -> bool:
    return one.low > 1 and one.speedup >= WORTH


def reason(look: Look, options: Sequence[Option], known: Calibration) -> str:
    """Say what decides against distributing."""
    if not look.processes:
        return "its results cannot leave their process, and threads do not run it faster"
    cheapest = min(
        (cost for cost in known.costs if cost.backend != THREADS), key=lambda cost: cost.task_s, default=None
    )
    gain = look.facts.threads_gain if look.facts else None
    moved = look.bytes_in + look.bytes_out
    if gain is not None and gain > 1.3:
        return (
            f"library threads already use the cores: the sequential baseline with {look.cpus} library threads is "
            f"{plain(gain)} times as fast as with one"
        )
    if cheapest is not None and cheapest.byte_s * moved > max(cheapest.task_s, 0.2 * look.mean_s):
        which = "results" if look.bytes_out > look.bytes_in else "items"
        return (
            f"the {which} are too large: moving {amount(round(moved))} takes about "
            f"{duration(cheapest.byte_s * moved)}, the task itself {duration(look.mean_s)}"
        )
    if cheapest is not None and cheapest.task_s * cheapest.workers > 0.3 * look.mean_s:
        return (
            f"tasks of {duration(look.mean_s)} are too short: {shown(cheapest.backend)}, the cheapest, needs "
            f"{duration(cheapest.task_s)} for an empty one; put several items into one task"
        )
    if look.slowdown > 1.4:
        return f"two calls at once take {plain(look.slowdown)} times as long each: the cores share what limits them"
    if options and all(one.backend == THREADS for one in options):
        return "threads, all that was tried, are not faster than the sequential baseline"
    best = max((one.speedup for one in options), default=1.0)
    return f"nothing was found to be faster than the sequential baseline (the best: {plain(best)}x)"


def _use(best: Option, look: Look) -> str:
    kind = "" if best.told else " (predicted, not measured)"
    if best.backend == LIBRARY:
        return (
            f"Run it sequentially with {best.cpus} library threads: {plain(best.speedup)}x faster than with one{kind}."
        )
    waits = f"; its tasks wait {100 * look.waiting:.0f} % of their time" if look.waiting > 0.5 else ""
    faster = f"{plain(best.speedup)}x faster once its workers are up{kind}{waits}"
    return f"Use {_name(best)}: {faster}; it {_pays(best, look)} (start {duration(best.start_s)})."


def _pays(option: Option, look: Look) -> str:
    count = option.pays_from(look.count)
    return f"pays from {int(count)} tasks of this size on" if count < ENOUGH else "never pays"


def _other(option: Option, look: Look) -> str:
    """Say from when on another backend would pay."""
    name = shown(option.backend)
    count = option.pays_from(look.count)
    start = duration(option.start_s)
    return f"{name[:1].upper()}{name[1:]} would pay from {int(count)} tasks of this size on (start {start})."


def _name(option: Option) -> str:
    return f"{shown(option.backend)} on {option.cpus} core{'s' if option.cpus > 1 else ''}"


def _families(options: Sequence[Option]) -> list[Option]:
    """Return the best option of each backend."""
    found: dict[str, Option] = {}
    for one in sorted(options, key=lambda one: one.seconds):
        found.setdefault(one.backend, one)
    return [one for one in found.values() if one.backend != LIBRARY]


def _elsewhere(look: Look, known: Calibration, predictions: Sequence[Prediction]) -> list[str]:
    """Say what is predicted for machines with more cores than this one."""
    said = []
    for cpus in sorted({one.cpus for one in predictions}):
        rows = [one for one in predictions if one.cpus == cpus and one.shown]
        if not rows:
            said.append(f"On {cpus} CPUs: no prediction is certain enough to be shown.")
            continue
        shown_rows = ", ".join(
            f"{shown(one.backend)} {plain(one.speedup)}x [{plain(one.speedup_interval[0])}, "
            f"{plain(one.speedup_interval[1])}]"
            for one in rows
        )
        costs = [cost for one in rows if one.backend != THREADS and (cost := known.of(one.backend)) is not None]
        moved = look.bytes_in + look.bytes_out
        least = min((least_task_s(cost, cpus, moved_bytes=moved) for cost in costs), default=None)
        kept = f"; efficiency 0.75 is kept down to tasks of {duration(least)}" if least is not None else ""
        said.append(f"On {cpus} CPUs (PREDICTED, one machine): {shown_rows}{kept}.")
    return said
