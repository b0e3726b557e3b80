"""Where the core-seconds of each parallel cell went: stacked shares that add up to 1, warm."""

from dataclasses import dataclass

from raybench.analysis.losses import CoreSeconds
from raybench.analysis.results import Findings
from raybench.report.plots.canvas import Plot, sample_sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One bar per cell, in the order of the plan."""

    accounts: tuple[CoreSeconds, ...]


def series(findings: Findings) -> Series | None:
    """Take every parallel cell with stamps; with more workers than cores, shares of P x makespan pass 1 many times."""
    accounts = tuple(
        account
        for account in findings.accounts
        if account.cell.cpus > 1 and not account.cell.oversubscribed and not account.cell.backend.is_control
    )
    return Series(accounts=accounts) if accounts else None


def caption(data: Series) -> str:
    return (
        "Shares of P x makespan, warm; useful: what the same tasks took in the sequential baseline of the same block "
        f"(the base); {sample_sizes([account.n for account in data.accounts])}, intervals in the table. Negative "
        "shares (tasks faster than in the sequential baseline) are drawn as 0; cells with more workers than cores are "
        "in the table alone."
    )


PLOT = Plot(
    name="core-seconds", title="Where the core-seconds went", section="losses", series=series, caption=caption,
)  # fmt: skip
