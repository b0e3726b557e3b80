"""Speedup of every workload on its best backend, warm and with start-up, grouped by kind of work."""

from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from raybench.analysis.decision import Decision, by_kind, decisions
from raybench.analysis.results import Findings
from raybench.analysis.speedup import BAND
from raybench.model import units
from raybench.model.estimate import Estimate
from raybench.report.plots.canvas import COLOURS, Plot, errors, legend, panels, plain_text, sample_sizes

TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4, 8, 16, 32, 64, 128)
LINE_INCH = 0.27
MOST_LINES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """By kind of work, the decisions to draw."""

    groups: tuple[tuple[str, tuple[Decision, ...]], ...]

    @property
    def lines(self) -> list[Decision]:
        """Return the decisions of all groups."""
        return [line for _, lines in self.groups for line in lines]


def series(findings: Findings) -> Series | None:
    """Take every workload with a kind of work and a speedup."""
    groups = []
    left = MOST_LINES
    for kind, lines in by_kind(decisions(findings)).items():
        shown = tuple(line for line in lines if line.warm is not None)[:left]
        left -= len(shown)
        if shown:
            groups.append((str(kind), shown))
    return Series(groups=tuple(groups)) if groups else None


def draw(data: Series, figure: Figure) -> None:
    """Draw filled marks warm, hollow ones with start-up; each line has its own band of 0.7 to 0.8 of its cores."""
    rows = len(data.lines) + len(data.groups)
    (place,) = panels(figure, [""], width=8.2, height=LINE_INCH * rows + 0.9)
    handles: dict[str, Any] = {}
    labels: list[tuple[float, str]] = []
    at = 0.0
    for kind, lines in data.groups:
        place.annotate(
            plain_text(kind), (0, at), xycoords=("axes fraction", "data"), xytext=(-6, 0), textcoords="offset points",
            ha="right", va="center", fontweight="bold", fontsize=8,
        )  # fmt: skip
        for line in lines:
            at += 1
            labels.append((at, line.workload))
            handles |= _draw_line(place, at, line)
        at += 1
    place.axvline(1, color="#444444", linewidth=1)
    place.set_xscale("log")
    place.xaxis.set_major_locator(FixedLocator(TICKS))
    place.xaxis.set_minor_locator(NullLocator())
    place.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    place.set_yticks([y for y, _ in labels], [plain_text(name) for _, name in labels], fontsize=8)
    place.set_ylim(at - 0.4, -0.7)
    place.grid(visible=False, axis="y")
    place.set_xlabel("speedup over the sequential baseline; right of 1x is faster")
    legend(figure, handles, columns=3)


def _draw_line(place: Any, at: float, line: Decision) -> dict[str, Any]:
    assert line.row is not None
    cpus, handles = line.row.cell.cpus, {}
    band = Rectangle((BAND[0] * cpus, at - 0.5), (BAND[1] - BAND[0]) * cpus, 1, color="#d9d9d9", linewidth=0, zorder=0)
    handles[f"efficiency {BAND[0]} to {BAND[1]}"] = place.add_patch(band)
    for estimate, name, face in ((line.cold, "with start-up", "#ffffff"), (line.warm, "warm", COLOURS[0])):
        if estimate is not None:
            handles[name] = place.errorbar(
                [estimate.point], [at], xerr=errors([estimate]), fmt="o", markersize=5, color=COLOURS[0],
                markerfacecolor=face, capsize=2, linewidth=1, zorder=3,
            )  # fmt: skip
    told = f"{plain_text(line.row.cell.backend.name)} {_short(line.warm)}"
    told += f" / {_short(line.cold)}" if line.cold is not None else ""
    place.annotate(
        told, (1, at), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points", va="center",
        fontsize=7.5,
    )  # fmt: skip
    return handles


def _short(estimate: Estimate | None) -> str:
    return units.ratio(estimate, with_n=False).partition(" ")[0]


def caption(data: Series) -> str:
    counts = [line.warm.n for line in data.lines if line.warm is not None]
    return (
        f"Each workload on its best backend: point and 95 % interval, {sample_sizes(counts)}; base: the better of the "
        "sequential and the threaded baseline for warm, the sequential one with start-up. Right: backend, speedup warm "
        "/ with start-up (cold); none where a Ray head was shared. Micro-benchmarks are in the HTML report."
    )


PLOT = Plot(
    name="forest", title="Speedup by kind of work", section="answers", series=series, draw=draw, caption=caption,
    brief=True,
)  # fmt: skip
