"""The numbers of the charts that the HTML report draws itself: the series of the figures, as JSON."""

from collections.abc import Callable, Mapping
from typing import Any

from raybench.analysis.losses import PARTS
from raybench.analysis.speedup import BAND
from raybench.model import units
from raybench.model.estimate import Estimate, Row
from raybench.model.plan import Cell
from raybench.report.cells import cores
from raybench.report.plots import efficiency, forest, losses

DIGITS = 6  # of a coordinate; more differ between processors


def charts(series: Mapping[str, Any]) -> dict[str, Any]:
    """Return what each chart of the page draws. series : by the name of its figure."""
    return {name: write(series[name]) for name, write in WRITERS.items() if name in series}


def rounded(value: float) -> float:
    """Round a coordinate to the digits that every processor gives."""
    return float(f"{value:.{DIGITS}g}")


def _forest(data: forest.Series) -> dict[str, Any]:
    groups = []
    for kind, lines in data.groups:
        rows = [
            {
                **_cell(line.row.cell),
                "warm": _estimate(line.warm, units.ratio),
                "cold": _estimate(line.cold, units.ratio),
            }
            for line in lines
            if line.row is not None
        ]
        groups.append({"kind": kind, "rows": rows})
    return {"band": BAND, "groups": groups}


def _efficiency(data: efficiency.Series) -> dict[str, Any]:
    panels = [
        {"backend": name, "lines": [{"kind": kind, "points": list(map(_point, rows))} for kind, rows in lines]}
        for name, lines in data.panels
    ]
    return {"band": BAND, "panels": panels}


def _point(row: Row) -> dict[str, Any]:
    ceiling = rounded(row.ceiling.point) if row.ceiling else None
    return {**_cell(row.cell), "share": _estimate(row.efficiency, units.share), "ceiling": ceiling}


def _shares(data: losses.Series) -> dict[str, Any]:
    rows = [
        {**_cell(account.cell), "shares": [rounded(max(0.0, account.warm[part].point)) for part in PARTS]}
        for account in data.accounts
    ]
    return {"parts": [part.replace("_", " ") for part in PARTS], "rows": rows}


WRITERS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    forest.PLOT.name: _forest,
    efficiency.PLOT.name: _efficiency,
    losses.PLOT.name: _shares,
}


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "cell": cell.key,
        "workload": cell.workload.name,
        "backend": cell.backend.name,
        "cpus": cell.cpus,
        "cores": cores(cell),
    }


def _estimate(estimate: Estimate | None, write: Callable[[Estimate], str]) -> list[Any] | None:
    """Return point, low, high and the text; an end that is infinite becomes null in JSON."""
    if estimate is None:
        return None
    return [*map(rounded, (estimate.point, estimate.low, estimate.high)), write(estimate)]
