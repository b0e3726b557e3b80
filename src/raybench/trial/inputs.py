"""The items that a function is tried on: a Python expression, a file, or a callable that makes them."""

import csv
import importlib
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from raybench.model.errors import BadSettings

FILES = (".json", ".jsonl", ".csv", ".parquet", ".npy")
MOST_ITEMS = 10_000_000


def read(spec: str) -> list[Any]:
    """Return the items of a specification, in order.

    spec : a file (`.json` with a list, `.jsonl`, `.csv`, `.parquet`, `.npy`: one item per row), `module:callable` that
    returns the items, or a Python expression such as `range(200)`.
    Raises BadSettings where there is no item, or where they cannot be read.
    """
    path = Path(spec)
    if path.suffix.lower() in FILES:
        return collect(_rows(path), spec)
    if ":" in spec and all(part.isidentifier() for part in spec.replace(":", ".").split(".")):
        return collect(_make(spec), spec)
    return collect(_evaluate(spec), spec)


def collect(items: Iterable[Any], what: str) -> list[Any]:
    """Return an iterable's items as a list; generators are read once. Refuses none, and an endless one."""
    if isinstance(items, (str, bytes)) or not isinstance(items, Iterable):
        raise BadSettings(f"{what}: expected several items, got one {type(items).__name__}; write [item, item, ...]")
    found = list(itertools.islice(items, MOST_ITEMS + 1))
    if not found:
        raise BadSettings(f"{what}: no items; expected at least one")
    if len(found) > MOST_ITEMS:
        raise BadSettings(
            f"{what}: more than {MOST_ITEMS} items; give a part of them, the verdict scales with their number"
        )
    return found


def sample(items: Sequence[Any], count: int, *, seed: int = 0) -> list[int]:
    """Return indices of at most `count` items, drawn over the whole list and not from its head, in random order.

    One from each of `count` equal parts: unequal items that lie sorted are all met.
    """
    if count >= len(items):
        return [int(i) for i in np.random.default_rng(seed).permutation(len(items))]
    rng = np.random.default_rng(seed)
    edges = np.linspace(0, len(items), count + 1)
    drawn = [int(rng.integers(int(low), max(int(low) + 1, int(high)))) for low, high in itertools.pairwise(edges)]
    return [drawn[int(i)] for i in rng.permutation(count)]


def _rows(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise BadSettings(f"{path}: no such file")
    try:
        yield from _READERS[path.suffix.lower()](path)
    except (OSError, ValueError, KeyError) as error:
        raise BadSettings(
            f"{path}: cannot be read as {path.suffix[1:]}: {' '.join(str(error).split())[:200]}"
        ) from error


def _json(path: Path) -> Iterator[Any]:
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, list):
        raise ValueError(f"expected a list of items, found {type(value).__name__}")
    yield from value


def _jsonl(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise ValueError(f"line {number}: {error}") from error


def _csv(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            yield {name: _number(value) for name, value in row.items()}


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pandas as pd  # noqa: PLC0415 - takes a second, and only this kind of file needs it

    for row in pd.read_parquet(path).to_dict("records"):
        yield {str(name): value for name, value in row.items()}


def _npy(path: Path) -> Iterator[Any]:
    yield from np.load(path, allow_pickle=False)


_READERS = {".json": _json, ".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet, ".npy": _npy}


def _number(text: str | None) -> Any:
    for kind in (int, float):
        try:
            return kind(text)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
    return text


def _make(spec: str) -> Any:
    module, _, name = spec.partition(":")
    try:
        return getattr(importlib.import_module(module), name)()
    except (Exception, SystemExit) as error:
        raise BadSettings(
            f"{spec}: gave no items: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        ) from error


def _evaluate(spec: str) -> Any:
    """Evaluate the user's own expression on the user's own machine, with numpy as `np` at hand."""
    try:
        return eval(spec, {"np": np, "numpy": np})
    except (Exception, SystemExit) as error:
        raise BadSettings(
            f"--inputs {spec}: {type(error).__name__}: {error}; expected a Python expression such as range(200), "
            f"a file ({', '.join(FILES)}) or module:callable"
        ) from error
