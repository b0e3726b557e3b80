"""Every planned cell in few lines: one per workload and P, one column per backend; for studies of many cells."""

from collections.abc import Sequence

from raybench.model import units
from raybench.model.estimate import Estimate, Row
from raybench.report.cells import STRONG, clip, cores, is_loop, status
from raybench.report.tables import Entry, Table, code, number, word

CAPTION = (
    "Every planned cell, warm, in short; the page has base, time, efficiency and verdict of each. A ratio: speedup "
    "against the base time in the same row (the one-thread loop), median [95 % interval], n blocks; with a share of "
    "steps: base / time, no speedup; a time: no base to compare with. Numbers in parentheses: reasons "
    f"below. Empty: not planned. {STRONG}"
)


def pivot(rows: Sequence[Row]) -> tuple[Table, Table]:
    """Return the table and the numbered reasons of what is missing in it."""
    backends = list(dict.fromkeys(row.cell.backend.name for row in rows if row.cell.backend.name != "sequential"))
    reasons: dict[str, int] = {}
    lines: dict[tuple[str, str], dict[str, str]] = {}
    base: dict[str, Estimate | None] = {}
    order = list(dict.fromkeys(row.cell.workload.name for row in rows))
    for row in sorted(rows, key=lambda r: (order.index(r.cell.workload.name), r.cell.cpus)):
        workload = row.cell.workload.name
        if row.cell.backend.name == "sequential" and row.cell.cpus == 1:
            base[workload] = row.makespan
            if row.makespan is not None:
                continue
        line = lines.setdefault((workload, _column(row)), {})
        told = _brief(row, reasons)
        name = row.cell.backend.name
        line[name] = f"{line[name]}; {told}" if name in line else told
    if any("sequential" in line for line in lines.values()):
        backends.insert(0, "sequential")
    shown = [
        (
            code(workload),
            word(count),
            number(units.seconds(base.get(workload)), None),
            *(word(line.get(backend, "")) for backend in backends),
        )
        for (workload, count), line in lines.items()
    ]
    table = Table(
        name="cells", columns=("workload", "P", "base time", *backends), rows=tuple(shown), caption=CAPTION,
        numeric=frozenset({"base time"}),
    )  # fmt: skip
    listed = tuple((Entry(str(index)), word(reason)) for reason, index in reasons.items())
    return table, Table(name="reasons", columns=("number", "reason"), rows=listed)


def _column(row: Row) -> str:
    """Return P; a loop with threads stands beside the parallel cells with as many cores."""
    return str(row.cell.cpus) if is_loop(row) else cores(row.cell)


def _brief(row: Row, reasons: dict[str, int]) -> str:
    """Write a cell in a few words, with the number of its reason."""
    reason = clip(row.reason)
    mark = f" ({reasons.setdefault(reason, len(reasons) + 1)})" if reason else ""
    if row.speedup is not None:
        return units.ratio(row.speedup) + mark
    if row.time_to_score is not None:
        return f"{units.ratio(row.time_to_score)}, {units.plain(100 * row.work_ratio)} % of steps{mark}"
    return (units.seconds(row.makespan) if row.makespan is not None else status(row)) + mark
