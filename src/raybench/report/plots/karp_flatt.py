"""The serial fraction that each speedup implies (Karp & Flatt), against cores."""

from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from raybench.model import Estimate
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """By workload and backend: points (P, serial fraction)."""

    workloads: int  # all there are, also those beyond the panels
    panels: tuple[tuple[str, dict[str, tuple[tuple[int, Estimate], ...]]], ...]
    backends: tuple[str, ...]


def series(findings: Findings) -> Series | None:
    """Take every row on more than one core that has a speedup."""
    found: dict[str, dict[str, list[tuple[int, Estimate]]]] = {}
    for row in sorted(findings.rows, key=lambda r: r.cell.cpus):
        if row.karp_flatt is not None and "control" not in row.cell.backend.tags:
            lines = found.setdefault(row.cell.workload.name, {})
            lines.setdefault(row.cell.backend.name, []).append((row.cell.cpus, row.karp_flatt))
    backends = tuple(dict.fromkeys(backend for lines in found.values() for backend in lines))
    made = tuple((name, {b: tuple(points) for b, points in lines.items()}) for name, lines in found.items())
    return Series(workloads=len(made), panels=made[:MOST_PANELS], backends=backends) if made else None


def draw(data: Series, figure: Figure) -> None:
    """Draw one panel per workload; below 0 is superlinear."""
    axes = panels(figure, [plain_text(name) for name, _ in data.panels])
    handles: dict[str, Any] = {}
    for place, (_, lines) in zip(axes, data.panels, strict=True):
        place.axhline(0, color="#444444", linewidth=0.8)
        for backend, points in lines.items():
            at = data.backends.index(backend)
            shift = 0.05 * (at - (len(data.backends) - 1) / 2)
            handles[plain_text(backend)] = place.errorbar(
                [cpus + shift for cpus, _ in points], [e.point for _, e in points], yerr=errors([e for _, e in points]),
                markersize=5, linewidth=1, capsize=2.5, **look(at),
            )  # fmt: skip
        counts = sorted({cpus for points in lines.values() for cpus, _ in points})
        place.set_xticks(counts)
        place.set_xlim(min(counts) - 0.5, max(counts) + 0.5)
        place.set_xlabel("cores P")
        place.set_ylabel("serial fraction")
    legend(figure, handles)


def caption(data: Series) -> str:
    counts = [e.n for _, lines in data.panels for points in lines.values() for _, e in points]
    return (
        "Serial fraction by Karp and Flatt, warm; base: the one-thread sequential loop; 95 % interval, "
        f"{sample_sizes(counts)}. A constant fraction is a serial part, one that rises with P is overhead, below 0 is "
        "superlinear." + beyond(data.workloads)
    )


PLOT = Plot(
    name="karp-flatt", title="Karp-Flatt serial fraction", section="cells", series=series, draw=draw, caption=caption
)
