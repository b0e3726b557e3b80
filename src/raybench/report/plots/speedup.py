"""Speedup against cores, warm: ideal line, documented band, hardware ceiling, measured points with intervals."""

from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from raybench.model import Estimate, Row
from raybench.report.findings import Findings
from raybench.report.plots.canvas import (
    MOST_PANELS,
    Plot,
    beyond,
    errors,
    legend,
    look,
    panels,
    plain_text,
    sample_sizes,
)
from raybench.scaling import BAND


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One backend on one workload, by rising P."""

    backend: str
    cpus: tuple[int, ...]
    speedup: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One panel per workload. ceiling : (P, hardware ceiling as a speedup)."""

    workloads: int  # all there are, also those beyond the panels
    panels: tuple[tuple[str, tuple[Line, ...], tuple[tuple[int, Estimate], ...]], ...]
    backends: tuple[str, ...]


def series(findings: Findings) -> Series | None:
    """Take every row that has a speedup."""
    rows = [row for row in findings.rows if row.speedup is not None and "control" not in row.cell.backend.tags]
    if not rows:
        return None
    backends = tuple(dict.fromkeys(row.cell.backend.name for row in rows))
    by_workload: dict[str, list[Row]] = {}
    for row in rows:
        by_workload.setdefault(row.cell.workload.name, []).append(row)
    found = []
    for workload, mine in by_workload.items():
        lines = []
        for backend in dict.fromkeys(row.cell.backend.name for row in mine):
            points = sorted((r for r in mine if r.cell.backend.name == backend), key=lambda r: r.cell.cpus)
            estimates = tuple(r.speedup for r in points if r.speedup is not None)
            lines.append(Line(backend=backend, cpus=tuple(r.cell.cpus for r in points), speedup=estimates))
        ceiling = {row.cell.cpus: row.ceiling for row in mine if row.ceiling is not None}
        found.append((workload, tuple(lines), tuple(sorted(ceiling.items(), key=lambda item: item[0]))))
    return Series(workloads=len(found), panels=tuple(found[:MOST_PANELS]), backends=backends)


def draw(data: Series, figure: Figure) -> None:
    """Draw one panel per workload; points of one backend are joined, because P is ordered."""
    top = max(2, *(max(line.cpus) for _, lines, _ in data.panels for line in lines))
    axes = panels(figure, [plain_text(name) for name, _, _ in data.panels])
    handles: dict[str, Any] = {}
    for place, (_, lines, ceiling) in zip(axes, data.panels, strict=True):
        span = [1.0, float(top)]
        handles["ideal"] = place.plot(span, span, color="#444444", linewidth=1, zorder=1)[0]
        handles["efficiency 0.7–0.8"] = place.fill_between(
            span, [BAND[0] * x for x in span], [BAND[1] * x for x in span], color="#d9d9d9", linewidth=0, zorder=0,
        )  # fmt: skip
        for cpus, bound in ceiling:
            handles["hardware ceiling"] = place.plot(
                [cpus - 0.18, cpus + 0.18], [cpus * bound.point] * 2, color="#222222", linewidth=2.5, zorder=2
            )[0]
        for line in lines:
            place_in_row = data.backends.index(line.backend)
            shift = 0.03 * (place_in_row - (len(data.backends) - 1) / 2)  # points of one P stand side by side
            handles[plain_text(line.backend)] = place.errorbar(
                [cpus + shift for cpus in line.cpus],
                [estimate.point for estimate in line.speedup],
                yerr=errors(list(line.speedup)),
                markersize=5, linewidth=1, capsize=2.5, zorder=3, **look(place_in_row),
            )  # fmt: skip
        place.set_xticks(sorted({1, *(cpus for line in lines for cpus in line.cpus)}))
        place.set_xlim(0.75, top + 0.35)
        place.set_ylim(bottom=0)
        place.set_xlabel("cores P")
        place.set_ylabel("speedup")
    legend(figure, handles)


def caption(data: Series) -> str:
    counts = [estimate.n for _, lines, _ in data.panels for line in lines for estimate in line.speedup]
    return (
        "Speedup against cores, warm; base: the one-thread sequential loop of the same workload. "
        f"Points: ratio of medians with 95 % interval, {sample_sizes(counts)}. Line: ideal; grey band: documented "
        "efficiency 0.7 to 0.8; bar: hardware ceiling from bare processes, where measured. Cells that did less work "
        "than the loop are not shown." + beyond(data.workloads)
    )


PLOT = Plot(name="speedup", title="Speedup against cores", section="cells", series=series, draw=draw, caption=caption)
