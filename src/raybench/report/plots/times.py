"""Time against cores on logarithmic axes, warm: the base's ideal line and every cell that did the same work."""

from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

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
    seconds_axis,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One panel per workload: base seconds, and by backend the points (P, seconds)."""

    workloads: int  # all there are, also those beyond the panels
    panels: tuple[tuple[str, Estimate, dict[str, tuple[tuple[int, Estimate], ...]]], ...]
    backends: tuple[str, ...]


def series(findings: Findings) -> Series | None:
    """Take every row with a speedup, whose base is therefore known."""
    rows = [r for r in findings.rows if r.speedup is not None and r.base is not None]
    rows = [r for r in rows if r.makespan is not None and "control" not in r.cell.backend.tags]
    backends = tuple(dict.fromkeys(row.cell.backend.name for row in rows))
    by_workload: dict[str, list[Row]] = {}
    for row in rows:
        by_workload.setdefault(row.cell.workload.name, []).append(row)
    found = []
    for name, mine in by_workload.items():
        points: dict[str, list[tuple[int, Estimate]]] = {}
        for row in sorted(mine, key=lambda r: r.cell.cpus):
            if row.makespan is not None:
                points.setdefault(row.cell.backend.name, []).append((row.cell.cpus, row.makespan))
        base = next(row.base for row in mine if row.base is not None)
        found.append((name, base, {backend: tuple(line) for backend, line in points.items()}))
    return Series(workloads=len(found), panels=tuple(found[:MOST_PANELS]), backends=backends) if found else None


def draw(data: Series, figure: Figure) -> None:
    """Draw one panel per workload."""
    axes = panels(figure, [plain_text(name) for name, _, _ in data.panels])
    handles: dict[str, Any] = {}
    for place, (_, base, lines) in zip(axes, data.panels, strict=True):
        counts = sorted({1, *(cpus for line in lines.values() for cpus, _ in line)})
        handles["ideal: base / P"] = place.plot(
            counts, [base.point / p for p in counts], color="#444444", linewidth=1, zorder=1
        )[0]
        for backend, line in lines.items():
            at = data.backends.index(backend)
            shift = 1 + 0.02 * (at - (len(data.backends) - 1) / 2)
            handles[plain_text(backend)] = place.errorbar(
                [cpus * shift for cpus, _ in line], [e.point for _, e in line], yerr=errors([e for _, e in line]),
                markersize=5, linewidth=1, capsize=2.5, zorder=3, **look(at),
            )  # fmt: skip
        place.set_xscale("log", base=2)
        place.set_yscale("log")
        place.set_xticks(counts, [str(count) for count in counts])
        place.xaxis.set_minor_formatter(NullFormatter())
        place.set_xlim(min(counts) / 1.2, max(counts) * 1.2)
        seconds_axis(place, "y")
        place.set_xlabel("cores P")
        place.set_ylabel("time")
    legend(figure, handles)


def caption(data: Series) -> str:
    counts = [e.n for _, _, lines in data.panels for line in lines.values() for _, e in line]
    return (
        "Time against cores, warm, both axes logarithmic. Points: median makespan with 95 % rank interval, "
        f"{sample_sizes(counts)}. Line: the base, the one-thread sequential loop, divided by P."
        + beyond(data.workloads)
    )


PLOT = Plot(name="time", title="Time against cores", section="cells", series=series, draw=draw, caption=caption)
