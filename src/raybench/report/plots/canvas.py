"""What every figure shares: the type of a plot, one look, and the same bytes each time it is drawn."""

import io
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import seaborn as sns
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from raybench.analysis.results import Findings
from raybench.model.estimate import Estimate
from raybench.model.units import duration
from raybench.model.visible import visible

D = TypeVar("D")

# Told apart by most colour-blind readers; markers, dashes and hatches say the same without them.
COLOURS = tuple(sns.color_palette("colorblind").as_hex()[i] for i in (0, 3, 2, 4, 1, 9, 5, 7))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ((), (4, 2), (1, 1.5), (6, 2, 1, 2), (3, 1), (8, 3), (2, 3), (5, 1, 1, 1, 1, 1))
HATCHES = ("", "///", "\\\\\\", "...", "xxx", "++", "oo", "---")
ROUND_SECONDS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36000.0)
FITTED = 6  # panels; with more, fitting margins to labels costs more time than all drawing
MOST_PANELS = 30  # of one figure: more could not be read, and every panel costs 30 ms
TOP_INCH = 0.55  # for the legend
FOOTER_CHARS = 19  # letters per inch at the size of the footer
NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}  # a date would change the bytes
STYLE = {
    **sns.axes_style("whitegrid"),
    "font.family": "sans-serif",
    # Shipped with matplotlib: the same lengths of text on every machine. The others are for the reader's browser.
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Helvetica", "Arial"],
    "font.size": 9,
    "svg.fonttype": "none",  # text stays text: it can be searched, and is a third of the size
    "svg.hashsalt": "raybench",  # ids of an SVG are random without it
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "path.simplify": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot(Generic[D]):
    """A figure of the report.

    series : takes what it needs from the findings; None where there is nothing to show.
    draw : draws onto a figure; None where the HTML report draws its own chart and RESULTS.md has none.
    caption : one sentence with n, interval, base and cold or warm.
    section : id of the section in which it stands. brief : in RESULTS.md too, not in the HTML report alone.
    """

    name: str
    title: str
    section: str
    series: Callable[[Findings], D | None]
    caption: Callable[[D], str]
    draw: Callable[[D, Figure], None] | None = None
    brief: bool = False


def svg(plot: Plot[Any], data: Any) -> str:
    """Draw a figure as SVG text: no date, no version, no random id."""
    assert plot.draw is not None, plot.name
    with style.context(["default", STYLE]):  # "default": whatever the user's own matplotlibrc says
        figure = Figure(layout="constrained")
        FigureCanvasSVG(figure)
        plot.draw(data, figure)
        _footer(figure, plot.caption(data))
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={**NO_METADATA, "Title": plot.title})
    return buffer.getvalue()


def _footer(figure: Figure, caption: str) -> None:
    """Set the caption below the figure: a picture that travels alone keeps its n, base and interval."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(plain_text(caption), width=int(width * FOOTER_CHARS))
    words: dict[str, Any] = {"x": 0.01, "ha": "left", "fontsize": 6.5, "color": "#555555"}
    added = 0.12 * len(lines)
    if figure.get_layout_engine() is not None:
        figure.set_size_inches(width, height + added)
        figure.supxlabel("\n".join(lines), **words)
        return
    now, high = figure.subplotpars, height + added
    figure.set_size_inches(width, high)
    figure.subplots_adjust(bottom=(now.bottom * height + added) / high, top=(now.top * height + added) / high)
    figure.text(s="\n".join(lines), y=0.05 / high, va="bottom", **words)


def look(index: int) -> dict[str, Any]:
    """Return colour, marker and dashes of the n-th series; they repeat out of step, so that pairs stay unique."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[(index + index // len(COLOURS)) % len(MARKERS)],
        "dashes": DASHES[(index + index // len(COLOURS)) % len(DASHES)],
    }


def errors(estimates: list[Estimate]) -> list[list[float]]:
    """Return the lengths of error bars below and above; an interval without end gets none."""
    reach = [(e.point - e.low, e.high - e.point) for e in estimates]
    return [[length if 0 <= length < float("inf") else 0.0 for length in side] for side in zip(*reach, strict=True)]


def panels(
    figure: Figure, titles: list[str], *, columns: int = 3, width: float = 3.3, height: float = 2.9
) -> list[Axes]:
    """Lay out one axes per title in a grid, sized so that text stays readable."""
    columns = min(columns, len(titles))
    rows = -(-len(titles) // columns)
    wide, high = max(width * columns, 4.6), height * rows + TOP_INCH
    figure.set_size_inches(wide, high)
    if len(titles) > FITTED:
        figure.set_layout_engine(None)  # before subplots_adjust, which it would refuse
        figure.subplots_adjust(
            left=0.6 / wide, right=1 - 0.1 / wide, top=1 - (TOP_INCH + 0.2) / high, bottom=0.5 / high,
            wspace=0.75 / (width - 0.75), hspace=0.85 / (height - 0.85),
        )  # fmt: skip
    grid = figure.subplots(rows, columns, squeeze=False)
    axes = [grid[i // columns][i % columns] for i in range(rows * columns)]
    for extra in axes[len(titles) :]:
        extra.remove()
    for place, title in zip(axes, titles, strict=False):
        place.set_title(title, fontsize=9, loc="left", fontweight="bold")
    return axes[: len(titles)]


def legend(figure: Figure, handles: Mapping[str, Any], *, columns: int = 3) -> None:
    """Set the legend above the panels."""
    fitted = figure.get_layout_engine() is not None
    place = {"loc": "outside upper center"} if fitted else {"loc": "upper center", "bbox_to_anchor": (0.5, 1.0)}
    columns = columns if fitted else 2 * columns
    figure.legend(list(handles.values()), list(handles), ncols=columns, fontsize=8, **place)


def seconds_axis(place: Axes, side: str) -> None:
    """Label a logarithmic axis (`x` or `y`) of seconds as the tables do: 10 ms, 1 s, 5 min; after drawing."""
    axis = place.xaxis if side == "x" else place.yaxis
    low, high = place.get_xlim() if side == "x" else place.get_ylim()
    within = [tick for tick in ROUND_SECONDS if low <= tick <= high]
    if len(within) < 3:  # less than two decades
        within = [step * tick for tick in ROUND_SECONDS[:8] for step in (1, 2, 5) if low <= step * tick <= high]
        within = within[:: 2 if len(within) > 4 else 1]  # five labels would touch
    axis.set_major_locator(FixedLocator(within) if len(within) > 2 else MaxNLocator(4, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: duration(value)))
    axis.set_minor_formatter(NullFormatter())


def beyond(workloads: int) -> str:
    """Say in a caption that not every workload has a panel; '' where all have."""
    return f" The first {MOST_PANELS} of {workloads} workloads; the tables have all." if workloads > MOST_PANELS else ""


def sample_sizes(counts: list[int]) -> str:
    """Write the n of a figure: one number, or the range."""
    low, high = min(counts), max(counts)
    return f"n = {low} blocks" if low == high else f"n = {low} to {high} blocks"


def plain_text(text: str) -> str:
    """Keep a name from being read as mathematics, and from carrying control characters."""
    return visible(" ".join(text.split())).replace("$", r"\$")
