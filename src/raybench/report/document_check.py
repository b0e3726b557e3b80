"""Do the documents still say what the data say? What stands between raybench's markers is written anew and compared.

A document without markers is somebody's own and is not read.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from raybench.analysis.results import ClaimLine
from raybench.report import build

DIFFERENCES = 5  # named one by one for each document


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The verdict of every claim, and what the documents say that the data do not bear out."""

    claims: tuple[ClaimLine, ...]
    faults: tuple[str, ...]


def check(reports: Path, folder: Path | None, root: Path, *, conf: Sequence[Path] = ()) -> Checked:
    """Compare the documents in `root` with a run. folder : None where nothing was measured: then nothing is judged."""
    if folder is None:
        return Checked(claims=(), faults=())
    run, findings, replay = build.analyse_beside(reports, folder, conf=conf)
    given = build.texts(run, findings, reports, root, replay=replay)
    return Checked(claims=findings.claims, faults=tuple(differences(given)))


def differences(expected: Mapping[Path, str]) -> list[str]:
    """List where documents differ from what the data give. expected : by path, the text that the data give."""
    found = []
    for path, text in expected.items():
        if not path.is_file():
            found.append(f"{path.name}: does not exist; write it with `raybench report`")
            continue
        told = path.read_text(encoding="utf-8").splitlines()
        found += _by_line(path.name, told, text.splitlines())
    return found


def _by_line(name: str, told: Sequence[str], given: Sequence[str]) -> list[str]:
    found = []
    for tag, first, last, start, end in difflib.SequenceMatcher(a=told, b=given, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        says = told[first] if first < last else ""
        gives = given[start] if start < end else ""
        found.append(f"{name}:{first + 1}: says {says!r}, the data give {gives!r}; write it with `raybench report`")
    more = len(found) - DIFFERENCES
    return found[:DIFFERENCES] + ([f"{name}: {more} further differences"] if more > 0 else [])
