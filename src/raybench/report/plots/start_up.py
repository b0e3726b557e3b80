"""How long must the whole work take? Efficiency from a cold start against sequential time, from measured start-up."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from raybench.analysis.results import Findings
from raybench.analysis.speedup import BAND
from raybench.model.estimate import Estimate
from raybench.report.plots.canvas import Plot, legend, look, panels, plain_text, sample_sizes, seconds_axis
from raybench.report.starts import starts

RULE_S = 300.0  # documented: nothing under five minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """By backend and P: what a cold start costs beyond the makespan, in seconds, of the workload where it is least."""

    starts: tuple[tuple[str, int, Estimate], ...]


def series(findings: Findings) -> Series | None:
    """Take the start-up of every parallel cell that was started cold."""
    found = tuple((backend, cpus, start) for (backend, cpus), start in starts(findings.rows).items())
    return Series(starts=found) if found else None


def draw(data: Series, figure: Figure) -> None:
    """Draw E = T / (T + P x start-up), which assumes nothing else is lost: an upper bound."""
    (place,) = panels(figure, [""], width=6.4, height=3.4)
    work = np.geomspace(0.1, 3600, 120)
    handles: dict[str, Any] = {}
    place.axhspan(*BAND, color="#d9d9d9", zorder=0)
    for at, (backend, cpus, start) in enumerate(data.starts):
        style = look(at)
        name = plain_text(f"{backend}, P={cpus}")
        handles[name] = place.plot(
            work, work / (work + cpus * start.point), color=style["color"], dashes=style["dashes"],
            marker=style["marker"], markevery=(3 * at % 20, 20), markersize=5, linewidth=1.2,
        )[0]  # fmt: skip
        place.fill_between(
            work, work / (work + cpus * start.high), work / (work + cpus * start.low), color=style["color"], alpha=0.15,
            linewidth=0,
        )  # fmt: skip
    place.axvline(RULE_S, color="#777777", linestyle="--", linewidth=0.9)
    place.set_xscale("log")
    seconds_axis(place, "x")
    place.set_ylim(0, 1.02)
    place.set_xlabel("time of the whole work in the one-thread loop")
    place.set_ylabel("efficiency, cold, at most")
    legend(figure, handles)


def caption(data: Series) -> str:
    return (
        "Largest efficiency that a cold start allows: T / (T + P x start-up), from the measured start-up (median, 95 % "
        f"interval, {sample_sizes([start.n for _, _, start in data.starts])}); base: the one-thread loop. PREDICTED: a "
        "bound, no measurement. Grey band: 0.7 to 0.8; dashed line: the documented rule of five minutes."
    )


PLOT = Plot(
    name="start-up", title="What a cold start allows", section="start-up", series=series, draw=draw, caption=caption
)
