"""What goes to the tracking store, free of MLflow: a tree of entries with parameters, metrics, tags and files."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of a metric. at_ms : milliseconds since 1970, from the raw data, so that none is told twice."""

    name: str
    value: float
    step: int
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One run of the tracking store.

    key : names it within the store for ever; tracking it again finds it by this.
    content : a hash over the raw lines that it tells; where it has changed, the entry is told again.
    files : path within the run -> content.
    """

    key: str
    name: str
    content: str
    began_ms: int
    ended_ms: int
    params: Mapping[str, str] = field(default_factory=dict)
    values: tuple[Value, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    children: tuple["Entry", ...] = ()

    @property
    def finite(self) -> tuple[Value, ...]:
        """Return the values that are numbers: stores differ in what they make of the others."""
        return tuple(value for value in self.values if math.isfinite(value.value))

    @property
    def not_finite(self) -> tuple[str, ...]:
        """Return the names of the metrics with a value that is no finite number."""
        return tuple(sorted({value.name for value in self.values if not math.isfinite(value.value)}))

    def walk(self) -> Iterator["Entry"]:
        """Yield this entry and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()
