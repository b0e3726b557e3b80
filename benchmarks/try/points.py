"""What the benchmark of `raybench try` records: trials of functions and predictions beside what was measured."""

import math
from dataclasses import dataclass, replace

from raybench.analysis.predictor import LEVEL, Parts, Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One prediction of a warm speedup and what was measured on the same items.

    blind : what is predicted without knowing how tasks slow each other down, as for twice as many cores as were seen;
    parts : causes of error of `predicted`.
    """

    function: str
    backend: str
    cpus: int
    predicted: float
    blind: float
    parts: Parts
    measured: float

    @property
    def error(self) -> float:
        """Return predicted time / measured time - 1."""
        return self.measured / self.predicted - 1

    @property
    def log_error(self) -> float:
        """Return the log of predicted time / measured time."""
        return math.log(self.measured / self.predicted)

    def as_blind(self) -> "Point":
        """Return the prediction as if its cores had been seen half."""
        return replace(self, predicted=self.blind, parts=replace(self.parts, doubling=1.0))

    def half_width(self, spread: Spread) -> float:
        """Return half of the 90 % interval on the log scale."""
        return LEVEL * spread.sd(self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to run all items: measured seconds, its start included."""

    backend: str
    cpus: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One function: what `raybench try` said as a user meets it, and what was measured afterwards, apart from it.

    table_s : seconds from the start to the first table of predictions; None where there was none. whole_s : to the end.
    ways : what was measured, the sequential baseline first.
    """

    function: str
    task_s: float
    count: int
    use: str
    cpus: int
    sentence: str
    table_s: float | None
    whole_s: float
    ways: tuple[Way, ...]
    points: tuple[Point, ...]

    @property
    def base_s(self) -> float:
        """Return the sequential baseline's seconds."""
        return self.ways[0].seconds

    @property
    def best(self) -> Way:
        """Return the way that took least time."""
        return min(self.ways, key=lambda way: way.seconds)

    @property
    def chosen(self) -> Way | None:
        """Return the way that was chosen; None where it was not measured."""
        return next((way for way in self.ways if (way.backend, way.cpus) == (self.use, self.cpus)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run of the benchmark. host : machine, cores and when, for the table's first line."""

    machine: str
    cpus: int
    began: str
    outcomes: tuple[Outcome, ...]

    @property
    def points(self) -> tuple[Point, ...]:
        """Return all predictions that were measured."""
        return tuple(point for one in self.outcomes for point in one.points)
