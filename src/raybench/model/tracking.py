"""What a check of an experiment tracker found: counts of what a run logs, and promoted models that were loaded again.

Nothing here knows the tracker; `tracking` asks it, the claims read what it said.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from raybench.model.plan import SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One cell in the tracker. expected, found : how many by kind of entry, e.g. `trials`, `params`, `metrics`."""

    cell: str  # Cell.key
    expected: Mapping[str, int]
    found: Mapping[str, int]

    @property
    def share(self) -> float:
        """Return the least agreement of two counts, 0 to 1; an entry too many is as wrong as a missing one."""
        pairs = [(count, self.found.get(kind, 0)) for kind, count in self.expected.items()]
        return min((min(pair) / max(pair) for pair in pairs if max(pair)), default=1.0)

    def words(self) -> str:
        """Write the counts: `8 of 8 trials, 40 of 40 metrics`."""
        return ", ".join(f"{self.found.get(kind, 0)} of {count} {kind}" for kind, count in self.expected.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A promoted model, loaded again by its address.

    uri : e.g. `models:/rf_hpo@champion`. better : trials of the run with a smaller validation error than its own.
    rows : predicted by both the model that was promoted and the loaded one; equal : of them, the same number.
    """

    workload: str
    uri: str
    version: str
    better: int
    rows: int
    equal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingCheck:
    """What was found in the tracker of one run. checked : `clock.calendar_stamp()`; tracker : library and version."""

    checked: str
    tracker: str
    counted: tuple[Counted, ...] = ()
    loaded: tuple[LoadedModel, ...] = ()
    schema: int = SCHEMA
