"""A run beside one of another machine: which verdicts carry over."""

from dataclasses import dataclass
from pathlib import Path

from raybench.analysis import quantities
from raybench.analysis.compare import Comparison, compare
from raybench.analysis.dataset import RunData
from raybench.analysis.results import Findings
from raybench.model.errors import RaybenchError
from raybench.report import texts_compare
from raybench.report.compare_page import carried, compare_page
from raybench.report.read_run import Reading
from raybench.report.tables import Entry, word
from raybench.store import store

PAGE = "replay.html"
SAME = 0.05  # as `raybench compare` has it by default


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What the two runs say about each other.

    other : the other machine's run, relative to the reports folder. found : None where `fault` says why.
    """

    other: str
    found: Comparison | None = None
    fault: str = ""

    def paragraph(self) -> tuple[Entry, ...]:
        """Say how many verdicts carry over, with a link to the page that compares them."""
        if self.found is None:
            return (word(texts_compare.no_replay(self.other, self.fault)),)
        machine, study = self.other.split("/")[1:3]
        said = texts_compare.replayed(machine, study, *carried(self.found))
        return (word(f"{said} "), Entry(texts_compare.REPLAY_LINK, link=PAGE), word("."))

    def pages(self) -> dict[str, str]:
        """Return the page that compares the runs, cell by cell and claim by claim, by its name."""
        return {} if self.found is None else {PAGE: compare_page(self.found, report="index.html")}


def other_machine(reports: Path, run: str) -> Path | None:
    """Return the newest run of another machine, of the same study where there is one; None without any.

    run : as `raw/MACHINE/STUDY/RUN`, relative to the reports folder.
    """
    if run.count("/") != 3:
        return None
    _, machine, study, _ = run.split("/")
    found = [folder for folder in store.runs(reports) if folder.parts[-3] != machine]
    found.sort(key=lambda folder: (folder.parts[-2] == study, folder.name), reverse=True)
    return next((folder for folder in found if store.read_plan(folder).verdicts), None)


def compare_with(reading: Reading, folder: Path, run: RunData, findings: Findings) -> Replay | None:
    """Compare a run with that of another machine, which is being read; None where both test no claim."""
    name = "/".join(folder.parts[-4:])
    try:
        other = reading.result()
    except RaybenchError as error:
        return Replay(other=name, fault=str(error))
    mine = quantities.read(run, findings.data)
    found = compare(other.readings, mine, same=SAME, claims=(other.claims, findings.claims))
    return Replay(other=name, found=found) if found.claims else None
