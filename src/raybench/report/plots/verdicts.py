"""The claims at a glance: how many of each verdict, and each measured value within its own line."""

from collections import Counter
from dataclasses import dataclass

from matplotlib.figure import Figure

from raybench.analysis.results import ClaimLine, Findings
from raybench.model import units
from raybench.model.estimate import VerdictKind
from raybench.report.plots.canvas import COLOURS, Plot, panels, plain_text

MARKS = {
    VerdictKind.SUPPORTED: ("o", COLOURS[2]),
    VerdictKind.REFUTED: ("X", COLOURS[1]),
    VerdictKind.INCONCLUSIVE: ("D", COLOURS[4]),
    VerdictKind.PREDICTED: ("^", COLOURS[5]),
    VerdictKind.UNTESTABLE: ("_", COLOURS[7]),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The claims in their order."""

    lines: tuple[ClaimLine, ...]


def series(findings: Findings) -> Series | None:
    """Take every claim that was judged."""
    return Series(lines=findings.claims) if findings.claims else None


def draw(data: Series, figure: Figure) -> None:
    """Draw one line per claim: a mark in the column of its verdict, and the value in words."""
    (place,) = panels(figure, [""], width=8.6, height=0.24 * len(data.lines) + 0.9)
    kinds = list(VerdictKind)
    for at, line in enumerate(data.lines):
        marker, colour = MARKS[line.verdict]
        place.plot([kinds.index(line.verdict)], [at], marker=marker, color=colour, markersize=8, linestyle="")
        value = units.by_unit(line.value, line.unit)
        place.annotate(plain_text(value), (4.6, at), va="center", fontsize=7)
    place.set_xticks(range(len(kinds)), [str(kind) for kind in kinds], fontsize=6.5)
    place.xaxis.tick_top()
    place.set_yticks(
        range(len(data.lines)), [plain_text(f"{line.id}  {line.band[:44]}") for line in data.lines], fontsize=7
    )
    place.set_xlim(-0.6, 7.2)
    place.set_ylim(len(data.lines) - 0.5, -0.5)


def caption(data: Series) -> str:
    counts = Counter(line.verdict for line in data.lines)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in VerdictKind if counts[kind])
    return (
        f"Documented sentences and their verdicts: {told}. Value, 95 % interval and n beside each; base, and cold or "
        "warm, as each sentence demands (table)."
    )


PLOT = Plot(name="verdicts", title="Verdicts", section="claims", series=series, draw=draw, caption=caption)
