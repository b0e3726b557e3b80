"""How much tuning lowers the error on untouched rows, with both intervals and the published values."""

import math
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from raybench.analysis.results import Findings
from raybench.analysis.tuning import Delta
from raybench.report.plots.canvas import COLOURS, Plot, legend, panels, plain_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line of the forest per workload and arm."""

    lines: tuple[tuple[Delta, float | None], ...]  # with the published delta


def series(findings: Findings) -> Series | None:
    """Take every delta that has an interval."""
    lines = tuple((d, findings.documented.get(d.workload)) for d in findings.deltas if not math.isnan(d.relative.point))
    return Series(lines=lines) if lines else None


def draw(data: Series, figure: Figure) -> None:
    """Draw a forest: thick bar over rows, thin bar over splits and rows, cross for the published value."""
    (place,) = panels(figure, [""], width=6.4, height=0.42 * len(data.lines) + 1.2)
    handles: dict[str, Any] = {}
    for at, (line, published) in enumerate(data.lines):
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
                [100 * published], [at], marker="x", color=COLOURS[1], markersize=8, linestyle="", zorder=4
            )[0]
    place.axvline(0, color="#444444", linewidth=0.8)
    names = [f"{line.workload}, {line.arm}\nagainst {line.baseline} (n={line.n})" for line, _ in data.lines]
    place.set_yticks(
        range(len(names)), [plain_text(a) + "\n" + plain_text(b) for a, b in (n.split("\n") for n in names)]
    )
    place.set_ylim(len(names) - 0.5, -0.5)
    place.set_xlabel("error of the tuned model below the baseline's, %")
    legend(figure, handles, columns=4)


def caption(data: Series) -> str:
    counts = sorted({line.n for line, _ in data.lines})
    return (
        "Error of the tuned model against the baseline named in the line, on untouched test rows: 1 - mean tuned / "
        "mean baseline, right of 0 is better; "
        f"n = {counts[0]}{f' to {counts[-1]}' if len(counts) > 1 else ''} pairs of split and search seed; "
        "95 % intervals. Crosses: documented values. Untimed: neither cold nor warm."
    )


PLOT = Plot(
    name="rmse-delta", title="Error of tuned models against their baselines", section="deltas", series=series,
    draw=draw, caption=caption,
)  # fmt: skip
