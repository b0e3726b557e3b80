"""A report read back as a reader would: whole, and table by table."""

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
