"""Speedup against cores, warm: ideal line, documented band, hardware ceiling, measured points with intervals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from raybench.analysis.results import Findings
from raybench.analysis.speedup import BAND
from raybench.model.estimate import Estimate
from raybench.report.plots.canvas import Plot, beyond, legend, panels, sample_sizes
from raybench.report.plots.curves import Curves, counts, curves, draw_points


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Speedups, and by workload and P the hardware ceiling of the efficiency."""

    curves: Curves
    ceilings: Mapping[str, Mapping[int, Estimate]]


def series(findings: Findings) -> Series | None:
    """Take every row that has a speedup."""
    found = curves(findings.rows, lambda row: row.speedup)
    ceilings: dict[str, dict[int, Estimate]] = {}
    for row in findings.rows:
        if row.speedup is not None and row.ceiling is not None:
            ceilings.setdefault(row.cell.workload.name, {})[row.cell.cpus] = row.ceiling
    return Series(curves=found, ceilings=ceilings) if found else None


def draw(data: Series, figure: Figure) -> None:
    """Draw one panel per workload."""
    top = max(2, *(cpus for _, lines in data.curves.panels for cpus in counts(lines)))
    span = [1.0, float(top)]
    handles: dict[str, Any] = {}
    for place, (name, lines) in zip(panels(figure, data.curves.names), data.curves.panels, strict=True):
        handles["ideal"] = place.plot(span, span, color="#444444", linewidth=1, zorder=1)[0]
        handles["efficiency 0.7–0.8"] = place.fill_between(
            span, [BAND[0] * x for x in span], [BAND[1] * x for x in span], color="#d9d9d9", linewidth=0, zorder=0,
        )  # fmt: skip
        for cpus, bound in sorted(data.ceilings.get(name, {}).items()):
            handles["hardware ceiling"] = place.plot(
                [cpus - 0.18, cpus + 0.18], [cpus * bound.point] * 2, color="#222222", linewidth=2.5, zorder=2
            )[0]
        handles |= draw_points(place, data.curves, lines, lambda cpus, aside: cpus + 0.03 * aside)
        place.set_xticks(sorted({1, *counts(lines)}))
        place.set_xlim(0.75, top + 0.35)
        place.set_ylim(bottom=0)
        place.set_xlabel("cores P")
        place.set_ylabel("speedup")
    legend(figure, handles)


def caption(data: Series) -> str:
    return (
        "Speedup against cores, warm, strong scaling: the same work on any P; base: the one-thread sequential loop of "
        f"the same workload. Points: ratio of medians with 95 % interval, {sample_sizes(data.curves.sizes)}. Line: "
        "ideal; grey band: documented efficiency 0.7 to 0.8; bar: hardware ceiling from bare processes, where "
        "measured. Cells that did less work than the loop are not shown." + beyond(data.curves.workloads)
    )


PLOT = Plot(name="speedup", title="Speedup against cores", section="cells", series=series, draw=draw, caption=caption)
