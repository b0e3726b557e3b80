"""A report read back as a reader would: RESULTS.md whole or table by table, and the data of the HTML report."""

import json
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


def page_data(root) -> dict:
    """Read the data in reports/index.html."""
    page = (root / "reports" / "index.html").read_text()
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S).group(1))


def page_table(root, name: str) -> pd.DataFrame:
    """Read one table of reports/index.html."""
    found = page_data(root)["tables"][name]
    rows = [[entry[0] if isinstance(entry, list) else entry for entry in row] for row in found["rows"]]
    return pd.DataFrame(rows, columns=found["columns"])
