"""What Ray Tune's loggers wrote, kept for TensorBoard where a run asks for it; else it ends with the measurement."""

import os
import shutil
from pathlib import Path

LOGS = "RAYBENCH_LOGS"  # the folder to keep logs in; a measured process finds one of its own there
EVENTS = "events.out.tfevents.*"


def keep_logs(storage: Path) -> None:
    """Move each fit that left event files from Tune's storage to the folder for logs, as `fit-0`, `fit-1` ..."""
    place = os.environ.get(LOGS)
    if not place:
        return
    fits = [folder for folder in storage.iterdir() if folder.is_dir() and any(folder.rglob(EVENTS))]
    Path(place).mkdir(parents=True, exist_ok=True)
    for number, folder in enumerate(sorted(fits, key=lambda one: one.stat().st_mtime)):
        shutil.move(folder, Path(place) / f"fit-{number}")


def holds_logs(folder: Path) -> bool:
    """Return whether TensorBoard would find anything there."""
    return any(folder.rglob(EVENTS))
