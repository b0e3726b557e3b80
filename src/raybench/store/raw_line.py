"""One line of raw data as JSON, and back. A task stamp is a row of its fields in order; `export` has the JSON schema.

A line in the very words that `encode` would use is read by msgspec alone; any other one is looked at with care, and
refused unless all that it says is understood.
"""

import json
from typing import Any

import msgspec

from raybench.model.errors import BadStore
from raybench.model.measurement import Measurement, Quality, Sample
from raybench.model.plan import SCHEMA
from raybench.model.serialize import encode as encode_json
from raybench.model.serialize import from_json
from raybench.store.schema_1 import SCHEMA_1, modernise_line

Line = Measurement | Sample | Quality
Key = tuple[str, int, int, int] | tuple[str, int, int, int, int] | tuple[str, str, int]
KINDS: dict[str, type[Line]] = {"measurement": Measurement, "sample": Sample, "quality": Quality}
HEADS = {kind: f'{{"kind":"{name}","schema":{SCHEMA},'.encode() for name, kind in KINDS.items()}
DECODERS = {HEADS[kind]: msgspec.json.Decoder(kind) for kind in KINDS.values()}


NO_CLOCKS = b',"clocks":[]}'  # the last field of a measurement; only on a joined cluster there are any


def encode(line: Line) -> bytes:
    """Write a line as compact JSON without the newline; fields keep the order of the model."""
    text = encode_json(line)[1:]
    if text.endswith(NO_CLOCKS):
        text = text.removesuffix(NO_CLOCKS) + b"}"
    return HEADS[type(line)] + text


def decode(text: bytes, *, where: str) -> Line:
    """Read a line; `where` is file and line for the message of BadStore. Raises ValueError for what is no JSON."""
    for head, decoder in DECODERS.items():
        if text.startswith(head):
            try:
                line: Line = decoder.decode(text)
            except (ValueError, RecursionError):
                break  # what is wrong, and where, is found below
            if encode(line) == text:
                return line
    return _decode_with_care(text, where)


def _decode_with_care(text: bytes, where: str) -> Line:
    try:
        record = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise BadStore(f"{where}: nested too deeply for a raw line; restore the file from version control") from error
    except Damaged as error:
        raise BadStore(f"{where}: {error}; restore the file from version control") from error
    if not isinstance(record, dict) or not isinstance(record.get("kind"), str) or record["kind"] not in KINDS:
        raise BadStore(f"{where}: no line of raybench; expected an object with kind measurement, sample or quality")
    name, schema = record.pop("kind"), record.pop("schema", None)
    if schema not in (SCHEMA_1, SCHEMA) or isinstance(schema, bool):
        raise BadStore(
            f"{where}: schema {schema!r}, expected {SCHEMA}; "
            "read it with the version of raybench that wrote it (commit in environment.json)"
        )
    try:
        return from_json(KINDS[name], modernise_line(name, record) if schema == SCHEMA_1 else record)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        said = " ".join(repr(str(error))[1:-1].split()) if str(error) else type(error).__name__
        raise BadStore(f"{where}: not a {name} line ({said}); restore the file from version control") from error


class Damaged(Exception):
    """A whole line that Python's reader takes, and that is no JSON."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object; where one says a thing twice, nobody knows which of the two is true."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Damaged("a field appears twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise Damaged(f"{name} is no number of JSON")


def describe(key: Key) -> str:
    """Name a line by its key, for messages."""
    if len(key) == 5:
        return "sample (cell {}, block {}, replica {}, attempt {}, round {})".format(*key)
    if len(key) == 4:
        return "measurement (cell {}, block {}, replica {}, attempt {})".format(*key)
    return "quality (workload {}, variant {}, pair {})".format(*key)
