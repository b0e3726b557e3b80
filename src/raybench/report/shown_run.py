"""The table of a run in the making: its first groups, its end, and the summary of a continuous-integration job."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from raybench.model.errors import explain
from raybench.model.measurement import Sample
from raybench.model.plan import Cell, Job, Plan
from raybench.report import texts_terminal
from raybench.report.run_table import RunTable, as_lines, first_lines, run_table
from raybench.store import store

WIDE = 160  # columns of a page that is read in a browser


class FirstLines:
    """What the first group of each workload gives, while the run goes on. width : columns of the terminal."""

    def __init__(self, folder: Path, plan: Plan, *, width: int) -> None:
        self._folder, self._plan, self._width = folder, plan, width
        self._shown: set[str] = set()

    def of(self, job: Job) -> Sequence[str]:
        """Return the lines of a job's workload when a group of it has ended; once for each workload."""
        name = job.cell.workload.name
        if name in self._shown:
            return ()
        self._shown.add(name)
        loaded = store.Store(self._folder / store.MEASUREMENTS).load()
        return as_lines(first_lines(self._plan, loaded.measurements, loaded.samples, name), width=self._width)


def read(folder: Path, plan: Plan) -> RunTable | None:
    """Summarise what a run holds so far; None without any measurement."""
    loaded = store.Store(folder / store.MEASUREMENTS).load()
    if not loaded.measurements:
        return None
    facts = store.read_environment(folder).facts
    return run_table(plan, loaded.measurements, loaded.samples, facts=facts)


def first_samples(folder: Path, plan: Plan) -> list[str]:
    """Return what is known of a run that was interrupted before its first group had ended: the samples so far.

    A run without anything to measure has no lines.
    """
    taken: dict[str, list[Sample]] = {}
    for sample in store.Store(folder / store.MEASUREMENTS).load().samples:
        taken.setdefault(sample.cell, []).append(sample)
    cells: dict[str, Cell] = {cell.key: cell for cell in plan.cells}
    lines = [
        texts_terminal.so_far(
            f"{cells[key].workload.name} x {cells[key].backend.name} P={cells[key].cpus}",
            median(sample.seconds for sample in samples),
            len(samples),
        )
        for key, samples in taken.items()
    ]
    return [*lines, texts_terminal.NO_GROUP] if plan.jobs else []


def append_summary(table: RunTable, page: str) -> str:
    """Append the table to a Markdown page, where one is named; say why it could not be, or return ''."""
    if not page:
        return ""
    try:
        with Path(page).open("a", encoding="utf-8") as stream:
            stream.write("\n".join(["```text", *as_lines(table, width=WIDE), "```", ""]))
    except OSError as error:
        return f"GITHUB_STEP_SUMMARY lacks the table: {explain(error)}"
    return ""
