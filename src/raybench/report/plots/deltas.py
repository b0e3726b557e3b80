"""How much tuning lowers the error on untouched rows, with the documented values; reference models apart."""

import math
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from raybench.analysis.results import Findings
from raybench.analysis.tuning import Delta
from raybench.report.answers import TUNED
from raybench.report.plots.canvas import COLOURS, TOP_INCH, Plot, legend, plain_text
from raybench.report.search import MODELS

LINE_INCH = 0.32
WIDTH_INCH = 8.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Tuned models with their published gain, and models that serve as a reference."""

    tuned: tuple[tuple[Delta, float | None], ...]
    references: tuple[Delta, ...]


def series(findings: Findings) -> Series | None:
    """Take every delta that is a number."""
    lines = [line for line in findings.deltas if not math.isnan(line.relative.point)]
    lines.sort(key=lambda line: [d.workload for d in findings.deltas].index(line.workload))
    published = findings.documented
    tuned = tuple((d, published.get(d.workload) if d.variant == TUNED else None) for d in lines if d.variant in MODELS)
    references = tuple(line for line in lines if line.variant not in MODELS)
    return Series(tuned=tuned, references=references) if tuned or references else None


def draw(data: Series, figure: Figure) -> None:
    """Draw two forests, each on its own axis: a reference model may be worse by hundreds of percent."""
    counts = [len(data.tuned), len(data.references)]
    shown = [count for count in counts if count]
    figure.set_size_inches(WIDTH_INCH, LINE_INCH * sum(shown) + 0.75 * len(shown) + TOP_INCH)
    grid = figure.subplots(len(shown), 1, squeeze=False, height_ratios=[count + 0.6 for count in shown])
    places = [grid[i][0] for i in range(len(shown))]
    handles: dict[str, Any] = {}
    if data.tuned:
        handles |= _draw(places.pop(0), "tuned models", data.tuned)
    if data.references:
        handles |= _draw(places.pop(0), "reference models", tuple((line, None) for line in data.references))
    legend(figure, handles, columns=4)


def _draw(place: Axes, title: str, lines: tuple[tuple[Delta, float | None], ...]) -> dict[str, Any]:
    handles: dict[str, Any] = {}
    place.set_title(title, fontsize=9, loc="left", fontweight="bold")
    for at, (line, published) in enumerate(lines):
        total, rows = line.relative, line.relative_rows
        handles["over splits and rows"] = place.plot(
            [100 * total.low, 100 * total.high], [at, at], color=COLOURS[0], linewidth=1.2, marker="|", markersize=9
        )[0]
        if rows is not None:
            handles["over test rows only"] = place.plot(
                [100 * rows.low, 100 * rows.high], [at, at], color=COLOURS[0], linewidth=4, solid_capstyle="butt"
            )[0]
        handles["measured"] = place.plot(
            [100 * total.point], [at], marker="o", color="#ffffff", markeredgecolor=COLOURS[0], linestyle="", zorder=3
        )[0]
        if published is not None:
            handles["documented"] = place.plot(
                [100 * published], [at], marker="X", color=COLOURS[1], markersize=9, linestyle="", zorder=4
            )[0]
    place.axvline(0, color="#444444", linewidth=0.8)
    place.set_yticks(range(len(lines)), [plain_text(name) for name in _names([line for line, _ in lines])], fontsize=8)
    place.set_ylim(len(lines) - 0.5, -0.5)
    place.set_xlabel("error below the baseline's, %; right of 0 is better")
    return handles


def _names(lines: list[Delta]) -> list[str]:
    """Write the model of each line, and the workload where it changes."""
    names, last = [], ""
    for line in lines:
        model = MODELS.get(line.variant, line.variant)
        names.append(model if line.workload == last else f"{line.workload}: {model}")
        last = line.workload
    return names


def caption(data: Series) -> str:
    lines = [*(line for line, _ in data.tuned), *data.references]
    counts = sorted({line.n for line in lines})
    against = "; ".join(f"{name}: {about}" for name, about in dict.fromkeys((d.workload, d.baseline) for d in lines))
    return (
        "Error on untouched test rows: 1 - mean of the model / mean of the baseline; "
        f"n = {counts[0]}{f' to {counts[-1]}' if len(counts) > 1 else ''} pairs of split and search seed, 95 % "
        f"intervals. Untimed: neither cold nor warm. Base: {against}."
    )


PLOT = Plot(
    name="rmse-delta", title="Error of tuned models against their baselines", section="deltas", series=series,
    draw=draw, caption=caption, brief=True,
)  # fmt: skip
