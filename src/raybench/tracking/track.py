"""`raybench track`: a recorded run into the tracking store, after measuring."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from raybench.model.clock import now
from raybench.model.errors import BadSettings
from raybench.report.stale import RESULTS, is_unchanged, place
from raybench.store import store
from raybench.tracking import texts
from raybench.tracking.check import record_tracked
from raybench.tracking.log import Log
from raybench.tracking.recorded import Recorded, Tasks, read
from raybench.tracking.service import connect, explained, shown
from raybench.tracking.tree import tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """What came of it. cells, trials : in the store now; faults : what could not be told, a sentence each."""

    run: str
    store: str
    experiment: str
    cells: int
    trials: int
    new: int
    completed: int
    unchanged: int
    seconds: float
    faults: tuple[str, ...] = ()


def command(arguments: argparse.Namespace, choose_run: Callable[[argparse.Namespace], Path], say: texts.Say) -> int:
    """Do the verb; return the exit code."""
    if len(arguments.overrides) > 1:
        raise BadSettings(f"{len(arguments.overrides)} runs given; expected one folder, or none for the current run")
    arguments.run = Path(arguments.overrides[0]) if arguments.overrides else None
    found = track(choose_run(arguments), arguments.tracking_uri, root=arguments.root)
    for sentence in texts.tracked(found):
        say(sentence)
    return 0


def track(folder: Path, uri: str, *, root: Path) -> Tracked:
    """Track a run; its raw data are only read. Twice adds nothing, and what was interrupted goes on.

    What the store then holds is counted, cell by cell, and kept beside the raw data.

    root : folder of RESULTS.md and reports/, whose report goes along where it is of this run.
    """
    began = now()
    run = read(folder)
    known = Tasks(run.plan.seed)
    entry = tree(run, _report(folder, root), known)
    experiment = experiment_of(run)
    with store.lock(folder), explained(uri):
        log = Log(connect(uri), experiment, run.key)
        log.write(entry)
        record_tracked(folder, entry, list(log.tracked()))
    lost = sorted({name for one in entry.walk() for name in one.not_finite})
    told = [f"no finite number, so named in the tag raybench.not_finite only: {', '.join(lost)}"] if lost else []
    return Tracked(
        run=run.key,
        store=shown(uri),
        experiment=experiment,
        cells=len(entry.children),
        trials=sum(len(cell.children) for cell in entry.children),
        seconds=now() - began,
        faults=(*known.faults, *told),
        **log.counts,
    )


def experiment_of(run: Recorded) -> str:
    """Name the experiment that holds all runs of a study."""
    return f"raybench-{run.plan.study}"


def _report(folder: Path, root: Path) -> dict[str, bytes]:
    """Return RESULTS.md and the figures where they were made from this run's data."""
    reports = root / "reports"
    if not is_unchanged(reports, folder, root):
        return {}
    figures = sorted((reports / "figures").glob("*.svg"))
    return {RESULTS: (place(reports, root) / RESULTS).read_bytes()} | {
        f"figures/{p.name}": p.read_bytes() for p in figures
    }
