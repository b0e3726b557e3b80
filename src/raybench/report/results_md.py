"""RESULTS.md: the document as Markdown, kept short enough to be read."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jinja2

from raybench.model import units
from raybench.report.document import Document
from raybench.report.section import Paragraph
from raybench.report.tables import Entry, code_span, escape, markdown, one_line


def results(document: Document, *, reports: str, others: Sequence[str]) -> str:
    """Write RESULTS.md. reports : path of the reports folder from it; others : runs to link, relative to that."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("raybench.report"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown: every value passes one of these filters
    )
    filters: Mapping[str, Callable[..., Any]] = {
        "md": escape,
        "span": code_span,
        "table": markdown,
        "paragraph": partial(paragraph, reports=reports),
        "comment": _comment,
        "fenced": _fence,
        "link": lambda run: f"[{escape(run)}]({reports}/{run})",
    }
    environment.filters.update(filters)
    text = environment.get_template("results.md.j2").render(
        document=document,
        absent=units.ABSENT,
        page=f"{reports}/index.html",
        figures=f"{reports}/figures",
        others=others,
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def paragraph(parts: Paragraph, *, reports: str = "reports") -> str:
    """Write a paragraph: names in fixed width, all else escaped. reports : where its links lead to."""
    return "".join(_part(part, reports) for part in parts)


def _part(part: Entry, reports: str) -> str:
    text = code_span(part.text) if part.code else _escape_spaced(part.text)
    return f"[{text}]({reports}/{part.link})" if part.link else text


def _escape_spaced(text: str) -> str:
    """Escape, keeping the spaces at the ends that separate a word from a name."""
    lead, trail = text[: len(text) - len(text.lstrip(" "))], text[len(text.rstrip(" ")) :]
    return f"{lead}{escape(text)}{trail}"


def _comment(text: str) -> str:
    return one_line(text).replace("--", "- -")


def _fence(text: str) -> str:
    return one_line(text).replace("```", "'''")
