"""The JSON form of the types that cross module boundaries, by msgspec, and a hash over it.

A value of the wrong type, a field that nobody knows and a number that is none are refused with their place.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Turn a tree of dataclasses into JSON values; enums become their text, tuples lists, numpy scalars numbers."""
    return msgspec.to_builtins(value, str_keys=True, enc_hook=_as_builtin)


def from_json(kind: type[T], value: Any) -> T:
    """Rebuild a dataclass (or any annotated type) from JSON values.

    Raises ValueError that names the place of a wrong type, of a missing field, or of one that the type does not know.
    """
    found = msgspec.convert(value, kind)
    if unknown := _first_unknown(value, to_json(found), "$"):
        raise ValueError(f"Object contains unknown field `{unknown}`")
    return found


def encode(value: Any) -> bytes:
    """Write a value as compact JSON; a number that is not finite becomes null, as JSON has no other word for it."""
    return msgspec.json.encode(value, enc_hook=_as_builtin)


def decode(kind: type[T], text: bytes | str) -> T:
    """Read a value that `encode` wrote; raises ValueError as `from_json` does."""
    return from_json(kind, msgspec.json.decode(text))


def digest(value: Any) -> str:
    """Hash any JSON-able value: sha256 hex over its canonical JSON form."""
    text = json.dumps(to_json(value), sort_keys=True, separators=(",", ":"), allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _as_builtin(value: Any) -> Any:
    """Turn what msgspec does not know into what it knows: numpy's scalars and mappings of other kinds."""
    if isinstance(value, Mapping):
        return dict(value)
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a {type(value).__name__} is no JSON value; make it a number, a text, a list or a mapping")


def _first_unknown(given: Any, known: Any, where: str) -> str:
    """Name the first key of a JSON value that its typed form has lost, or ''. msgspec skips what dataclasses lack."""
    if isinstance(given, Mapping):
        places = ((f"{where}.{key}", value, known.get(key, _LOST)) for key, value in given.items())
    elif isinstance(given, (list, tuple)):
        places = ((f"{where}[{i}]", one, other) for i, (one, other) in enumerate(zip(given, known)))  # noqa: B905 - a row may end early
    else:
        return ""
    return next(
        (
            found
            for place, one, other in places
            if (found := place if other is _LOST else _first_unknown(one, other, place))
        ),
        "",
    )


_LOST = object()
