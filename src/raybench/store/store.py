"""The raw data of a run: append-only JSON Lines, the plan, the environment, and which run is current.

The form of a raw line is in `raw_line`, of the plan in `plan_file`. Nothing here knows statistics.
"""

import contextlib
import fcntl
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from raybench.model.errors import BadStore, StoreInUse
from raybench.model.measurement import Environment, Measurement, Quality, Sample
from raybench.model.paths import mask_places
from raybench.model.plan import SCHEMA, Plan
from raybench.model.serialize import from_json, to_json
from raybench.store import json_file
from raybench.store.plan_file import PLAN as PLAN
from raybench.store.plan_file import read_plan as read_plan
from raybench.store.plan_file import write_plan as write_plan
from raybench.store.raw_line import Key, Line, decode, describe, encode

MEASUREMENTS, ENVIRONMENT, CURRENT = "measurements.jsonl", "environment.json", "current"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a store holds, in the order of its lines. `torn`: the last line was cut off and is not counted."""

    measurements: tuple[Measurement, ...]
    qualities: tuple[Quality, ...]
    samples: tuple[Sample, ...] = ()
    torn: bool = False


class Store:
    """One file of raw lines. A line that is written is never changed; a torn last one makes way for the next."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: set[Key] | None = None  # None: not read yet
        self._size = 0  # of the file when last seen
        self._end = 0  # bytes of whole lines
        self._newline_missing = False

    def append(self, line: Line) -> None:
        """Write one line with one system call, so that a killed writer leaves at most one torn line."""
        if self._keys is None:
            self.load()
        assert self._keys is not None
        if line.key in self._keys:
            raise BadStore(f"{self.path}: {describe(line.key)} is already there; a finished line is never replaced")
        data = self._bytes(line)
        try:
            self._write(data)
        except OSError as error:
            raise json_file.unwritable(self.path, error) from error
        self._end = self._size = self._end + len(data)
        self._newline_missing = False
        self._keys.add(line.key)

    def _bytes(self, line: Line) -> bytes:
        """Encode a line that can be read back: a number that is not finite would come back as null, or not at all."""
        text = encode(_public(line))
        try:
            decode(text, where=str(self.path))
        except BadStore as error:
            raise BadStore(f"{describe(line.key)} is not stored: {error}") from error
        return (b"\n" if self._newline_missing else b"") + text + b"\n"

    def _write(self, data: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            if os.fstat(descriptor).st_size != self._size:
                raise BadStore(f"{self.path}: somebody else writes to it; hold the run's lock, then read it again")
            if self._end < self._size:
                os.ftruncate(descriptor, self._end)  # drops a torn line, nothing else
            written = os.write(descriptor, data)
            if written < len(data):
                os.ftruncate(descriptor, self._end)
                raise BadStore(f"{self.path}: only {written} of {len(data)} bytes fit; make room on the disk")
        finally:
            os.close(descriptor)

    def load(self, cells: Collection[str] | None = None) -> Loaded:
        """Read every line; an absent file is an empty store.

        cells : keys of the plan's cells, where lines of any other cell are to be refused.
        Raises BadStore with file and line for a damaged line that is not the last one, a duplicate key,
        a foreign schema.
        """
        data = self._read()
        lines = data.split(b"\n")
        whole = len(lines) if lines[-1] else len(lines) - 1  # a file that ends well ends with an empty piece
        seen: dict[Key, int] = {}
        found: list[Line] = []
        torn = False
        end = 0
        for number, text in enumerate(lines[:whole], start=1):
            where = f"{self.path}:{number}"
            try:
                line = decode(text, where=where)
            except ValueError as error:
                if number != whole:
                    raise BadStore(
                        f"{where}: not a JSON line ({error}); restore the file from version control"
                    ) from error
                torn = True
                break
            _refuse_foreign(line, where, seen, cells)
            seen[line.key] = number
            found.append(line)
            end += len(text) + 1
        self._newline_missing = not torn and end > len(data)
        self._size, self._end = len(data), min(end, len(data))
        self._keys = set(seen)
        return Loaded(
            measurements=tuple(line for line in found if isinstance(line, Measurement)),
            qualities=tuple(line for line in found if isinstance(line, Quality)),
            samples=tuple(line for line in found if isinstance(line, Sample)),
            torn=torn,
        )

    def _read(self) -> bytes:
        try:
            if not self.path.exists():
                return b""
            if not self.path.is_file():  # a pipe would keep the reader waiting
                raise BadStore(f"{self.path}: no file; expected raw lines, restore it from version control")
            return self.path.read_bytes()
        except OSError as error:
            raise BadStore(f"{self.path}: cannot be read ({error.strerror}); mend its permissions") from error


def _public(line: Line) -> Line:
    """Return a line whose messages name no path, host or address of this machine: raw data are public."""
    if not isinstance(line, Measurement):
        return line
    tasks = tuple(structs.replace(t, error=mask_places(t.error)) if t.error else t for t in line.tasks)
    return replace(line, reason=mask_places(line.reason), tasks=tasks)


def _refuse_foreign(line: Line, where: str, seen: Mapping[Key, int], cells: Collection[str] | None) -> None:
    if line.key in seen:
        raise BadStore(
            f"{where}: {describe(line.key)} is already in line {seen[line.key]}; "
            "two runs were mixed, restore the file from version control"
        )
    if cells is not None and not isinstance(line, Quality) and line.cell not in cells:
        raise BadStore(f"{where}: {describe(line.key)} is of no cell of {PLAN}; restore both from version control")


def read_run(folder: Path) -> tuple[Plan, Loaded]:
    """Read plan and raw lines of a run; BadStore where they do not belong together."""
    plan = read_plan(folder)
    return plan, Store(folder / MEASUREMENTS).load(cells={cell.key for cell in plan.cells})


# --- environment ----------------------------------------------------------------------------------


def write_environment(folder: Path, environment: Environment) -> None:
    """Write environment.json."""
    json_file.write_text(folder / ENVIRONMENT, json_file.pretty(to_json(environment)))


def read_environment(folder: Path) -> Environment:
    """Read environment.json; BadStore if it is absent, damaged, or of a schema that is not understood."""
    document = json_file.read_document(folder / ENVIRONMENT)
    try:
        return from_json(Environment, document | {"schema": SCHEMA})
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise BadStore(f"{folder / ENVIRONMENT}: not an environment ({error}); restore it") from error


# --- folders --------------------------------------------------------------------------------------


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold a folder against other writers; the kernel lets go of it when this process ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)  # the folder itself: no lock file is left behind
    except OSError as error:
        raise json_file.unwritable(folder, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreInUse(f"{folder}: another raybench run writes here; wait for it, or end it first") from error
        except OSError as error:
            raise BadStore(
                f"{folder}: its file system gives no lock ({error.strerror or error}), and two runs at once would mix "
                "their lines; put the reports on a local disk with reports=FOLDER"
            ) from error
        yield
    finally:
        os.close(descriptor)


def runs(reports: Path) -> list[Path]:
    """Find the runs below `reports/raw/<machine>/<study>/<run>`, by path; the last run of a study is the newest."""
    return sorted(path.parent for path in reports.glob(f"raw/*/*/*/{PLAN}"))


def current(reports: Path) -> Path | None:
    """Return the run that the report shows, or None where none is named; BadStore if the named one is gone."""
    pointer = reports / CURRENT
    if not pointer.exists():
        return None
    named = reports / json_file.read_text(pointer).strip()
    if not os.path.isfile(named / PLAN):  # a name that is too long is no file, where Path would raise
        raise BadStore(f"{pointer}: names {named}, which holds no {PLAN}; name a run below {reports / 'raw'}")
    return named


def set_current(reports: Path, run: Path) -> None:
    """Name the run that the report shows, by its path relative to `reports`, wherever the run lies."""
    relative = Path(os.path.relpath(run.resolve(), reports.resolve()))
    json_file.write_text(reports / CURRENT, relative.as_posix() + "\n")
