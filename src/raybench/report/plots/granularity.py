"""Efficiency against task length for every backend with a granularity sweep; METG is where a curve crosses a level."""

from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from raybench.analysis.metg import LEVELS, Curve
from raybench.analysis.results import Findings
from raybench.report.plots.canvas import Plot, errors, legend, look, panels, plain_text, sample_sizes, seconds_axis

DOCUMENTED = ((0.01, "Ray's documentation: 10 ms"), (1.0, "documented rule: 1 s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The curves with steps, by P."""

    panels: tuple[tuple[int, tuple[Curve, ...]], ...]


def series(findings: Findings) -> Series | None:
    """Take every curve that has steps; one panel per P."""
    curves = [curve for curve in findings.curves if curve.steps]
    counts = sorted({curve.cell.cpus for curve in curves})
    made = tuple((cpus, tuple(c for c in curves if c.cell.cpus == cpus)) for cpus in counts)
    return Series(panels=made) if made else None


def draw(data: Series, figure: Figure) -> None:
    """Draw curves over the task's own length, with a tick where each crosses a level."""
    axes = panels(figure, [f"P = {cpus}" for cpus, _ in data.panels], columns=2, width=5.4, height=3.6)
    handles: dict[str, Any] = {}
    for place, (_, curves) in zip(axes, data.panels, strict=True):
        for level in LEVELS:
            place.axhline(level, color="#777777", linewidth=0.7, linestyle=(0, (1, 2)))
            place.annotate(
                f"{level:.0%}", (1.0, level), xycoords=("axes fraction", "data"), fontsize=7, va="bottom", ha="right"
            )
        for length, _ in DOCUMENTED:
            place.axvline(length, color="#999999", linewidth=0.9, linestyle="--")
        for at, curve in enumerate(curves):
            style = look(at)
            steps = sorted(curve.steps, key=lambda step: step.work_s)
            handles[plain_text(f"{curve.cell.backend.name} ({curve.cell.workload.name})")] = place.errorbar(
                [step.work_s for step in steps], [step.efficiency.point for step in steps],
                yerr=errors([step.efficiency for step in steps]), markersize=4, linewidth=1, capsize=2, **style,
            )  # fmt: skip
            for found in curve.metg:
                if not found.mark and found.level in LEVELS:
                    place.plot([found.work.point], [found.level], marker="|", markersize=14, color=style["color"])
        place.set_xscale("log")
        seconds_axis(place, "x")
        place.set_ylim(0, 1.1)
        place.set_xlabel("task length (work)")
        place.set_ylabel("efficiency")
    legend(figure, handles)


def caption(data: Series) -> str:
    counts = [curve.n for _, curves in data.panels for curve in curves]
    marks = "; ".join(text for _, text in DOCUMENTED)
    return (
        "Efficiency against task length, warm, fixed work, constant number of tasks; base: the bare loop on one core. "
        f"95 % intervals, {sample_sizes(counts)}. Long ticks: METG at 50, 70 and 80 %. Dashed lines: {marks}."
    )


PLOT = Plot(
    name="granularity", title="Efficiency against task length", section="metg", series=series, draw=draw,
    caption=caption, brief=True,
)  # fmt: skip
