"""Two recorded runs read for a comparison, side by side in two processes: each with its readings and its verdicts."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

from raybench.analysis import quantities
from raybench.analysis.analyze import analyse
from raybench.analysis.dataset import RunData
from raybench.analysis.results import ClaimLine
from raybench.claims.judge import judge
from raybench.model.errors import BadSettings, RaybenchError
from raybench.store import store
from raybench.store.tracking_file import read_tracking


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRun:
    """A run's readings and what it says of the claims."""

    readings: quantities.Readings
    claims: tuple[ClaimLine, ...]


def read_both(a: Path, b: Path, *, conf: Sequence[Path] = ()) -> tuple[ReadRun, ReadRun]:
    """Read two runs; BadSettings where a folder holds none."""
    a, b = find_run(a), find_run(b)
    with Reading(b, conf=conf) as theirs:
        return read_one(a, conf=conf), theirs.result()


class Reading:
    """A run that is read in a process of its own, which starts at once."""

    def __init__(self, folder: Path, *, conf: Sequence[Path] = ()) -> None:
        self._receiver, sender = Pipe(duplex=False)  # no pool: its locks need a writable /dev/shm
        self._child = Process(target=_send, args=(sender, folder, conf), daemon=True)
        self._child.start()
        sender.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._child.kill()
        self._child.join()
        self._receiver.close()

    def result(self) -> ReadRun:
        """Return what the run says, as soon as it is read; raise what kept it from being read."""
        found = self._receiver.recv()
        if isinstance(found, RaybenchError):
            raise found
        assert isinstance(found, ReadRun)
        return found


def _send(sender: Connection, folder: Path, conf: Sequence[Path]) -> None:
    """Send what a run says, or why it cannot be read. Ctrl-C is the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        sender.send(read_one(folder, conf=conf))
    except RaybenchError as error:
        sender.send(error)


def read_one(folder: Path, *, conf: Sequence[Path] = ()) -> ReadRun:
    """Read one run and judge the claims by it."""
    plan, loaded = store.read_run(folder)
    run = RunData(
        folder="/".join(folder.resolve().parts[-2:]),
        data="",
        plan=plan,
        environment=store.read_environment(folder),
        measurements=loaded.measurements,
        qualities=loaded.qualities,
        samples=loaded.samples,
        tracking=read_tracking(folder),
    )
    findings = analyse(run)
    return ReadRun(readings=quantities.read(run, findings.data), claims=judge(run, findings, conf))


def find_run(folder: Path) -> Path:
    """Return a run's folder: this one, or the current run of the reports that lie in it."""
    if (folder / store.PLAN).is_file():
        return folder
    for reports in (folder, folder / "reports"):
        if found := store.current(reports):
            return found
    raise BadSettings(
        f"{folder}: holds no {store.PLAN} and names no current run; give a run's folder, or that of its report"
    )
