"""reports/index.html: the document as one self-contained page; no network, no library.

Tables and charts are built by the page's own script from the data in it; without a script the answers, and the tables
and figures that RESULTS.md has too, are read from `noscript`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from raybench.analysis.dataset import RunData
from raybench.analysis.results import Findings
from raybench.model import units
from raybench.model.estimate import VerdictKind
from raybench.report.details import details, embed_json
from raybench.report.document import Document
from raybench.report.evidence import DECIDED
from raybench.report.html import environment
from raybench.report.recorded import flat
from raybench.report.section import Section
from raybench.report.tables import Entry, Table, word

FILTERED = frozenset({"workload", "claim"})  # tables with such a column follow the page's filter
VERDICT = "verdict"
IN_TABLE = frozenset({"verdicts"})  # figures that say no more than the table beside them does


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A section with its tables as the page shows them: some at once, others behind a line to open."""

    section: Section
    shown: tuple[Table, ...]
    folded: tuple[Table, ...]


def page(
    document: Document, run: RunData, findings: Findings, *, pictures: Mapping[str, str], charts: Mapping[str, Any]
) -> str:
    """Write the page. pictures : SVG text by the name of its figure; charts : what the page draws itself."""
    parts = [_part(section) for section in document.sections]
    facts, hidden = _facts(run), IN_TABLE | charts.keys()
    tables = [table for part in parts for table in (*part.shown, *part.folded)] + [facts]
    data = {
        **details(run, findings),
        "charts": charts,
        "tables": {table.name: table_data(table) for table in tables},
        "claims": _claimed(findings),
        "verdicts": [str(kind) for kind in VerdictKind],
    }
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            document=document,
            parts=parts,
            absent=units.ABSENT,
            plan=run.plan,
            blocks=len({m.block for m in run.measurements}),
            cores=sorted({cell.cpus for cell in run.plan.cells}),
            pictures={name: _data_uri(svg) for name, svg in pictures.items() if name not in hidden},
            still={name: _data_uri(svg) for name, svg in pictures.items() if name in charts},
            charts=charts,
            facts=facts,
            data=Markup(embed_json(data)),
        )
    )


def _claimed(findings: Findings) -> dict[str, str]:
    """Return by claim the names of the workloads and backends behind its verdict: a filter by name finds it too."""
    names = {row.cell.key: (row.cell.workload.name, row.cell.backend.name) for row in findings.rows}
    return {
        line.id: " ".join(dict.fromkeys(name for key in line.cells for name in names.get(key, ())))
        for line in findings.claims
    }


def table_data(table: Table) -> dict[str, Any]:
    """Return a table as JSON: an entry is its text, or a list of text, sort value and target."""
    columns = range(len(table.columns))
    return {
        "columns": table.columns,
        "numeric": [i for i in columns if table.columns[i] in table.numeric],
        "code": [i for i in columns if any(row[i].code for row in table.rows)],
        "filter": bool(FILTERED & set(table.columns)),
        "rows": [[_entry(entry) for entry in row] for row in table.rows],
    }


def _entry(entry: Entry) -> Any:
    target = f"#{entry.ref}" if entry.ref else entry.link
    if target:
        return [entry.text, entry.sort, target]
    return entry.text if entry.sort is None else [entry.text, entry.sort]


def _part(section: Section) -> Part:
    """Choose what is open: the tables of RESULTS.md with decided claims only, and the first of the other sections."""
    tables = section.tables
    if any(VERDICT in table.columns for table in tables):
        split = [half for table in tables for half in _by_verdict(table) if half.rows]
        return Part(section=section, shown=tuple(split[:1]), folded=(*split[1:], *section.details))
    if section.brief:
        return Part(section=section, shown=tables, folded=section.details)
    at_once = 0 if section.figures else 1  # a chart shows what its table holds
    return Part(section=section, shown=tables[:at_once], folded=(*tables[at_once:], *section.details))


def _by_verdict(table: Table) -> tuple[Table, Table]:
    at = table.columns.index(VERDICT)
    decided = tuple(row for row in table.rows if row[at].text in DECIDED)
    others = tuple(row for row in table.rows if row[at].text not in DECIDED)
    return replace(table, rows=decided), replace(table, name=f"{table.name} not decided", rows=others, caption="")


def _facts(run: RunData) -> Table:
    rows = [
        (word(group), word(name), word(value))
        for group, members in sorted(run.environment.facts.items())
        for name, value in flat(members)
    ]
    return Table(name="all facts", columns=("group", "fact", "value"), rows=tuple(rows))


def _data_uri(svg: str) -> Markup:
    """Put a figure into an address of its own: as markup in the page, ids of two figures would collide.

    Percent signs cost less than base64 would; no character is left that ends the attribute in double quotes.
    """
    svg = svg if "'" in svg else svg.replace('"', "'")
    return Markup("data:image/svg+xml," + quote(svg.replace("\n", " "), safe=" !$'()*+,-./:;=?@[]"))
