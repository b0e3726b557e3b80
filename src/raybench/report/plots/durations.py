"""How long single tasks took, loop against parallel: the distance of two curves is what contention costs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from raybench.analysis.results import Durations, Findings
from raybench.report.plots.canvas import (
    MOST_PANELS,
    Plot,
    beyond,
    legend,
    look,
    panels,
    plain_text,
    sample_sizes,
    seconds_axis,
)

MOST_STEPS = 30  # of one curve: finer ones are below a pixel, and make the picture large


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """By workload, the sorted task times of its cells."""

    workloads: int  # all there are, also those beyond the panels
    panels: tuple[tuple[str, tuple[Durations, ...]], ...]


def series(findings: Findings) -> Series | None:
    """Take every cell with stamps whose tasks ran in full."""
    found: dict[str, list[Durations]] = {}
    for line in findings.durations:
        found.setdefault(line.cell.workload.name, []).append(line)
    made = tuple((name, tuple(lines)) for name, lines in found.items() if len(lines) > 1)
    return Series(workloads=len(made), panels=made[:MOST_PANELS]) if made else None


def draw(data: Series, figure: Figure) -> None:
    """Draw empirical distribution functions; steps, because they are counts."""
    axes = panels(figure, [plain_text(name) for name, _ in data.panels])
    handles: dict[str, Any] = {}
    names = list(dict.fromkeys(_name(line) for _, lines in data.panels for line in lines))
    for place, (_, lines) in zip(axes, data.panels, strict=True):
        for line in lines:
            style = look(names.index(_name(line)))
            ranks = np.unique(np.linspace(1, len(line.seconds), min(len(line.seconds), MOST_STEPS)).round().astype(int))
            share = ranks / len(line.seconds)
            handles[plain_text(_name(line))] = place.plot(
                np.asarray(line.seconds)[ranks - 1], share, drawstyle="steps-post", linewidth=1.2, color=style["color"],
                dashes=style["dashes"], marker=style["marker"], markersize=4, markevery=max(1, len(share) // 4),
            )[0]  # fmt: skip
        place.set_ylim(0, 1.02)
        place.set_xscale("log")
        seconds_axis(place, "x")
        place.set_xlabel("time of a task")
        place.set_ylabel("share of tasks")
    legend(figure, handles)


def _name(line: Durations) -> str:
    return f"{line.cell.backend.name}, P={line.cell.cpus}"


def caption(data: Series) -> str:
    counts = [line.n for _, lines in data.panels for line in lines]
    return (
        "Share of tasks that took at most so long, warm, stamped in the workers; all blocks together "
        f"({sample_sizes(counts)}; no interval: these are the raw values). Base: the sequential loop."
        + beyond(data.workloads)
    )


PLOT = Plot(name="durations", title="Task durations", section="losses", series=series, draw=draw, caption=caption)
