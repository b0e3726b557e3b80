"""The figures: one module each with `series(findings) -> data` and `draw(data, figure)`, listed in reading order."""

from typing import Any

from raybench.report.plots import (
    anytime,
    deltas,
    durations,
    granularity,
    heatmap,
    karp_flatt,
    losses,
    order,
    speedup,
    start_up,
    times,
    verdicts,
)
from raybench.report.plots.canvas import Plot

PLOTS: tuple[Plot[Any], ...] = (
    verdicts.PLOT,
    speedup.PLOT,
    heatmap.PLOT,
    times.PLOT,
    karp_flatt.PLOT,
    granularity.PLOT,
    losses.PLOT,
    durations.PLOT,
    start_up.PLOT,
    deltas.PLOT,
    anytime.PLOT,
    order.PLOT,
)
