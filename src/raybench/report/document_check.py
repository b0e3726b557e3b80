"""Do our documents still say what the data say? Their generated parts are compared with the data, and every other
number in their prose must be a code span, a reference to a claim, or between splice markers.

Not taken for numbers of the prose: code blocks, link targets, comments, dates (2026-11-20), markers of ordered lists,
the leading number of a heading. A number written as a word is not seen.
"""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from raybench.analysis.results import ClaimLine
from raybench.claims import reading
from raybench.report import build
from raybench.report.splice import FENCE, spans
from raybench.report.stale import RESULTS

DOCUMENTS = (RESULTS, *build.SPLICED)
ALLOWED = (  # in this order: a code span may hold anything
    re.compile(r"(?<!`)(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)"),
    re.compile(r"<!--.*?-->"),
    re.compile(r"\]\([^)\s]*\)"),
    re.compile(r"<https?://[^>\s]+>|https?://[^\s)>]+"),
    re.compile(r"\b\d{4}-\d{2}-\d{2}\b"),
    re.compile(r"^\s*\d+[.)](?=\s)"),
    re.compile(r"^#+\s+\d+(\.\d+)*\.?(?=\s)"),
)
REFERENCE = re.compile(r"\b[A-Z]+\d+\b")
NUMBER = re.compile(r"\S*\d\S*")
DIFFERENCES = 5  # named one by one for each document


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The verdict of every claim, and what the documents say that the data do not bear out."""

    claims: tuple[ClaimLine, ...]
    faults: tuple[str, ...]


def check(reports: Path, folder: Path | None, root: Path, *, conf: Sequence[Path] = ()) -> Checked:
    """Check the documents in `root` against a run. folder : None where nothing was measured: then prose alone."""
    known = {claim.id for claim in reading.read(conf)}
    found = [
        fault
        for name in DOCUMENTS
        if (root / name).is_file()
        for fault in faults((root / name).read_text(encoding="utf-8"), where=name, known=known)
    ]
    if folder is None:
        return Checked(claims=(), faults=tuple(found))
    run, findings = build.analyse_and_judge(build.read(folder, reports), conf=conf)
    found += stale(build.texts(run, findings, reports, root, conf=conf))
    return Checked(claims=findings.claims, faults=tuple(found))


def faults(text: str, *, where: str, known: Collection[str]) -> list[str]:
    """List numbers of the prose that nothing keeps true, and references to claims that do not exist.

    known : ids of the claims.
    """
    generated = {n for span in spans(text, where=where) for n in range(span.first, span.last + 1)}
    found, fence = [], ""
    for number, line in enumerate(text.splitlines(), start=1):
        fenced = FENCE.match(line) if number not in generated else None
        if fenced:
            fence = "" if fence and fenced.group(1).startswith(fence) else fence or fenced.group(1)
        if fence or fenced or number in generated:
            continue
        found += [f"{where}:{number}: {fault}" for fault in _of_line(line, known)]
    return found


def _of_line(line: str, known: Collection[str]) -> list[str]:
    rest = line
    for pattern in ALLOWED:
        rest = pattern.sub(" ", rest)
    found = []
    for match in REFERENCE.finditer(rest):
        if match[0] not in known and re.fullmatch(r"C\d\d", match[0]):
            found.append(f"refers to {match[0]}, which is no claim; see conf/{reading.GROUP}")
    rest = REFERENCE.sub(lambda match: " " if match[0] in known else match[0], rest)
    rest = re.sub(r"\bC\d\d\b", " ", rest)  # named above already
    for match in NUMBER.finditer(rest):
        found.append(
            f"the number {match[0].strip('.,;:()[]*')} stands in the prose and nothing keeps it true; refer to a claim "
            "([C13]), use a generated part, or set it as code"
        )
    return found


def stale(expected: Mapping[Path, str]) -> list[str]:
    """List where documents differ from what the data give. expected : by path, the text that the data give."""
    found = []
    for path, text in expected.items():
        if not path.is_file():
            found.append(f"{path.name}: does not exist; write it with `raybench report`")
            continue
        told = path.read_text(encoding="utf-8").splitlines()
        found += _differences(path.name, told, text.splitlines())
    return found


def _differences(name: str, told: Sequence[str], given: Sequence[str]) -> list[str]:
    found = []
    for tag, first, last, start, end in difflib.SequenceMatcher(a=told, b=given, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        says = told[first] if first < last else ""
        gives = given[start] if start < end else ""
        found.append(f"{name}:{first + 1}: says {says!r}, the data give {gives!r}; write it with `raybench report`")
    more = len(found) - DIFFERENCES
    return found[:DIFFERENCES] + ([f"{name}: {more} further differences"] if more > 0 else [])
