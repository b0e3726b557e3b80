"""Parallel efficiency against cores, one panel per backend, with the documented band."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from raybench.analysis.kinds import Kind, is_loop, kind_of
from raybench.analysis.results import Findings
from raybench.analysis.speedup import BAND
from raybench.model.estimate import Estimate, Row
from raybench.model.plan import Role
from raybench.report.plots.canvas import Plot, errors, legend, look, panels, plain_text, sample_sizes

MOST_PANELS = 6  # in the order of how many workloads each backend has
ASIDE, SPREAD = 0.09, 0.8  # between two workloads at one P, and at most between the first and the last, in cores
CEILING_CORES = 0.07  # half of the bar that marks a ceiling

Lines = tuple[tuple[Kind, tuple[Row, ...]], ...]  # one per workload, by rising P; every row has an efficiency


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """By backend, the efficiencies of its workloads."""

    panels: tuple[tuple[str, Lines], ...]

    @property
    def rows(self) -> list[Row]:
        """Return the rows of all points."""
        return [row for _, lines in self.panels for _, rows in lines for row in rows]


def series(findings: Findings) -> Series | None:
    """Take every efficiency on more than one core, and those on one core of the same workloads."""
    found: dict[str, dict[str, tuple[Kind, list[Row]]]] = {}
    for row in findings.rows:
        kind, backend = kind_of(row.cell.workload), row.cell.backend
        if row.efficiency is None or kind is None or is_loop(backend) or row.cell.oversubscribed or row.cell.emulated:
            continue
        if backend.is_control or backend.role is Role.COLD_START:
            continue
        of_backend = found.setdefault(backend.name, {})
        of_backend.setdefault(row.cell.workload.name, (kind, []))[1].append(row)
    made = []
    for name, workloads in sorted(found.items(), key=lambda pair: -len(pair[1])):
        lines = tuple((kind, tuple(sorted(rows, key=lambda row: row.cell.cpus))) for kind, rows in workloads.values())
        if any(row.cell.cpus > 1 for _, rows in lines for row in rows):
            made.append((name, lines))
    return Series(panels=tuple(made[:MOST_PANELS])) if made else None


def draw(data: Series, figure: Figure) -> None:
    """Draw one mark per workload and P, coloured by its kind of work; lines join one workload's marks."""
    handles: dict[str, Any] = {}
    counts = sorted({row.cell.cpus for row in data.rows})
    kinds = list(Kind)
    names = [plain_text(name) for name, _ in data.panels]
    for place, (_, lines) in zip(panels(figure, names, columns=4, width=2.5, height=2.8), data.panels, strict=True):
        handles[f"{BAND[0]} to {BAND[1]}"] = place.axhspan(*BAND, color="#d9d9d9", linewidth=0, zorder=0)
        beside: Counter[int] = Counter()
        all_of = Counter(row.cell.cpus for _, rows in lines for row in rows)
        for kind, rows in sorted(lines, key=lambda line: kinds.index(line[0])):
            style = look(kinds.index(kind))
            places = []
            for row in rows:
                cpus, ceiling = row.cell.cpus, row.ceiling
                at = cpus + (beside[cpus] - (all_of[cpus] - 1) / 2) * min(ASIDE, SPREAD / all_of[cpus])
                places.append(at)
                if ceiling is not None:
                    handles["hardware ceiling"] = place.plot(
                        [at - CEILING_CORES, at + CEILING_CORES], [ceiling.point] * 2, color="#222222", linewidth=2
                    )[0]
                beside[cpus] += 1
            shares = _efficiencies(rows)
            handles[str(kind)] = place.errorbar(
                places, [e.point for e in shares], yerr=errors(shares),
                color=style["color"], marker=style["marker"], markersize=4, linewidth=0.8, capsize=1.5, zorder=3,
            )  # fmt: skip
        handles["ideal"] = place.axhline(1, color="#444444", linewidth=0.8)
        place.set_xticks(counts)
        place.set_xlim(min(counts) - 0.6, max(counts) + 0.6)
        place.set_ylim(0, 1.4)
        place.set_xlabel("cores P")
        place.set_ylabel("efficiency")
    legend(figure, handles, columns=4)


def _efficiencies(rows: Sequence[Row]) -> list[Estimate]:
    return [row.efficiency for row in rows if row.efficiency is not None]


def caption(data: Series) -> str:
    return (
        "Parallel efficiency, warm: speedup / P; base: the sequential baseline of the same workload. One mark per "
        f"workload, 95 % interval, {sample_sizes([e.n for e in _efficiencies(data.rows)])}, measured. Grey band: the "
        "documented 0.7 to 0.8; black bar: hardware ceiling from bare processes, where measured."
    )


PLOT = Plot(
    name="efficiency", title="Efficiency against cores", section="metg", series=series, draw=draw, caption=caption,
    brief=True,
)  # fmt: skip
