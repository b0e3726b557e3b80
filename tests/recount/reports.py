"""A report and its run, made ready to be traced: built from raw data, or as it is committed."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from raybench.analysis.held_out import HeldOut
from raybench.claims import reading
from raybench.claims.claim import Claim
from raybench.report import build
from raybench.store import store
from recount.numbers import Numbers
from recount.trace import trace


@dataclass(frozen=True, kw_only=True)
class Told:
    """RESULTS.md of a run, its numbers computed again, and what the tracing needs besides."""

    text: str
    run: Numbers
    claims: tuple[Claim, ...]
    doubted: set[str]
    reports: Path
    held: HeldOut  # predicted seconds come from a simulation, which is not repeated

    def faults(self, text: str | None = None) -> list[str]:
        """Trace the text, or a changed one."""
        return trace(
            self.run,
            self.text if text is None else text,
            self.claims,
            self.doubted,
            reports=self.reports,
            held=self.held,
        )


def told(text: str, reports: Path) -> Told:
    """Compute the numbers of the current run again. Cells that are not believed are taken from its analysis."""
    folder = store.current(reports)
    assert folder is not None
    findings = build.analyse_and_judge(build.read(folder, reports))[1]
    return Told(
        text=text,
        run=Numbers(folder),
        claims=tuple(reading.read(())),
        doubted={row.cell.key for row in findings.rows if row.doubts},
        reports=reports,
        held=findings.held_out,
    )


def rebuilt(source: Path, root: Path) -> Told:
    """Build the report of a recorded run anew in another folder."""
    reports = root / "reports"
    shutil.copytree(source, reports)
    folder = store.current(reports)
    assert folder is not None
    build.rebuild(reports, folder, root)
    return told((root / "RESULTS.md").read_text(encoding="utf-8"), reports)
