"""Where data files and generated files lie; nothing here downloads (that is `download.py`) or imports heavily."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from raybench.model.errors import MissingData

CHECKED = "checked"
MADE = "made table, not the real data"
PARTIAL = ".partial"  # suffix of a file that is being written; a reader never meets one


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A data file with its checksum and its origin; `zipped` where the origin is an archive that holds it."""

    name: str
    sha256: str
    origin: str
    zipped: bool = False


KNOWN: Mapping[str, Known] = MappingProxyType(
    {
        known.name: known
        for known in (
            Known(
                name="insurance.csv",
                sha256="505c1cbc2e63d0363bac59501563df2530aadf4cdb9cfee226f4ef32f5468281",
                origin="https://raw.githubusercontent.com/stedy/Machine-Learning-with-R-datasets/master/insurance.csv",
            ),
            Known(
                name="german.data",
                sha256="b21f3d81db8071257d5ff1deaeba1fd4303b62712e6fcc9715c7a86202cb5871",
                origin="https://archive.ics.uci.edu/static/public/144/statlog+german+credit+data.zip",
                zipped=True,
            ),
        )
    }
)


# --- data files -----------------------------------------------------------------------------------


def path(name: str) -> Path:
    """Find a data file in the folder RAYBENCH_DATA, else in the user's cache; its checksum is right.

    With RAYBENCH_DATA_UNCHECKED=1 a made table of the same schema passes, and `provenance` says so.
    Raises MissingData with the remedies.
    """
    known = known_file(name)
    file = here(name)
    if file is None:
        places = " nor in ".join(str(folder) for folder in _folders())
        raise MissingData(
            f"{name} is not in {places}; set RAYBENCH_DATA to a folder that holds it, "
            f"or run once with a network (origin: {known.origin})"
        )
    if reason := "" if _is_unchecked() else damage(file, known):
        raise MissingData(reason)
    return file


def unavailable(name: str) -> str:
    """Say why the file cannot be read here and now, with the remedies, or return ''. Downloads nothing."""
    try:
        path(name)
    except MissingData as error:
        return str(error)
    return ""


def provenance(name: str) -> str:
    """Say whether the local file is the real one (CHECKED) or a table of the same schema (MADE)."""
    return CHECKED if not damage(path(name), known_file(name)) else MADE


def damage(file: Path, known: Known) -> str:
    """Compare a file with its checksum; '' if it is right, else one line with the remedy."""
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found == known.sha256:
        return ""
    return (
        f"{file}: sha256 is {found}, expected {known.sha256}; the file is damaged or another one: "
        "remove it and run once with a network, or set RAYBENCH_DATA to a folder that holds the right one"
    )


def known_file(name: str) -> Known:
    """Look up a data file by name; MissingData names those there are."""
    if name not in KNOWN:
        raise MissingData(f"data file '{name}' is not known; choose from {', '.join(KNOWN)}")
    return KNOWN[name]


def data_cache() -> Path:
    """Name the folder that downloads go to."""
    return cache() / "data"


def here(name: str) -> Path | None:
    """Find the file, right or damaged; None where there is none."""
    return next((folder / name for folder in _folders() if (folder / name).is_file()), None)


def _folders() -> Iterator[Path]:
    if named := os.environ.get("RAYBENCH_DATA"):
        yield Path(named)
    yield data_cache()  # asked for only where the first has not got it: it needs a home folder


def _is_unchecked() -> bool:
    return os.environ.get("RAYBENCH_DATA_UNCHECKED") == "1"


# --- generated files ------------------------------------------------------------------------------


def cache() -> Path:
    """Name the cache folder: RAYBENCH_CACHE, else `raybench` in the user's cache folder."""
    if named := os.environ.get("RAYBENCH_CACHE"):
        return Path(named)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "raybench"
    except RuntimeError as error:  # neither HOME nor an entry of the user's
        raise MissingData("this user has no home folder; set RAYBENCH_CACHE to a folder that may be written") from error


def generate_file(name: str, write: Callable[[Path], None]) -> Path:
    """Return a generated file, written once and whole.

    name : a plain file name with every parameter of the content in it; another content needs another name.
    write : fills the path it is given; two writers at once each write their own, and the last one stays.
    """
    assert Path(name).name == name, f"{name!r} is no plain file name"
    folder = _generate()
    file = folder / name
    if file.is_file():
        return file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, text = tempfile.mkstemp(dir=folder, prefix=f"{name}-", suffix=PARTIAL)
    except OSError as error:
        raise MissingData(
            f"{folder}: cannot be written ({error.strerror}); set RAYBENCH_CACHE to a folder that may be"
        ) from error
    os.close(descriptor)
    partial = Path(text)
    try:
        write(partial)
        partial.replace(file)  # atomic: no reader ever sees half a file
    finally:
        partial.unlink(missing_ok=True)
    return file


def clean() -> list[Path]:
    """Remove every generated file, also one that a killed writer left; list what was removed. Data files stay."""
    folder = _generate()
    removed = sorted(file for file in folder.glob("*") if file.is_file())
    for file in removed:
        file.unlink(missing_ok=True)
    return removed


def _generate() -> Path:
    return cache() / "generated"
