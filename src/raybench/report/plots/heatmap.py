"""Efficiency of every workload on every backend, as a map; what has no number says why by a hatch."""

from dataclasses import dataclass
from typing import Any

from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from raybench.analysis.results import Findings
from raybench.model import units
from raybench.model.estimate import Estimate, Row, VerdictKind
from raybench.report.cells import is_loop, status
from raybench.report.plots.canvas import Plot, legend, panels, plain_text, sample_sizes

FAILED, SKIPPED, OTHER = "failed or timed out", "skipped", "less work: no efficiency"
NO_LOOP = "no loop to compare with"
HATCH = {FAILED: "xxx", SKIPPED: "///", OTHER: "...", NO_LOOP: "oo"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """One cell of the map. efficiency : None where `why` says why; undecided : its interval leaves the band open."""

    workload: int
    backend: int
    efficiency: Estimate | None
    why: str
    undecided: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One map per P > 1."""

    maps: tuple[tuple[int, tuple[Square, ...]], ...]
    workloads: tuple[str, ...]
    backends: tuple[str, ...]


def series(findings: Findings) -> Series | None:
    """Take every parallel cell of the plan."""
    rows = [
        row
        for row in findings.rows
        if row.cell.cpus > 1
        and not is_loop(row)
        and not row.cell.backend.is_control
        and row.cell.workload.name not in findings.sweeps
    ]
    if not any(row.efficiency is not None for row in rows):
        return None
    workloads = tuple(dict.fromkeys(row.cell.workload.name for row in rows))
    backends = tuple(dict.fromkeys(row.cell.backend.name for row in rows))
    maps = []
    for cpus in sorted({row.cell.cpus for row in rows}):
        squares: dict[tuple[int, int], Square] = {}
        for row in (r for r in rows if r.cell.cpus == cpus):
            at = (workloads.index(row.cell.workload.name), backends.index(row.cell.backend.name))
            if at not in squares or squares[at].efficiency is None:
                squares[at] = _square(row, *at)
        maps.append((cpus, tuple(squares.values())))
    return Series(maps=tuple(maps), workloads=workloads, backends=backends)


def _square(row: Row, workload: int, backend: int) -> Square:
    why = ""
    if row.efficiency is None:
        done = OTHER if row.base is not None else NO_LOOP
        waiting = status(row) in ("skipped", "not measured yet")
        why = done if row.n else SKIPPED if waiting else FAILED
    undecided = row.band is VerdictKind.INCONCLUSIVE
    return Square(workload=workload, backend=backend, efficiency=row.efficiency, why=why, undecided=undecided)


def draw(data: Series, figure: Figure) -> None:
    """Draw one map per P: the number is in the square, its shade repeats it."""
    shades = LinearSegmentedColormap.from_list("efficiency", ["#ffffff", "#9ecae1", "#3182bd"])
    axes = panels(
        figure,
        [f"P = {cpus}" for cpus, _ in data.maps],
        columns=1,
        width=1.15 * len(data.backends) + 2.2,
        height=0.46 * len(data.workloads) + 1.1,
    )
    seen = set()
    for place, (_, squares) in zip(axes, data.maps, strict=True):
        place.grid(visible=False)
        for square in squares:
            shown = square.efficiency
            corner = (square.backend - 0.5, square.workload - 0.5)
            if shown is None:
                seen.add(square.why)
                face: dict[str, Any] = {"facecolor": "#f7f7f7", "hatch": HATCH[square.why], "edgecolor": "#999999"}
                place.add_patch(Rectangle(corner, 1, 1, linewidth=0.5, **face))
                continue
            strength = min(max(shown.point, 0.0), 1.0)
            edge: dict[str, Any] = (
                {"edgecolor": "#222222", "linestyle": "--"} if square.undecided else {"edgecolor": "#ffffff"}
            )
            place.add_patch(Rectangle(corner, 1, 1, facecolor=shades(strength), linewidth=1, **edge))
            point, _, interval = units.share(shown, with_n=False).partition(" ")
            ink = "#ffffff" if strength > 0.85 else "#111111"
            at = (square.backend, square.workload)
            # in_layout: they stand within their square, and fitting the margins to each takes half of the time
            words: dict[str, Any] = {"ha": "center", "va": "center", "color": ink, "in_layout": False}
            place.annotate(point, at, xytext=(0, 4), textcoords="offset points", **words)
            place.annotate(interval, at, xytext=(0, -7), textcoords="offset points", fontsize=7, **words)
        place.set_xlim(-0.5, len(data.backends) - 0.5)
        place.set_ylim(len(data.workloads) - 0.5, -0.5)
        place.set_xticks(range(len(data.backends)), [plain_text(b) for b in data.backends], rotation=25, ha="right")
        place.set_yticks(range(len(data.workloads)), [plain_text(w) for w in data.workloads])
        place.tick_params(length=0)
    patches = [
        Patch(facecolor="#f7f7f7", edgecolor="#999999", hatch=HATCH[why], label=why) for why in HATCH if why in seen
    ]
    if patches:
        legend(figure, {str(patch.get_label()): patch for patch in patches})


def caption(data: Series) -> str:
    counts = [s.efficiency.n for _, squares in data.maps for s in squares if s.efficiency is not None]
    return (
        "Parallel efficiency, warm: speedup / P; base: the one-thread sequential loop. Number and 95 % interval, "
        f"{sample_sizes(counts)}; a dashed frame: undecided against the documented 0.7 to 0.8. Hatched squares have no "
        "number, empty ones were not planned."
    )


PLOT = Plot(
    name="efficiency", title="Efficiency by workload and backend", section="cells", series=series, draw=draw,
    caption=caption,
)  # fmt: skip
