"""What a claim is: a sentence, a quantity, the cells it is about, and a band for the number."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from raybench.model import units


class ClaimKind(StrEnum):
    """What a sentence says of its cells, and therefore how it is judged: see `claims.verdict`."""

    UNIVERSAL = "universal"
    TYPICAL = "typical"
    EXISTENCE = "existence"
    QUESTION = "question"


@dataclass(frozen=True, slots=True, kw_only=True)
class Select:
    """Which cells a quantity is about; controls of the harness never are. Empty means any.

    workloads, backends : names or patterns (`ray_*`). tags, backend_tags : the spec must carry all of them.
    without : workload tags, none of which it may carry.
    cpus, tasks, seconds : conditions on P, on the number of tasks and on the sequential time: `2`, `>1`, `>=100`; for
        P also `max`, the most that the run used.
    compute_bound : only workloads whose sequential baseline computes nearly all of its time, in tasks long enough to
        be handed out: see `selection.is_compute_bound`.
    logical: cells on logical CPUs too, where tasks only wait; else cells on cores alone.
    """

    workloads: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    backend_tags: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    cpus: str = ""
    tasks: str = ""
    seconds: str = ""
    compute_bound: bool = False
    logical: bool = False

    def words(self) -> str:
        """Write the selection as a reader would look for it in the table of cells."""
        lists = (
            ("workloads", self.workloads),
            ("backends", self.backends),
            ("tags", self.tags),
            ("backend tags", self.backend_tags),
            ("without", self.without),
        )
        told = [f"{name} {', '.join(values)}" for name, values in lists if values]
        told += [
            f"{name} {value}"
            for name, value in (("P", self.cpus), ("tasks", self.tasks), ("seconds", self.seconds))
            if value
        ]
        told += ["compute-bound"] if self.compute_bound else []
        told += ["logical CPUs"] if self.logical else []
        return "; ".join(told) or "all cells"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One quantity over some cells, with its band; `say` names it where it is shown beside another.

    cold : with start-up, imports and shutdown; else warm. given : further arguments of the quantity.
    low, high : of the band, both inclusive; an open side is infinite. Both infinite: shown, not judged.
    figure : the edge is a single documented figure, which may be off by a tenth.
    """

    quantity: str
    select: Select = field(default_factory=Select)
    cold: bool = False
    given: Mapping[str, Any] = field(default_factory=dict)
    low: float = -math.inf
    high: float = math.inf
    say: str = ""
    figure: bool = False

    def band(self, unit: str) -> str:
        """Write the band in words."""
        low, high = (exact(edge, unit) for edge in (self.low, self.high))
        if self.low == self.high:
            return low
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"{low} to {high}"
        tolerance = " within 10 %" if self.figure else ""
        return f"at least {low}{tolerance}" if math.isfinite(self.low) else f"at most {high}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A documented sentence and its test. All of `parts` must hold; `context` is shown only.

    section : where in the source the sentence is: the row of the table of sources.
    kind : what the sentence says of its cells.
    documented : the published figure. instead : how the test differs from what the sentence asks for.
    emulated : where no part has a number, these have one on logical CPUs: it is EMULATED, never a verdict.
    untestable : why no data of this project can decide it; then `parts` is empty.
    needs : what is missing where no cell is selected. where : file and line.
    """

    id: str
    source: str
    statement: str
    kind: ClaimKind = ClaimKind.UNIVERSAL
    section: str = ""
    parts: tuple[Part, ...] = ()
    context: tuple[Part, ...] = ()
    emulated: tuple[Part, ...] = ()
    documented: str = ""
    instead: str = ""
    note: str = ""
    needs: str = ""
    untestable: str = ""
    where: str = ""


def exact(value: float, unit: str) -> str:
    """Write an exact value of a unit."""
    if unit == "s":
        return units.duration(value)
    if unit == "B":
        return units.amount(value)
    if unit == "%":
        return f"{units.plain(100 * value)} %"
    return f"{units.plain(value)}{unit if unit == 'x' else '' if unit in ('', 'share') else f' {unit}'}"
