"""Tables as data, and their Markdown: what comes from raw data is escaped here, in every cell.

HTML is escaped by Jinja's autoescape in the templates.
"""

import re
from dataclasses import dataclass

from raybench.model.visible import visible

MARKDOWN = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "\\|", "`": "\\`", "*": "\\*", "~": "\\~", "\\": "\\\\"}
)
UNDERSCORES = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")  # within a word they mean nothing
BREAKS = re.compile(r"\s*[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+\s*")
SORT_DIGITS = 9  # more differ between processors


@dataclass(frozen=True, slots=True)
class Entry:
    """One cell of a table.

    text : raw text; code : a name, set in fixed width; sort : what the HTML table sorts by, default the text.
    """

    text: str
    code: bool = False
    sort: float | str | None = None
    ref: str = ""  # id of something in the HTML report
    link: str = ""  # a target that RESULTS.md has too, e.g. `#sources`


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with its caption. `numeric` columns are set flush right."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    caption: str = ""
    numeric: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for row in self.rows:
            assert len(row) == len(self.columns), f"table {self.name}: {len(row)} cells for {len(self.columns)} columns"


def word(text: object) -> Entry:
    """Return a cell of plain text."""
    return Entry(str(text))


def code(text: object) -> Entry:
    """Return a cell that holds a name."""
    return Entry(str(text), code=True)


def number(text: str, value: float | None) -> Entry:
    """Return a cell that sorts by its value; absent values sort last."""
    known = value is not None and value == value
    return Entry(text, sort=float(f"{value:.{SORT_DIGITS}g}") if known else float("inf"))


def one_line(text: str) -> str:
    """Join lines and neutralise control characters: a reason may hold a traceback."""
    return visible(BREAKS.sub(" ", text)).strip()


def escape(text: str) -> str:
    """Make raw text harmless in Markdown, inside tables too: no markup, no link, no line break."""
    plain = one_line(text).translate(MARKDOWN).replace("](", "]\\(")
    return UNDERSCORES.sub(lambda run: "\\_" * len(run.group()), plain)


def code_span(text: str) -> str:
    """Set a name in fixed width; backticks in it need a longer fence, a pipe would end the table cell."""
    plain = one_line(text)
    if not plain:
        return "` `"
    longest = max((len(run) for run in re.findall(r"`+", plain)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}".replace("|", "\\|")


def markdown(table: Table) -> str:
    """Write a table in GitHub's Markdown, without its caption."""
    lines = [
        "| " + " | ".join(escape(column) for column in table.columns) + " |",
        "|" + "|".join("---:" if column in table.numeric else "---" for column in table.columns) + "|",
    ]
    for row in table.rows:
        lines.append("| " + " | ".join(map(_cell, row)) + " |")
    return "\n".join(lines)


def _cell(entry: Entry) -> str:
    text = code_span(entry.text) if entry.code else escape(entry.text)
    return f"[{text}]({entry.link})" if entry.link else text
