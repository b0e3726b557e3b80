"""The section on emulated scale-out: efficiency by topology, length and lease; replays; the predictor's errors."""

from collections.abc import Iterator, Sequence

import numpy as np

from raybench.analysis.emulation import Emulation, Point
from raybench.analysis.results import Findings
from raybench.model import units
from raybench.model.estimate import Estimate
from raybench.report import texts_emulated as texts
from raybench.report.cells import clip
from raybench.report.section import Paragraph, Section
from raybench.report.tables import Entry, Table, code, number, word

RAY_TASKS = "ray_tasks"  # with its variants: the backend whose leases are compared


def section(findings: Findings) -> Section | None:
    """Show the emulated cells of the run, or of the machine's newest emulated run; None where there are none."""
    found = findings.emulated
    if found is None:
        return None
    about: list[Paragraph] = [(word(texts.WHAT),)]
    if found.run:
        about.append((word(texts.whose(found.run)),))
    return Section(
        id="emulated",
        title=texts.TITLE,
        paragraphs=tuple(about),
        bullets=tuple((word(said),) for said in _findings(found)),
        tables=tuple(table for table in (_lengths(found), _recorded(found)) if table.rows),
        details=(_every(found),),
    )


def made_up(found: Emulation) -> list[Point]:
    """List the valid points of Ray tasks whose lengths are given and grow with P."""
    return [p for p in found.points if p.growing and p.contention is None and _is_ray_tasks(p) and p.efficiency]


def _is_ray_tasks(point: Point) -> bool:
    return RAY_TASKS in (point.cell.backend.name, point.cell.backend.variant_of)


def _findings(found: Emulation) -> Iterator[str]:
    pairs = list(lease_pairs(found))
    yield from (texts.lease(*pair) for pair in pairs)
    if any("+" in topology for topology, *_ in pairs):
        yield texts.LEASE_WHY
    if found.anchors:
        yield texts.anchors(sorted(found.anchors.items()))
    errors = [p.error.point for p in found.points if p.error is not None]
    if errors:
        yield texts.errors(max(map(abs, errors)), float(np.mean(errors)), len(errors))
    yield from (texts.laws(one.workload, one.laws) for one in found.scaling)


def lease_pairs(
    found: Emulation,
) -> Iterator[tuple[str, float, tuple[float, Estimate], tuple[float, Estimate]]]:
    """Yield topology, task seconds, and the shortest and the longest lease with their efficiencies, where both are."""
    for (topology, _), points in _grouped(made_up(found)).items():
        by_lease = sorted((p.lease_s, p.efficiency) for p in points if p.lease_s is not None and p.efficiency)
        if len(by_lease) > 1:
            yield topology, points[0].task_s, by_lease[0], by_lease[-1]


def _grouped(points: Sequence[Point]) -> dict[tuple[str, str], list[Point]]:
    """Group points by topology and length."""
    groups: dict[tuple[str, str], list[Point]] = {}
    for point in sorted(points, key=lambda p: (len(p.nodes), p.cell.cpus, -p.task_s)):
        groups.setdefault((point.topology, point.cell.workload.name), []).append(point)
    return groups


def _lengths(found: Emulation) -> Table:
    points = made_up(found)
    leases = sorted({p.lease_s for p in points if p.lease_s is not None})
    names = {lease: f"lease {units.duration(lease)}" for lease in leases}
    columns = ("CPUs of each node", "task", *(text for lease in leases for text in (names[lease], "predicted")))
    rows = []
    for (topology, _), mine in _grouped(points).items():
        by_lease = {p.lease_s: p for p in mine}
        entries = [entry for lease in leases for entry in _pair(by_lease.get(lease))]
        rows.append((word(topology), number(units.duration(mine[0].task_s), mine[0].task_s), *entries))
    numeric = frozenset(columns) - {"CPUs of each node"}
    return Table(name="emulated", columns=columns, rows=tuple(rows), numeric=numeric, caption=texts.LENGTHS)


def _pair(point: Point | None) -> tuple[Entry, Entry]:
    if point is None or point.efficiency is None:
        return word(units.ABSENT), word(units.ABSENT)
    told = units.ABSENT if point.predicted is None else units.plain(point.predicted)
    return number(units.share(point.efficiency), point.efficiency.point), number(told, point.predicted)


def _recorded(found: Emulation) -> Table:
    columns = ("replayed", "CPUs", "task", "speedup", "with contention", "factor")
    rows = []
    for point in found.points:
        if point.contention is None or point.speedup is None or not point.growing:
            continue
        source = str(point.cell.workload.params["recorded"]["workload"])
        under = point.speedup.point / point.contention.point
        rows.append(
            (
                code(source),
                number(point.topology, point.cell.cpus),
                number(units.duration(point.task_s), point.task_s),
                number(units.ratio(point.speedup), point.speedup.point),
                number(f"{units.plain(under)}x", under),
                number(units.share(point.contention), point.contention.point),
            )
        )
    numeric = frozenset(columns) - {"replayed"}
    return Table(name="replayed", columns=columns, rows=tuple(rows), numeric=numeric, caption=texts.RECORDED)


def _every(found: Emulation) -> Table:
    columns = ("workload", "backend", "CPUs", "cores", "lease", "n", "E", "S", "error", "share of the work", "notes")
    rows = tuple(
        (
            code(p.cell.workload.name),
            code(p.cell.backend.name),
            number(p.topology, p.cell.cpus),
            number(str(p.cell.real), p.cell.real),
            number(units.ABSENT if p.lease_s is None else units.duration(p.lease_s), p.lease_s),
            number(str(p.n), p.n),
            number(units.share(p.efficiency), p.efficiency.point if p.efficiency else None),
            number(units.ratio(p.speedup), p.speedup.point if p.speedup else None),
            number(units.percent(p.error), p.error.point if p.error else None),
            number(units.plain(p.work_ratio) if p.efficiency else units.ABSENT, p.work_ratio),
            word(clip(p.reason) or "EMULATED"),
        )
        for p in found.points
    )
    numeric = frozenset(columns) - {"workload", "backend", "notes"}
    return Table(name="every emulated cell", columns=columns, rows=rows, numeric=numeric, caption=texts.ALL)
