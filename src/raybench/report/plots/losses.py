"""Where the core-seconds of each parallel cell went: stacked shares that add up to 1, warm."""

from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from raybench.analysis.losses import PARTS, CoreSeconds
from raybench.analysis.results import Findings
from raybench.report.cells import cores
from raybench.report.plots.canvas import COLOURS, HATCHES, Plot, legend, panels, plain_text, sample_sizes

SHADES = ("#3f7fbf", COLOURS[1], COLOURS[7], COLOURS[4], COLOURS[5], COLOURS[3], "#ffffff")
MOST_BARS = 90  # more would make a figure of several pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One bar per cell, in the order of the plan. cells : also those beyond the bars."""

    cells: int
    accounts: tuple[CoreSeconds, ...]


def series(findings: Findings) -> Series | None:
    """Take every parallel cell with stamps."""
    accounts = tuple(
        account for account in findings.accounts if account.cell.cpus > 1 and not account.cell.backend.is_control
    )
    return Series(cells=len(accounts), accounts=accounts[:MOST_BARS]) if accounts else None


def draw(data: Series, figure: Figure) -> None:
    """Draw one bar per cell; hatches repeat what colours say."""
    (place,) = panels(figure, [""], width=7.0, height=0.34 * len(data.accounts) + 1.0)
    at = range(len(data.accounts))
    left = [0.0] * len(data.accounts)
    handles: dict[str, Any] = {}
    for index, part in enumerate(PARTS):
        shares = [max(0.0, account.warm[part].point) for account in data.accounts]
        if not any(share > 1e-4 for share in shares):
            continue
        handles[part.replace("_", " ")] = place.barh(
            at, shares, left=left, height=0.72, color=SHADES[index], hatch=HATCHES[index], edgecolor="#333333",
            linewidth=0.5,
        )  # fmt: skip
        left = [start + share for start, share in zip(left, shares, strict=True)]
    names = [f"{a.cell.workload.name}, {a.cell.backend.name}, P={cores(a.cell)}" for a in data.accounts]
    place.set_yticks(at, [plain_text(name) for name in names])
    place.set_ylim(len(names) - 0.5, -0.5)
    place.set_xlim(0, max(1.0, *left))
    place.set_xlabel("share of P x makespan")
    place.grid(visible=False)
    legend(figure, handles, columns=4)


def caption(data: Series) -> str:
    return (
        "Shares of P x makespan, warm; useful: what the same tasks took in the one-thread loop of the same block (the "
        f"base); {sample_sizes([account.n for account in data.accounts])}, intervals in the table. Negative shares "
        "(tasks faster than in the sequential baseline) are drawn as 0."
        + (f" The first {MOST_BARS} of {data.cells} cells; the table has all." if data.cells > MOST_BARS else "")
    )


PLOT = Plot(
    name="core-seconds", title="Where the core-seconds went", section="losses", series=series, draw=draw,
    caption=caption,
)  # fmt: skip
