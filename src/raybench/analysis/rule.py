"""The documented rule of parallel efficiency: on which side of its band the cells lie."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from raybench.analysis.speedup import BAND
from raybench.model.estimate import Estimate, Row


class Side(StrEnum):
    """Where a whole interval lies; undecided where it crosses an edge of the band."""

    BELOW = "below"
    INSIDE = "inside"
    ABOVE = "above"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """How many cells lie on each side of the band."""

    below: int = 0
    inside: int = 0
    above: int = 0
    undecided: int = 0

    @property
    def total(self) -> int:
        """Return the number of cells."""
        return self.below + self.inside + self.above + self.undecided


def sides(rows: Iterable[Row], keys: Sequence[str]) -> Sides:
    """Count the parallel cells among `keys` by the side on which their efficiency lies."""
    wanted = set(keys)
    found = [row.efficiency for row in rows if row.cell.key in wanted and row.cell.cpus > 1]
    return Sides(**Counter(str(side(estimate)) for estimate in found if estimate is not None))


def side(estimate: Estimate) -> Side:
    """Say on which side of the documented band a whole interval lies."""
    if estimate.high < BAND[0]:
        return Side.BELOW
    if estimate.low > BAND[1]:
        return Side.ABOVE
    return Side.INSIDE if estimate.low >= BAND[0] and estimate.high <= BAND[1] else Side.UNDECIDED
