"""One YAML dialect for every file below conf/, with the line of each value.

A plain scalar means what it means in an override: `1e-3` is a number, `yes` and `12:30` are texts. Doubled keys and
what JSON cannot hold (dates, sets, objects, values that contain themselves) are refused.
"""

import difflib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from raybench.model.errors import BadSettings

Keys = tuple[str | int, ...]  # the way from the top of a file to a value

# ten times as fast as SafeLoader, where it was built
_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DATE = r"\d{4}-\d\d?-\d\d?([Tt ].*)?"
_INT = r"(?:0|[1-9](?:_?[0-9])*)"
_POINT = rf"(?:{_INT}?\.[0-9](?:_?[0-9])*|{_INT}\.)"
_EXPONENT = rf"(?:{_INT}|{_POINT})[eE][-+]?[0-9](?:_?[0-9])*"
_NOT_FINITE = r"\.(?:inf|Inf|INF|nan|NaN|NAN)"  # the bare words nan and inf are texts, as in all of YAML
_RESOLVERS = (
    ("null", r"~|null|Null|NULL|"),
    ("bool", r"[tT]rue|TRUE|[fF]alse|FALSE"),
    ("int", rf"[-+]?{_INT}"),
    ("float", rf"[-+]?(?:{_POINT}|{_EXPONENT}|{_NOT_FINITE})"),
    ("timestamp", _DATE),
)
NOT_JSON = re.compile(f"{_DATE}|[-+]?{_NOT_FINITE}")  # what a file refuses unless it is quoted

MOST_NAMES = 20  # listed in a refusal


class _Loader(_SAFE):  # type: ignore[misc]
    yaml_implicit_resolvers: dict[str | None, list[Any]] = {}  # noqa: RUF012


for _name, _pattern in _RESOLVERS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern})$"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlFile:
    """A file that has been read; `value` holds only dicts with text keys, lists, texts, finite numbers, bools, None."""

    path: Path
    value: dict[str, Any]
    root: yaml.MappingNode

    def line(self, keys: Sequence[str | int]) -> int:
        """Return the line of the deepest part of this way that is there; of a mapping's value the line of its key."""
        node: yaml.Node = self.root
        line = node.start_mark.line
        for key in keys:
            if isinstance(node, yaml.MappingNode):
                found = next(((k, v) for k, v in node.value if k.value == str(key)), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
                node = node.value[key]
                line = node.start_mark.line
            else:
                break
        return int(line) + 1

    def fault(self, keys: Sequence[str | int], text: str) -> BadSettings:
        """Make an error that names file and line."""
        return BadSettings(f"{self.path}:{self.line(keys)}: {printable(text)}")


def read_yaml(path: Path) -> YamlFile:
    """Read a mapping; BadSettings with file and line where there is none."""
    try:
        text = path.read_bytes().decode("utf-8")
        root = yaml.compose(text, Loader=_Loader)
    except OSError as error:
        raise BadSettings(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadSettings(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        hint = "; put text that holds `: ` into quotes" if "mapping values" in str(error.problem) else ""
        raise BadSettings(f"{path}:{line}: not YAML: {error.problem}{hint}") from error
    except yaml.YAMLError as error:
        raise BadSettings(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise BadSettings(f"{path}: nested too deeply") from error
    if not isinstance(root, yaml.MappingNode):
        raise BadSettings(f"{path}:1: expected keys with values at the top")
    return YamlFile(path=path, value=plain(root, path), root=root)


def plain(node: yaml.Node, path: Path) -> Any:
    """Return a node of a file as plain values."""
    return _Reader(path).value(node, ())


class _Reader:
    """Turns nodes into plain values."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.loader = _Loader("")

    def value(self, node: yaml.Node, above: tuple[int, ...]) -> Any:
        if id(node) in above:
            raise self.fault(node, "a value that contains itself")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, (*above, id(node)))
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.value(item, (*above, id(node))) for item in node.value]
        return self.scalar(node)

    def mapping(self, node: yaml.MappingNode, above: tuple[int, ...]) -> dict[str, Any]:
        if node.tag != "tag:yaml.org,2002:map":
            raise self.fault(node, f"{_short(node.tag)} is not read here; expected keys with values")
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.fault(key, "a key that is no text")
            if key.value in found:
                raise self.fault(key, f"'{key.value}' appears twice; keep one of the two")
            found[key.value] = self.value(value, above)
        return found

    def scalar(self, node: yaml.Node) -> Any:
        kind, text = _short(node.tag), str(node.value)
        if kind == "str" and isinstance(node, yaml.ScalarNode):
            return text
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        try:
            if kind == "int":
                return int(text)
            if kind == "float" and math.isfinite(number := float(text)):
                return number
        except ValueError:
            pass
        if kind == "timestamp":
            raise self.fault(node, f"{text} is a date; put it into quotes to give it as text")
        raise self.fault(node, f"{text if isinstance(node, yaml.ScalarNode) else kind} is no text and no finite number")

    def fault(self, node: yaml.Node, text: str) -> BadSettings:
        return BadSettings(f"{self.path}:{node.start_mark.line + 1}: {printable(text)}")


def _short(tag: str) -> str:
    return tag.removeprefix("tag:yaml.org,2002:")


def printable(text: str, most: int = 400) -> str:
    """Return a text as one line without control characters, cut where it is too long."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name is meant, and which there are: all of a few, the most alike of many."""
    options = sorted(known)
    if not options:
        return "there is none"
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.4)
    hint = f"did you mean '{close[0]}'? " if close else ""
    shown = options
    if len(options) > MOST_NAMES:
        shown = difflib.get_close_matches(name, options, n=MOST_NAMES, cutoff=0) or options[:MOST_NAMES]
    more = f" and {len(options) - len(shown)} others" if len(shown) < len(options) else ""
    return f"{hint}choose from {', '.join(shown)}{more}"
