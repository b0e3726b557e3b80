"""Is there drift, and are the residuals normal? Residuals in the order of the run, A/A ratios, a Q-Q plot."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.stats
from matplotlib.figure import Figure

from raybench.analysis.controls import AA, Residual
from raybench.analysis.results import Findings
from raybench.model.estimate import Estimate
from raybench.report.plots.canvas import COLOURS, Plot, errors, panels, plain_text

MOST_DOTS = 3000  # more are thinned evenly: the file would grow, the picture would not change


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Residuals in the order of the run; (workload, A/A ratio)."""

    residuals: tuple[Residual, ...]
    same: tuple[tuple[str, Estimate], ...]


def series(findings: Findings) -> Series | None:
    """Take all residuals, and the A/A controls."""
    same = tuple((row.cell.workload.name, row.estimate) for row in findings.controls.rows if row.kind == AA)
    return Series(residuals=findings.residuals, same=same) if len(findings.residuals) > 2 else None


def draw(data: Series, figure: Figure) -> None:
    """Draw three panels; nothing is joined, because neither workloads nor single measurements are an axis."""
    step = -(-len(data.residuals) // MOST_DOTS)
    kept = data.residuals[::step]
    order, same, normal = panels(figure, ["order of the run", "A/A: same cell twice", "Q-Q, normal"], width=3.4)
    order.plot(
        [r.index for r in kept], [100 * math.expm1(r.value) for r in kept], marker="o", markersize=2.5, linestyle="",
        color=COLOURS[0],
    )  # fmt: skip
    order.axhline(0, color="#444444", linewidth=0.8)
    order.set_xlabel("measurement")
    order.set_ylabel("time against the cell's median, %")
    estimates = [estimate for _, estimate in data.same]
    same.errorbar(
        [100 * (e.point - 1) for e in estimates], range(len(estimates)),
        xerr=[[100 * e for e in side] for side in errors(estimates)] if estimates else None,
        marker="s", markersize=5, linestyle="", capsize=3, color=COLOURS[1],
    )  # fmt: skip
    same.axvline(0, color="#444444", linewidth=0.8)
    same.set_yticks(range(len(estimates)), [plain_text(name[:24]) for name, _ in data.same], fontsize=7)
    same.set_ylim(len(estimates) - 0.5, -0.5)
    same.set_xlabel("first / second - 1, %")
    values = np.sort([r.value for r in kept])
    quantiles = scipy.stats.norm.ppf((np.arange(len(values)) + 0.5) / len(values))
    normal.plot(quantiles, 100 * values, marker="o", markersize=2.5, linestyle="", color=COLOURS[2])
    spread = 100 * float(np.std(values))
    normal.plot(
        [quantiles[0], quantiles[-1]], [spread * quantiles[0], spread * quantiles[-1]], color="#444444", linewidth=0.8
    )
    normal.set_xlabel("normal quantile")
    normal.set_ylabel("log residual, %")


def caption(data: Series) -> str:
    blocks = f"n = {min(e.n for _, e in data.same)} blocks" if data.same else "not measured"
    return (
        f"Warm makespans of n = {len(data.residuals)} measurements against the median of their cell (the base), in the "
        f"order of the run; A/A ratio with 95 % interval, {blocks}; log residuals against a normal law, which no "
        "interval relies on."
    )


PLOT = Plot(
    name="order", title="Run order, A/A and residuals", section="controls", series=series, draw=draw, caption=caption
)
