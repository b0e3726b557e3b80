"""The claims at a glance: each sentence with its verdict and the number it rests on."""

import textwrap
from collections import Counter
from dataclasses import dataclass

from matplotlib.figure import Figure

from raybench.analysis.results import ClaimLine, Findings
from raybench.model import units
from raybench.model.estimate import VerdictKind
from raybench.report.plots.canvas import COLOURS, MARKERS, Plot, panels, plain_text

LOOKS = {
    VerdictKind.SUPPORTED: ("o", COLOURS[2]),
    VerdictKind.REFUTED: ("X", COLOURS[1]),
    VerdictKind.INCONCLUSIVE: ("D", COLOURS[4]),
    VerdictKind.ANSWERED: ("s", COLOURS[0]),
    VerdictKind.EMULATED: ("v", COLOURS[3]),
    VerdictKind.PREDICTED: ("^", COLOURS[5]),
}
SENTENCE_CHARS = 74
LINE_INCH = 0.24


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The claims that were tested, by verdict."""

    lines: tuple[ClaimLine, ...]


def series(findings: Findings) -> Series | None:
    """Take every claim with a verdict other than UNTESTABLE."""
    order = list(VerdictKind)
    tested = [line for line in findings.claims if line.verdict is not VerdictKind.UNTESTABLE]
    return Series(lines=tuple(sorted(tested, key=lambda line: order.index(line.verdict)))) if tested else None


def draw(data: Series, figure: Figure) -> None:
    """Draw one line per claim: mark and colour of its verdict, the sentence, and the value in words."""
    (place,) = panels(figure, [""], width=9.6, height=LINE_INCH * len(data.lines) + 0.5)
    place.axis("off")
    place.set_xlim(0, 1)
    place.set_ylim(len(data.lines) - 0.5, -0.5)
    before = None
    for at, line in enumerate(data.lines):
        marker, colour = LOOKS.get(line.verdict, (MARKERS[1], COLOURS[7]))
        place.plot([0.012], [at], marker=marker, color=colour, markersize=7, linestyle="")
        if line.verdict is not before:
            place.text(0.03, at, str(line.verdict), va="center", fontsize=7, color=colour, fontweight="bold")
        before = line.verdict
        sentence = textwrap.shorten(f"{line.id}  {line.statement}", width=SENTENCE_CHARS, placeholder=" ...")
        place.text(0.145, at, plain_text(sentence), va="center", fontsize=7.5)
        place.text(0.72, at, plain_text(units.by_unit(line.value, line.unit)), va="center", fontsize=7.5)


def caption(data: Series) -> str:
    counts = Counter(line.verdict for line in data.lines)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in VerdictKind if counts[kind])
    return (
        f"Documented claims and their verdicts: {told}. Value, 95 % interval and n beside each; base, and cold or "
        "warm, as each claim demands (table)."
    )


PLOT = Plot(name="verdicts", title="Verdicts", section="claims", series=series, draw=draw, caption=caption)
