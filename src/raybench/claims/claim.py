"""What a claim is: a sentence, a quantity, the cells it is about, and a band for the number."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from raybench.model import units


@dataclass(frozen=True, slots=True, kw_only=True)
class Select:
    """Which cells a quantity is about; controls of the harness never are. Empty means any.

    workloads, backends : names or patterns (`ray_*`). tags, backend_tags : the spec must carry all of them.
    without : workload tags, none of which it may carry.
    cpus, tasks : conditions on P and on the number of tasks: `2`, `>1`, `>=100`; for P also `max`, the most that
        the run used.
    """

    workloads: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    backend_tags: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    cpus: str = ""
    tasks: str = ""

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
        told += [f"{name} {value}" for name, value in (("P", self.cpus), ("tasks", self.tasks)) if value]
        return "; ".join(told) or "all cells"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One quantity over some cells, with its band; `say` names it where it is shown beside another.

    cold : with start-up, imports and shutdown; else warm. given : further arguments of the quantity.
    low, high : of the band, both inclusive; an open side is infinite. Both infinite: shown, not judged.
    """

    quantity: str
    select: Select = field(default_factory=Select)
    cold: bool = False
    given: Mapping[str, Any] = field(default_factory=dict)
    low: float = -math.inf
    high: float = math.inf
    say: str = ""

    @property
    def edges(self) -> tuple[float, ...]:
        """Return the finite ends of the band."""
        return tuple(edge for edge in (self.low, self.high) if math.isfinite(edge))

    def band(self, unit: str) -> str:
        """Write the band in words."""
        low, high = (exact(edge, unit) for edge in (self.low, self.high))
        if self.low == self.high:
            return low
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"{low} to {high}"
        return f"at least {low}" if math.isfinite(self.low) else f"at most {high}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A documented sentence and its test. All of `parts` must hold; `context` is shown only.

    documented : the published figure. untestable : why no data of this project can decide it; then `parts` is empty.
    needs : what is missing where no cell is selected. where : file and line.
    """

    id: str
    source: str
    statement: str
    parts: tuple[Part, ...] = ()
    context: tuple[Part, ...] = ()
    documented: str = ""
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
