"""Tasks over time on each worker, for the quickest and the slowest backend of the first search or workload."""

from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from raybench.analysis.results import Findings, Timeline
from raybench.report.plots.canvas import COLOURS, HATCHES, Plot, legend, panels, plain_text

SHOWN = 6  # lines of the figure; the page has a chart of every cell
LOOKS = {
    "done": (COLOURS[0], ""),
    "fewer steps": (COLOURS[5], HATCHES[1]),
    "failed": (COLOURS[1], HATCHES[4]),
    "unknown": (COLOURS[7], HATCHES[2]),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One panel per cell."""

    lines: tuple[Timeline, ...]


def series(findings: Findings) -> Series | None:
    """Take the parallel cells of the first workload that has stamps."""
    first = next((line.cell.workload.name for line in findings.timelines), None)
    lines = tuple(line for line in findings.timelines if line.cell.workload.name == first)[:SHOWN]
    return Series(lines=lines) if lines else None


def draw(data: Series, figure: Figure) -> None:
    """Draw one panel per cell on one clock, so that idle time can be compared."""
    titles = [
        plain_text(f"{line.cell.workload.name}, {line.cell.backend.name}, P={line.cell.cpus}") for line in data.lines
    ]
    lanes = max(line.lanes for line in data.lines)
    axes = panels(figure, titles, columns=1, width=7.0, height=0.55 + 0.24 * lanes)
    end = max(line.makespan for line in data.lines)
    before = max(line.before for line in data.lines)
    for place, line in zip(axes, data.lines, strict=True):
        place.axvspan(-line.before, 0, color="#e6e6e6", zorder=0)
        for lane, started, ended, kind in line.tasks:
            colour, hatch = LOOKS[kind]
            place.barh(
                [lane], [ended - started], left=[started], height=0.8, color=colour, hatch=hatch, edgecolor="#ffffff",
                linewidth=0.4,
            )  # fmt: skip
        place.axvline(line.makespan, color="#444444", linewidth=0.8, linestyle="--")
        place.set_xlim(-before, 1.02 * end)
        place.set_yticks(range(line.lanes), [f"worker {lane}" for lane in range(line.lanes)], fontsize=7)
        place.set_ylim(line.lanes - 0.4, -0.6)
        place.grid(visible=False, axis="y")
    axes[-1].set_xlabel("seconds since the first dispatch")
    seen = {kind for line in data.lines for *_, kind in line.tasks}
    handles = [
        Patch(facecolor=LOOKS[kind][0], hatch=LOOKS[kind][1], edgecolor="#ffffff", label=kind)
        for kind in LOOKS
        if kind in seen
    ]
    handles.append(Patch(facecolor="#e6e6e6", label="start-up, warm-up"))
    legend(figure, {str(patch.get_label()): patch for patch in handles}, columns=4)


def caption(data: Series) -> str:
    return (
        "Tasks over time on each worker, cold start shaded, white is idle, dashed line: last result in the driver. "
        f"n = 1 measurement each, the one with the median time ({len(data.lines)} cells of one workload; no interval, "
        "no base); every other cell has its chart on the page."
    )


PLOT = Plot(name="timeline", title="Tasks over time", section="losses", series=series, draw=draw, caption=caption)
