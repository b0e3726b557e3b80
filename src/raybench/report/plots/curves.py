"""What the figures against cores share: estimates by workload, backend and P, and their points with error bars."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from raybench.model.estimate import Estimate, Row
from raybench.report.plots.canvas import MOST_PANELS, errors, look, plain_text

Points = tuple[tuple[int, Estimate], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """By workload and backend the points (P, estimate), by rising P. workloads : also those beyond the panels."""

    workloads: int
    panels: tuple[tuple[str, Mapping[str, Points]], ...]
    backends: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Return the titles of the panels."""
        return [plain_text(name) for name, _ in self.panels]

    @property
    def sizes(self) -> list[int]:
        """Return the n of every point."""
        return [estimate.n for _, lines in self.panels for points in lines.values() for _, estimate in points]


def curves(rows: Iterable[Row], pick: Callable[[Row], Estimate | None]) -> Curves | None:
    """Arrange one number of every row that has it; controls are no backend of anybody."""
    found: dict[str, dict[str, list[tuple[int, Estimate]]]] = {}
    for row in rows:
        value = pick(row)
        if value is not None and not row.cell.backend.is_control:
            lines = found.setdefault(row.cell.workload.name, {})
            lines.setdefault(row.cell.backend.name, []).append((row.cell.cpus, value))
    backends = tuple(dict.fromkeys(backend for lines in found.values() for backend in lines))
    made = tuple(
        (name, {backend: tuple(sorted(points, key=lambda point: point[0])) for backend, points in lines.items()})
        for name, lines in found.items()
    )
    return Curves(workloads=len(made), panels=made[:MOST_PANELS], backends=backends) if made else None


def counts(lines: Mapping[str, Points]) -> list[int]:
    """List the numbers of cores of a panel."""
    return sorted({cpus for points in lines.values() for cpus, _ in points})


def draw_points(
    place: Axes, data: Curves, lines: Mapping[str, Points], shifted: Callable[[int, float], float]
) -> dict[str, Any]:
    """Draw a panel's points with intervals, joined because P is ordered; give the handles of the legend.

    shifted : from P and a backend's distance from the middle one to its place, so that points stand side by side.
    """
    handles = {}
    for backend, points in lines.items():
        at = data.backends.index(backend)
        aside = at - (len(data.backends) - 1) / 2
        handles[plain_text(backend)] = place.errorbar(
            [shifted(cpus, aside) for cpus, _ in points], [e.point for _, e in points],
            yerr=errors([e for _, e in points]), markersize=5, linewidth=1, capsize=2.5, zorder=3, **look(at),
        )  # fmt: skip
    return handles
