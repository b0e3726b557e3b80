"""A report read back as a reader would: RESULTS.md whole or table by table, and the tables of the HTML report."""

import html.parser
import re

import pandas as pd


def results(root) -> str:
    return (root / "RESULTS.md").read_text()


def table(text: str, heading: str) -> pd.DataFrame:
    """Read the first Markdown table below a piece of text, without the code marks."""
    lines = text[text.index(heading) :].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    body = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        body.append([c.strip().strip("`").strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]])
    return pd.DataFrame(body[2:], columns=body[0])


class _Tables(html.parser.HTMLParser):
    """Collect the cells of every table by its data-table name."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self.name, self.inside = "", False

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        if "data-table" in known:
            self.name = known["data-table"]
            self.found[self.name] = []
        if self.name and tag == "tr":
            self.found[self.name].append([])
        if self.name and tag in ("td", "th"):
            self.found[self.name][-1].append("")
            self.inside = True

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("td", "th")
        self.name = "" if tag == "table" else self.name

    def handle_data(self, text):
        if self.inside:
            self.found[self.name][-1][-1] += text


def page_table(root, name: str) -> pd.DataFrame:
    """Read one table of reports/index.html."""
    reader = _Tables()
    reader.feed((root / "reports" / "index.html").read_text())
    head, *body = [[cell.strip() for cell in row] for row in reader.found[name]]
    return pd.DataFrame(body, columns=head)
