"""The parts of which the report is built: sections with paragraphs, tables, figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from raybench.report.tables import Entry, Table

Paragraph = tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A drawn figure: its name is its file name without `.svg`."""

    name: str
    title: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the report, in the order: paragraphs, tables, bullets, command, figures.

    brief : by the name of a table, its forms for RESULTS.md, the longest first; each form is one or more tables.
    """

    id: str
    title: str
    paragraphs: tuple[Paragraph, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    bullets: tuple[Paragraph, ...] = ()
    command: str = ""
    brief: Mapping[str, tuple[tuple[Table, ...], ...]] = field(default_factory=dict)
