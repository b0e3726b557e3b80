"""Bring a data file from its origin to the user's cache. Nothing is downloaded while cells are measured."""

import logging
import os
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

import pooch

from raybench.model.errors import MissingData
from raybench.workloads.files import KNOWN, Known, damage, data_cache, here, unavailable

TIMEOUT_S = 20  # per connection and per read; a machine without a network shall not wait for long


def fetch(name: str) -> str:
    """Make sure that the file is here: look for it, else download and check it; say why not, or return ''.

    A damaged local file is not replaced, it is reported: it may be the user's own.
    """
    reason = unavailable(name)
    try:
        if not reason or name not in KNOWN or here(name) is not None:
            return reason
        folder = data_cache()
    except MissingData as error:  # no home folder
        return str(error)
    known = KNOWN[name]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="download-") as scratch:
            file = _download(known, Path(scratch))
            if broken := damage(file, known):
                return f"{url(known)} gave a damaged {name}: {broken}"
            file.replace(folder / name)
    except (OSError, ValueError, zipfile.BadZipFile) as error:  # OSError: no network; ValueError: pooch's checksum
        return f"{reason}; the download from {url(known)} failed: {' '.join(str(error).split())[:200]}"
    return unavailable(name)


def url(known: Known) -> str:
    """Return the address to download from; RAYBENCH_DATA_ORIGIN replaces all of it but the last part (a mirror)."""
    mirror = os.environ.get("RAYBENCH_DATA_ORIGIN")
    return f"{mirror.rstrip('/')}/{PurePosixPath(known.origin).name}" if mirror else known.origin


def _download(known: Known, scratch: Path) -> Path:
    pooch.get_logger().setLevel(logging.WARNING)  # it tells each step on standard error, where the progress bar is
    files = pooch.retrieve(
        url(known),
        known_hash=None if known.zipped else f"sha256:{known.sha256}",  # an archive's own sum is not fixed
        fname=PurePosixPath(known.origin).name,
        path=scratch,
        processor=pooch.Unzip(members=[known.name]) if known.zipped else None,
        downloader=pooch.HTTPDownloader(timeout=TIMEOUT_S),
    )
    found = [Path(file) for file in ([files] if isinstance(files, str) else files)]
    if not found:
        raise ValueError(f"the archive holds no {known.name}")
    return found[0]
