"""The JSON form of the types that cross module boundaries, and a hash over it; standard library only."""

import dataclasses
import functools
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Turn a dataclass tree into JSON values; enums become their text, tuples lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(v) for v in value]
    return value


def from_json(kind: type[T], value: Any) -> T:
    """Rebuild a dataclass (or any annotated type) from JSON values.

    Unknown fields raise TypeError, missing ones take their default or raise TypeError.
    """
    return typing.cast("T", _rebuild(kind, value))


@functools.cache  # resolving annotations costs more than the rest of reading a line
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _rebuild(kind: Any, value: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        options = [k for k in typing.get_args(kind) if k is not type(None)]
        return value if value is None or len(options) != 1 else _rebuild(options[0], value)
    if origin is tuple:
        inner = typing.get_args(kind)
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(_rebuild(inner[0], v) for v in value)
        return tuple(_rebuild(k, v) for k, v in zip(inner, value, strict=True))
    if origin is not None and isinstance(value, Mapping):  # Mapping[str, X]
        return {k: _rebuild(typing.get_args(kind)[1], v) for k, v in value.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        unknown = set(value) - set(hints)
        if unknown:
            raise TypeError(f"{kind.__name__} has no field {', '.join(sorted(unknown))}")
        return kind(**{k: _rebuild(hints[k], v) for k, v in value.items()})
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    return value


def digest(value: Any) -> str:
    """Hash any JSON-able value: sha256 hex over its canonical JSON form."""
    text = json.dumps(to_json(value), sort_keys=True, separators=(",", ":"), allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()
