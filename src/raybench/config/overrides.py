"""Overrides of the command line: read by Hydra's grammar, put into plain mappings, named when a value is refused."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override as Parsed
from hydra.core.override_parser.types import QuotedString
from hydra.errors import HydraException

from raybench.model.errors import BadSettings
from raybench.model.yaml_file import NOT_JSON, Keys, printable

GROUPS = ("study", "cluster")  # a file of each is chosen by name
SPECS = ("workload", "backend")
EXPECTED = "expected an override such as key=value or key=[a,b]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One word of the command line: where it goes, and what it puts there."""

    text: str
    keys: tuple[str, ...]
    value: Any
    adds: bool = False  # with `+`: a parameter that the file does not have
    removes: bool = False  # with `~`

    @property
    def chooses(self) -> bool:
        """Return whether it names a file of a group."""
        return len(self.keys) == 1 and self.keys[0] in GROUPS

    def fault(self, text: str) -> BadSettings:
        """Make an error that names the override."""
        return BadSettings(f"{self.text}: {printable(text)}")


def parse_overrides(texts: Sequence[str]) -> list[Override]:
    """Read every override; BadSettings names the first that is none."""
    parser = OverridesParser.create()
    return [_parse(parser, text) for text in texts]


def _parse(parser: Any, text: str) -> Override:
    try:
        parsed: Parsed = parser.parse_override(text)
    except (HydraException, RecursionError) as error:
        raise BadSettings(f"{_shown(text)}: {EXPECTED}: {printable(str(error), 120)}") from error
    if parsed.is_sweep_override():
        raise BadSettings(f"{_shown(text)}: one value for a key; a list is written key=[a,b]")
    keys = tuple(parsed.key_or_group.split("."))
    if not all(keys) or parsed.package is not None or "/" in parsed.key_or_group:
        raise BadSettings(f"{_shown(text)}: {EXPECTED}")
    value = None if parsed.is_delete() else _plain(parsed._value, text)
    return Override(text=_shown(text), keys=keys, value=value, adds=parsed.is_add(), removes=parsed.is_delete())


def _shown(text: str) -> str:
    return printable(text, 160)


def _plain(value: Any, text: str) -> Any:
    """Turn what Hydra read into what a file could hold."""
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, dict):
        return {str(_plain(key, text)): _plain(one, text) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one, text) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        word = re.search(r"[-+]?(?:nan|inf)", text, re.IGNORECASE)
        if word is None:
            raise BadSettings(f"{_shown(text)}: {value} is no finite number")
        return word[0]  # a text, as in a file
    if isinstance(value, str) and NOT_JSON.fullmatch(value):
        raise BadSettings(f"{_shown(text)}: {value} is a date or no finite number; give it as text: \"'{value}'\"")
    return value


def put(tree: dict[str, Any], keys: Sequence[str], override: Override) -> None:
    """Put the value of an override into a tree of plain values, or take the key away."""
    node: Any = tree
    for place, key in enumerate(keys[:-1]):
        node = _step(node, key, override)
        if not isinstance(node, dict | list):
            raise override.fault(f"{'.'.join(keys[: place + 1])} is a single value and has no '{keys[place + 1]}'")
    last = keys[-1]
    if isinstance(node, list):
        if override.removes:
            raise override.fault("a row of a list cannot be taken away; give the whole list")
        node[_row(node, last, override)] = override.value
    elif not override.removes:
        node[last] = override.value
    elif node.pop(last, override) is override:
        raise override.fault(f"there is no {last} to take away")


def _step(node: Any, key: str, override: Override) -> Any:
    if isinstance(node, list):
        return node[_row(node, key, override)]
    if node.get(key) is None:
        node[key] = {}
    return node[key]


def _row(node: Sequence[Any], key: str, override: Override) -> int:
    if not key.isdecimal() or int(key) >= len(node):
        raise override.fault(f"a list of {len(node)} has no '{key}'; its rows are 0, 1 ...")
    return int(key)


def leaves(value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yield every single value with the way to it."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, (*keys, key))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from leaves(one, (*keys, place))
    else:
        yield keys, value
