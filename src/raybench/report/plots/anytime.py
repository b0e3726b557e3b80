"""How far each search is from the best model, against the wall clock from before the backend starts."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from raybench.analysis.anytime import Anytime, Axis
from raybench.analysis.results import Findings
from raybench.model.estimate import Estimate
from raybench.model.plan import Role
from raybench.report.plots.canvas import MOST_PANELS, Plot, beyond, legend, look, panels, plain_text, sample_sizes

MOST_LINES = 6
FLOOR = 1e-4  # a smaller regret is drawn there: nobody acts on a hundredth of a percent
TICKS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """By workload, the curves of its cells and the best loss of all."""

    workloads: int  # all there are, also those beyond the panels
    panels: tuple[tuple[str, float, tuple[Anytime, ...]], ...]

    @property
    def backends(self) -> list[str]:
        """Return every backend once, in order of appearance: its colour is the same in all panels."""
        return list(dict.fromkeys(curve.cell.backend.name for _, _, curves in self.panels for curve in curves))


def series(findings: Findings) -> Series | None:
    """Take the curves over the wall clock: the sequential baseline, and the backends on most cores."""
    found: dict[str, list[Anytime]] = {}
    for curve in findings.anytime:
        finite = any(math.isfinite(e.point) for e in curve.loss)
        if curve.axis is Axis.WALL and finite and not _is_aside(curve):
            found.setdefault(curve.cell.workload.name, []).append(curve)
    made = []
    for name, curves in found.items():
        most = max(curve.cell.cpus for curve in curves)
        shown = [c for c in curves if c.cell.cpus == most or c.cell.backend.role is Role.BASELINE][:MOST_LINES]
        best = min(curve.best for curve in shown)
        if shown and best > 0:
            made.append((name, best, tuple(shown)))
    return Series(workloads=len(made), panels=tuple(made[:MOST_PANELS])) if made else None


def draw(data: Series, figure: Figure) -> None:
    """Draw steps, because a loss holds until the next report; the band is the interval over blocks."""
    axes = panels(figure, [plain_text(name) for name, _, _ in data.panels], columns=3, width=3.5, height=3.1)
    handles: dict[str, Any] = {}
    for place, (_, best, curves) in zip(axes, data.panels, strict=True):
        for curve in curves:
            style = look(data.backends.index(curve.cell.backend.name))
            shown = _changes(curve.regret(best))
            x = [x for x, _ in shown]
            handles[plain_text(curve.cell.backend.name)] = place.plot(
                x, [_drawn(e.point) for _, e in shown], drawstyle="steps-post", linewidth=1.3,
                color=style["color"], dashes=style["dashes"], marker=style["marker"], markersize=5, markevery=[-1],
            )[0]  # fmt: skip
            place.fill_between(
                x, [_drawn(e.low) for _, e in shown], [_drawn(e.high) for _, e in shown],
                step="post", color=style["color"], alpha=0.12, linewidth=0,
            )  # fmt: skip
        place.set_yscale("log")
        place.set_ylim(bottom=FLOOR * 0.8)
        place.yaxis.set_major_locator(FixedLocator(TICKS))
        place.yaxis.set_minor_locator(NullLocator())
        place.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
        place.set_xlim(left=0)
        place.set_xlabel("seconds from a cold start")
        place.set_ylabel("loss above the best")
    legend(figure, handles, columns=3)


def _is_aside(curve: Anytime) -> bool:
    return curve.cell.backend.is_control or curve.cell.backend.role in (Role.COLD_START, Role.DOCUMENTED)


def _drawn(regret: float) -> float:
    """Return where a regret is drawn; NaN where it is not finite."""
    return max(regret, FLOOR) if math.isfinite(regret) else math.nan


def _changes(points: Sequence[tuple[float, Estimate]]) -> list[tuple[float, Estimate]]:
    """Keep the points at which something changes, and the last: a step holds in between."""
    kept = [points[0]] + [now for before, now in itertools.pairwise(points) if now[1] != before[1]]
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def caption(data: Series) -> str:
    counts = [curve.n for _, _, curves in data.panels for curve in curves]
    return (
        "Best validation loss so far, above the best of all lines in the panel, against the wall clock, cold: start-up "
        f"included, a shared head's start too. Median with 95 % rank interval, {sample_sizes(counts)}; base: the "
        f"sequential baseline. A mark ends each search; {100 * FLOOR:g} % is drawn for less." + beyond(data.workloads)
    )


PLOT = Plot(
    name="anytime", title="Error over time", section="deltas", series=series, draw=draw, caption=caption, brief=True
)
