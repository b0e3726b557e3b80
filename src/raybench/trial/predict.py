"""What `raybench try` predicts: a time for each backend and P, from a look at the function and a calibration."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from raybench.analysis import predictor
from raybench.analysis.predictor import Cost, Parts, Span, Tasks
from raybench.trial.backends import LIBRARY, THREADS
from raybench.trial.calibrate import Calibration
from raybench.trial.look import Look

MOST_TASKS = 50_000  # scheduled one by one; of more, a sample stands for all


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction(Span):
    """Seconds of all items with their 90 % interval. start_s : more where the backend is not up yet.

    base_s : the sequential baseline's seconds. elsewhere : more cores than this machine has.
    """

    backend: str
    cpus: int
    start_s: float
    base_s: float
    elsewhere: bool = False

    @property
    def shown(self) -> bool:
        """Return whether it may be shown: its interval is narrow, and such predictions keep the limits of error."""
        return self.narrow and predictor.fitted().passes

    @property
    def speedup(self) -> float:
        """Return the warm speedup over the sequential baseline."""
        return self.base_s / self.seconds

    @property
    def speedup_interval(self) -> tuple[float, float]:
        """Return the 90 % interval of the warm speedup."""
        return self.base_s / self.high, self.base_s / self.low


def predict(look: Look, known: Calibration, backends: Sequence[str], cpus: Sequence[int]) -> list[Prediction]:
    """Return a prediction for each backend and each number of cores, as far as they make sense."""
    seconds = look.task_s(MOST_TASKS)
    found = []
    for name in backends:
        cost = known.of(name)
        for count in cpus:
            if name == LIBRARY:
                found += [_threaded(look)] if count == look.cpus and _uses_library(look) else []
            elif cost is not None and (name == THREADS or look.processes) and look.count > 1:
                told = predictor.predict(tasks(look, seconds, cost), cost, count)
                found.append(_all_items(look, told, cost, count, scale=look.count / len(seconds)))
    return found


def tasks(look: Look, seconds: Sequence[float], cost: Cost) -> Tasks:
    """Return what was seen of the function as the predictor takes it; `seconds` of each task, on this backend."""
    return Tasks(
        seconds=seconds,
        moved_bytes=look.bytes_in + look.bytes_out,
        slowdown=look.slowdown,
        cores=look.cpus,
        lock=look.lock if cost.backend == THREADS else 0.0,
        sampled=look.spread / sqrt(len(look.calls)) if len(look.calls) < look.count else 0.0,
    )


def _all_items(look: Look, told: Span, cost: Cost, cpus: int, *, scale: float) -> Prediction:
    return Prediction(
        backend=cost.backend,
        cpus=cpus,
        seconds=scale * told.seconds,
        low=scale * told.low,
        high=scale * told.high,
        parts=told.parts,
        start_s=cost.start_s,
        base_s=look.total_s,
        elsewhere=cpus > look.cpus,
    )


def _uses_library(look: Look) -> bool:
    gain = look.facts.threads_gain if look.facts else None
    return gain is not None and gain > 1.1


def _threaded(look: Look) -> Prediction:
    """Predict the sequential baseline with library threads on all cores from the calls that were looked at."""
    assert look.facts is not None
    assert look.facts.threads_gain is not None
    told = predictor.span(look.total_s / look.facts.threads_gain, Parts())
    free = Cost(backend=LIBRARY, workers=1, task_s=0.0)
    return _all_items(look, told, free, look.cpus, scale=1.0)
