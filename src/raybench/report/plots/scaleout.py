"""Efficiency against P: measured on real cores, EMULATED on logical CPUs, PREDICTED, each told apart."""

from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from raybench.analysis.emulation import Point
from raybench.analysis.results import Findings
from raybench.analysis.speedup import BAND
from raybench.model import units
from raybench.model.estimate import Estimate
from raybench.report.plots.canvas import COLOURS, Plot, errors, legend, panels, plain_text, sample_sizes
from raybench.report.scaleout import made_up

REPLAYED = "recorded lengths"
APART = 1.05  # factor between marks of one P
MEASURED, PREDICTED = "measured", "PREDICTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """By panel, the emulated points; and what real cores measured of the replayed workloads, (P, efficiency)."""

    panels: tuple[tuple[str, tuple[Point, ...]], ...]
    measured: tuple[tuple[int, Estimate], ...]

    @property
    def points(self) -> list[Point]:
        """Return the points of all panels."""
        return [point for _, points in self.panels for point in points]


def series(findings: Findings) -> Series | None:
    """Take the emulated points by length of their tasks, and those with recorded lengths."""
    found = findings.emulated
    if found is None:
        return None
    groups: dict[str, list[Point]] = {}
    for point in sorted(made_up(found), key=lambda p: -p.task_s):
        groups.setdefault(f"tasks of {units.plain(round(point.task_s, 2))} s", []).append(point)
    replayed = [p for p in found.points if p.contention is not None and p.efficiency is not None and p.growing]
    sources = {str(p.cell.workload.params["recorded"]["workload"]) for p in replayed}
    measured = tuple(
        (row.cell.cpus, row.efficiency)
        for row in findings.rows
        if row.efficiency is not None
        and row.cell.workload.name in sources
        and row.cell.cpus > 1
        and not row.cell.emulated
        and row.cell.backend.name in {p.cell.backend.name for p in replayed}
    )
    made = [(name, tuple(points)) for name, points in groups.items()]
    made += [(REPLAYED, tuple(replayed))] if replayed else []
    return Series(panels=tuple(made), measured=measured) if made else None


def draw(data: Series, figure: Figure) -> None:
    """Draw one panel per length: filled marks EMULATED, hollow triangles PREDICTED, black discs measured."""
    handles: dict[str, Any] = {}
    counts = sorted({p.cell.cpus for p in data.points} | {cpus for cpus, _ in data.measured})
    names = [plain_text(name) for name, _ in data.panels]
    for place, (name, points) in zip(panels(figure, names, columns=4, width=2.6, height=2.9), data.panels, strict=True):
        handles[f"{BAND[0]} to {BAND[1]}"] = place.axhspan(*BAND, color="#d9d9d9", linewidth=0, zorder=0)
        if name == REPLAYED and data.measured:
            handles[MEASURED] = place.errorbar(
                [cpus for cpus, _ in data.measured], [e.point for _, e in data.measured],
                yerr=errors([e for _, e in data.measured]), color="#222222", marker="o", markersize=4, linestyle="",
                capsize=1.5, zorder=3,
            )  # fmt: skip
        for order, label in enumerate(dict.fromkeys(map(_label, points))):
            mine = [p for p in points if _label(p) == label]
            at = [p.cell.cpus * APART ** (order - 1) for p in mine]
            shares = [p.efficiency for p in mine if p.efficiency is not None]
            colour, marker = _look(mine[0])
            handles[label] = place.errorbar(
                at, [e.point for e in shares], yerr=errors(shares), color=colour, marker=marker, markersize=5,
                linestyle="", capsize=1.5, zorder=3,
            )  # fmt: skip
            told = [(x, p.predicted) for x, p in zip(at, mine, strict=True) if p.predicted is not None]
            if told:
                handles[PREDICTED] = place.plot(
                    [x for x, _ in told], [y for _, y in told], marker="^", markerfacecolor="none",
                    markeredgecolor="#555555", markersize=7, linestyle="", zorder=2,
                )[0]  # fmt: skip
        handles["ideal"] = place.axhline(1, color="#444444", linewidth=0.8)
        place.set_xscale("log", base=2)
        place.set_xticks(counts, [str(count) for count in counts])
        place.minorticks_off()
        place.set_xlim(min(counts) / 1.4, max(counts) * 1.4)
        place.set_ylim(0.5, 1.05)
        place.set_xlabel("CPUs P")
        place.set_ylabel("efficiency")
    legend(figure, handles, columns=3)


def _label(point: Point) -> str:
    nodes = "one node" if len(point.nodes) == 1 else "several nodes"
    lease = f", lease {units.duration(point.lease_s)}" if point.lease_s is not None else ""
    return f"EMULATED, {nodes}{lease}"


def _look(point: Point) -> tuple[str, str]:
    short = point.lease_s is not None and point.lease_s < 1
    return COLOURS[1 if short else 0], "s" if len(point.nodes) == 1 else "D"


def caption(data: Series) -> str:
    sizes = [p.efficiency.n for p in data.points if p.efficiency is not None]
    return (
        "Efficiency, warm, against CPUs. EMULATED: ideal list schedule of the waits / makespan on logical CPUs, 95 % "
        f"interval, {sample_sizes(sizes)}; measured: speedup / P on real cores, base: the sequential baseline; "
        "PREDICTED: from lengths, cost of a task at P = 1 and leases. Grey band: the documented 0.7 to 0.8."
    )


PLOT = Plot(
    name="scaleout", title="Efficiency beyond this machine", section="emulated", series=series, draw=draw,
    caption=caption, brief=True,
)  # fmt: skip
