"""The parts of which the report is built: sections with paragraphs, tables, figures."""

from dataclasses import dataclass

from raybench.report.tables import Entry, Table

Paragraph = tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A drawn figure: its name is its file name without `.svg`. brief : it stands in RESULTS.md too."""

    name: str
    title: str
    caption: str
    brief: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the report, in the order: paragraphs, bullets, figures, tables, notes, command, details.

    details : tables of the HTML report alone. brief : the section stands in RESULTS.md too.
    """

    id: str
    title: str
    paragraphs: tuple[Paragraph, ...] = ()
    tables: tuple[Table, ...] = ()
    details: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    bullets: tuple[Paragraph, ...] = ()
    notes: tuple[Paragraph, ...] = ()
    command: str = ""
    brief: bool = True
