"""Two recorded runs read for a comparison, side by side in two processes: each with its readings and its verdicts."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path

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
    receiver, sender = Pipe(duplex=False)  # no pool: its locks need a writable /dev/shm
    child = Process(target=_send, args=(sender, b, conf), daemon=True)
    child.start()
    sender.close()
    try:
        mine, theirs = read_one(a, conf=conf), receiver.recv()
    except BaseException:
        child.kill()
        raise
    child.join()
    if isinstance(theirs, RaybenchError):
        raise theirs
    return mine, theirs


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
