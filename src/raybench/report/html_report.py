"""reports/index.html: the document as one self-contained page; no network, no library."""

from collections.abc import Mapping
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from raybench.analysis.dataset import RunData
from raybench.analysis.results import Findings
from raybench.model import units
from raybench.model.visible import visible
from raybench.report.details import details, embed_json
from raybench.report.document import Document
from raybench.report.evidence import flat


def page(document: Document, run: RunData, findings: Findings, pictures: Mapping[str, str]) -> str:
    """Write the page. pictures : SVG text by the name of its figure."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("raybench.report"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        finalize=_finalize,
    )
    facts = [(group, list(flat(members))) for group, members in sorted(run.environment.facts.items())]
    return environment.get_template("page.html.j2").render(
        document=document,
        absent=units.ABSENT,
        plan=run.plan,
        blocks=len({m.block for m in run.measurements}),
        pictures={name: _data_uri(svg) for name, svg in pictures.items()},
        machine=facts,
        details=Markup(embed_json(details(run, findings))),
    )


def _finalize(value: object) -> object:
    """Neutralise control characters of every text that goes into the page."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _data_uri(svg: str) -> Markup:
    """Put a figure into an address of its own: as markup in the page, ids of two figures would collide.

    Percent signs cost less than base64 would; no character is left that ends the attribute in double quotes.
    """
    svg = svg if "'" in svg else svg.replace('"', "'")
    return Markup("data:image/svg+xml," + quote(svg.replace("\n", " "), safe=" !$'()*+,-./:;=?@[]"))
