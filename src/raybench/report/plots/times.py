"""Time against cores on logarithmic axes, warm: the base's ideal line and every cell that did the same work."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from raybench.analysis.results import Findings
from raybench.model.estimate import Estimate
from raybench.report.plots.canvas import Plot, beyond, legend, panels, sample_sizes, seconds_axis
from raybench.report.plots.curves import Curves, counts, curves, draw_points


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Seconds of every cell, and of the base by workload."""

    curves: Curves
    bases: Mapping[str, Estimate]


def series(findings: Findings) -> Series | None:
    """Take every row with a speedup, whose base is therefore known."""
    rows = [row for row in findings.rows if row.speedup is not None]
    found = curves(rows, lambda row: row.makespan if row.base else None)
    bases = {row.cell.workload.name: row.base for row in rows if row.base is not None}
    return Series(curves=found, bases=bases) if found else None


def draw(data: Series, figure: Figure) -> None:
    """Draw one panel per workload."""
    handles: dict[str, Any] = {}
    for place, (name, lines) in zip(panels(figure, data.curves.names), data.curves.panels, strict=True):
        cores = sorted({1, *counts(lines)})
        ideal = [data.bases[name].point / p for p in cores]
        handles["ideal: base / P"] = place.plot(cores, ideal, color="#444444", linewidth=1, zorder=1)[0]
        handles |= draw_points(place, data.curves, lines, lambda cpus, aside: cpus * (1 + 0.02 * aside))
        place.set_xscale("log", base=2)
        place.set_yscale("log")
        place.set_xticks(cores, [str(count) for count in cores])
        place.xaxis.set_minor_formatter(NullFormatter())
        place.set_xlim(min(cores) / 1.2, max(cores) * 1.2)
        seconds_axis(place, "y")
        place.set_xlabel("cores P")
        place.set_ylabel("time")
    legend(figure, handles)


def caption(data: Series) -> str:
    return (
        "Time against cores, warm, strong scaling, both axes logarithmic. Points: median makespan with 95 % rank "
        f"interval, {sample_sizes(data.curves.sizes)}. Line: the base, the one-thread sequential loop, divided by P."
        + beyond(data.curves.workloads)
    )


PLOT = Plot(name="time", title="Time against cores", section="cells", series=series, draw=draw, caption=caption)
