"""The figures: one module each with `series(findings) -> data` and `draw(data, axes)`, listed here in reading order."""

from typing import Any

from raybench.report.plots import deltas, heatmap, speedup
from raybench.report.plots.canvas import Plot

PLOTS: tuple[Plot[Any], ...] = (speedup.PLOT, heatmap.PLOT, deltas.PLOT)
