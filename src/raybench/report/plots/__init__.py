"""The figures: one module each with `series(findings) -> data` and `draw(data, figure)`, listed in reading order."""

from typing import Any

from raybench.report.plots import (
    anytime,
    deltas,
    efficiency,
    forest,
    granularity,
    karp_flatt,
    losses,
    order,
    scaleout,
    start_up,
    verdicts,
)
from raybench.report.plots.canvas import Plot

PLOTS: tuple[Plot[Any], ...] = (
    forest.PLOT,
    verdicts.PLOT,
    efficiency.PLOT,
    granularity.PLOT,
    scaleout.PLOT,
    start_up.PLOT,
    deltas.PLOT,
    anytime.PLOT,
    order.PLOT,
    karp_flatt.PLOT,
    losses.PLOT,
)
