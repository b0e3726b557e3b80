"""The serial fraction that each speedup implies (Karp & Flatt), against cores."""

from typing import Any

from matplotlib.figure import Figure

from raybench.analysis.results import Findings
from raybench.report.plots.canvas import Plot, beyond, legend, panels, sample_sizes
from raybench.report.plots.curves import Curves, counts, curves, draw_points

FEWEST_COUNTS = 2  # of cores beyond one


def series(findings: Findings) -> Curves | None:
    """Take every row on more than one core that has a speedup; fewer than three core counts show no trend."""
    found = curves(findings.rows, lambda row: row.karp_flatt)
    most = max((len(counts(lines)) for _, lines in found.panels), default=0) if found else 0
    return found if most >= FEWEST_COUNTS else None


def draw(data: Curves, figure: Figure) -> None:
    """Draw one panel per workload; below 0 is superlinear."""
    handles: dict[str, Any] = {}
    for place, (_, lines) in zip(panels(figure, data.names), data.panels, strict=True):
        place.axhline(0, color="#444444", linewidth=0.8)
        handles |= draw_points(place, data, lines, lambda cpus, aside: cpus + 0.05 * aside)
        cores = counts(lines)
        place.set_xticks(cores)
        place.set_xlim(min(cores) - 0.5, max(cores) + 0.5)
        place.set_xlabel("cores P")
        place.set_ylabel("serial fraction")
    legend(figure, handles)


def caption(data: Curves) -> str:
    return (
        "Serial fraction by Karp and Flatt, warm, strong scaling; base: the one-thread sequential loop; 95 % interval, "
        f"{sample_sizes(data.sizes)}. A constant fraction is a serial part, one that rises with P is overhead, below 0 "
        "is superlinear." + beyond(data.workloads)
    )


PLOT = Plot(
    name="karp-flatt", title="Karp-Flatt serial fraction", section="cells", series=series, draw=draw, caption=caption
)
