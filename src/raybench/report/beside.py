"""The machine's newest emulated run beside a run without emulated cells: its own points, and claims it alone tests."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from raybench.analysis.analyze import analyse
from raybench.analysis.dataset import RunData
from raybench.analysis.results import ClaimLine, Findings
from raybench.claims.judge import judge
from raybench.model.estimate import VerdictKind
from raybench.report import texts_emulated as texts
from raybench.store import store

STUDY = "emulated"


def newest(reports: Path, machine: str) -> Path | None:
    """Return the newest emulated run of a machine; None without any."""
    found = [path for path in store.runs(reports) if path.parts[-3:-1] == (machine, STUDY)]
    return found[-1] if found else None


def add(findings: Findings, other: RunData, conf: Sequence[Path] = ()) -> Findings:
    """Add another run's emulated points, and its verdicts on claims that this one cannot test at all.

    Nothing is pooled: each number is of one run, which its note names.
    """
    theirs = analyse(other)
    if theirs.emulated is None:
        return findings
    known = {line.id: line for line in judge(other, theirs, conf) if line.verdict is not VerdictKind.UNTESTABLE}
    claims = tuple(_choose(line, known.get(line.id), other.folder) for line in findings.claims)
    return replace(findings, emulated=replace(theirs.emulated, run=other.folder), claims=claims)


def _choose(mine: ClaimLine, theirs: ClaimLine | None, run: str) -> ClaimLine:
    if theirs is None or mine.verdict is not VerdictKind.UNTESTABLE:
        return mine
    first, _, rest = theirs.note.partition("\n")
    note = "\n".join(filter(None, [f"{first}; {texts.of_run(run)}", rest]))
    return replace(theirs, note=note, cells=())
