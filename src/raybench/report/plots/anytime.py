"""Best validation loss so far against the wall clock, from before the backend starts."""

import itertools
import math
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from raybench.analysis.anytime import Anytime, Axis
from raybench.analysis.results import Findings
from raybench.model.estimate import Estimate
from raybench.report.plots.canvas import MOST_PANELS, Plot, beyond, legend, look, panels, plain_text, sample_sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """By workload, the curves of its cells."""

    workloads: int  # all there are, also those beyond the panels
    panels: tuple[tuple[str, tuple[Anytime, ...]], ...]


def series(findings: Findings) -> Series | None:
    """Take the curves over the wall clock."""
    found: dict[str, list[Anytime]] = {}
    for curve in findings.anytime:
        if curve.axis is Axis.WALL and any(math.isfinite(e.point) for e in curve.loss):
            found.setdefault(curve.cell.workload.name, []).append(curve)
    made = tuple((name, tuple(curves)) for name, curves in found.items())
    return Series(workloads=len(made), panels=made[:MOST_PANELS]) if made else None


def draw(data: Series, figure: Figure) -> None:
    """Draw steps, because a loss holds until the next report; the band is the interval over blocks."""
    axes = panels(figure, [plain_text(name) for name, _ in data.panels], columns=2, width=4.8, height=3.4)
    handles: dict[str, Any] = {}
    for place, (_, curves) in zip(axes, data.panels, strict=True):
        for at, curve in enumerate(curves):
            style = look(at)
            shown = _changes(curve)
            x, estimates = [x for x, _ in shown], [e for _, e in shown]
            name = plain_text(f"{curve.cell.backend.name}, P={curve.cell.cpus}")
            handles[name] = place.plot(
                x, [e.point for e in estimates], drawstyle="steps-post", linewidth=1.2, color=style["color"],
                dashes=style["dashes"], marker=style["marker"], markersize=4, markevery=[0, -1],
            )[0]  # fmt: skip
            bounded = [e if math.isfinite(e.low) and math.isfinite(e.high) else None for e in estimates]
            place.fill_between(
                x, [e.low if e else math.nan for e in bounded], [e.high if e else math.nan for e in bounded],
                step="post", color=style["color"], alpha=0.15, linewidth=0,
            )  # fmt: skip
        place.set_xlabel("seconds since before the backend starts")
        place.set_ylabel("best validation loss")
    legend(figure, handles)


def _changes(curve: Anytime) -> list[tuple[float, Estimate]]:
    """Keep the points at which something changes, and the last: a step holds in between."""
    points = [(x, e) for x, e in zip(curve.spent, curve.loss, strict=True) if math.isfinite(e.point)]
    kept = [points[0]] + [now for before, now in itertools.pairwise(points) if now[1] != before[1]]
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def caption(data: Series) -> str:
    counts = [curve.n for _, curves in data.panels for curve in curves]
    return (
        "Best validation loss so far against the wall clock, cold: start-up and warm-up included, a shared head's "
        f"start too. Median with 95 % rank interval, {sample_sizes(counts)}; base: the loops beside it. Lines end "
        "where the search ends." + beyond(data.workloads)
    )


PLOT = Plot(name="anytime", title="Error over time", section="deltas", series=series, draw=draw, caption=caption)
