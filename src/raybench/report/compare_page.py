"""A comparison of two runs as one self-contained HTML page: no script, no network."""

from raybench.analysis.compare import Comparison, Outcome
from raybench.model.estimate import VerdictKind
from raybench.report import texts_compare
from raybench.report.comparison import Page, claims_table, page
from raybench.report.html import environment
from raybench.report.tables import Table

GOOD, BAD = "supported", "refuted"  # classes of the page's style
CLASSES = {
    str(Outcome.BETTER): GOOD,
    str(Outcome.WORSE): BAD,
    str(VerdictKind.SUPPORTED): GOOD,
    str(VerdictKind.REFUTED): BAD,
}
VERDICTS = ("verdict", "in A", "in B")  # columns that are coloured


def compare_page(found: Comparison, *, only_changed: bool = False, report: str = "") -> str:
    """Write the page. report : a link to the report that it belongs to; '' where it stands alone."""
    shown: Page = page(found, only_changed=only_changed)
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            found=found,
            shown=shown,
            claims=claims_table(found),
            carried=texts_compare.carried(*carried(found)) if found.claims else "",
            outcome=str(found.outcome) if found.comparable else "",
            not_comparable=texts_compare.NOT_COMPARABLE,
            report=report,
            style=_style,
        )
    )


def carried(found: Comparison) -> tuple[int, int]:
    """Return how many claims have the same verdict in both runs, and how many both test."""
    return len(found.claims) - len(found.changed_claims), len(found.claims)


def _style(table: Table, column: int, text: str) -> str:
    """Return the classes of a cell of a table."""
    name = table.columns[column]
    if name in VERDICTS:
        return f"verdict {CLASSES.get(text.split(' ')[0], 'open')}"
    return "number" if name in table.numeric else "text"
