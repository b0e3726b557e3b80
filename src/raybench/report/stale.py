"""Whether RESULTS.md is still that of a run; apart from `build`, so that a finished study resumes in no time."""

import hashlib
from pathlib import Path

from raybench.store import store
from raybench.store.tracking_file import TRACKING

RESULTS = "RESULTS.md"


def data_hash(run: Path) -> str:
    """Hash a run's raw files: what a report is made from."""
    sha = hashlib.sha256()
    tracked = [TRACKING] if (run / TRACKING).is_file() else []  # most runs are not: their hash stays as it was
    for name in (store.PLAN, store.ENVIRONMENT, store.MEASUREMENTS, *tracked):
        path = run / name
        sha.update(path.read_bytes() if path.is_file() else b"")
        sha.update(name.encode())
    return sha.hexdigest()


def place(reports: Path, root: Path) -> Path:
    """Return the folder of RESULTS.md: `root`, or the reports folder itself where that lies elsewhere."""
    return root if reports.resolve().is_relative_to(root.resolve()) else reports


def is_unchanged(reports: Path, folder: Path, root: Path) -> bool:
    """Return whether RESULTS.md was made from exactly this run's raw data, so that a rebuild may be skipped."""
    path = place(reports, root) / RESULTS
    return path.is_file() and f" data {data_hash(folder)[:12]} " in path.read_text(encoding="utf-8")[:2000]
