"""Claims from YAML: one file each, every key checked; what is wrong is refused with file and line."""

import math
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from raybench.claims.claim import Claim, ClaimKind, Part, Select
from raybench.claims.quantities import QUANTITIES
from raybench.claims.selection import CONDITION, MOST
from raybench.model.errors import BadSettings
from raybench.model.paths import own_conf
from raybench.model.plan import Tag
from raybench.model.yaml_file import nearest, plain, read_yaml

GROUP = "claim"  # the folder's name below conf/
ID = re.compile(r"[A-Z]+\d+")
BANDS = ("band", "at_least", "at_most", "figure")
PART_KEYS = ("quantity", "select", "warm", "with", *BANDS)
TEXTS = ("id", "source", "section", "statement", "documented", "instead", "note", "needs", "untestable")
CLAIM_KEYS = ("kind", *TEXTS, "all_of", "context", "emulated")
RENAMED = {"above": "it is at_least", "below": "it is at_most", "also": "it is all_of", "beside": "it is context"}
FLAGS = ("compute_bound", "logical")
CONDITIONS, TAGGED = ("cpus", "tasks", "seconds"), ("tags", "backend_tags", "without")
SELECT_KEYS = tuple(f.name for f in fields(Select))
KINDS: Mapping[Any, tuple[Any, str]] = {
    float: ((int, float), "a number"),
    str: (str, "a text"),
    bool: (bool, "true or false"),
    Sequence[str]: (list, "a list of names"),
}


def read(folders: Sequence[Path] = (), *, group: str = GROUP) -> tuple[Claim, ...]:
    """Read the claims of further configuration folders and the project's own, by id. group : their folder below each.

    Raises BadSettings for the first fault, with file and line; an id defined in two files is one.
    """
    own = own_conf()
    found: dict[str, Claim] = {}
    for folder in [*folders, *([own] if own else [])]:
        for path in sorted((folder / group).glob("*.yaml")):
            claim = read_file(path)
            if claim.id in found:
                raise BadSettings(
                    f"{claim.where}: claim {claim.id} is already defined in {found[claim.id].where}; give it another id"
                )
            found[claim.id] = claim
    return tuple(found[id_] for id_ in sorted(found, key=_by_number))


def read_file(path: Path) -> Claim:
    """Read one claim."""
    return _claim(_Block(path=path, node=read_yaml(path).root))


def _by_number(id_: str) -> tuple[str, int]:
    letters = id_.rstrip("0123456789")
    return letters, int(id_[len(letters) :])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """A mapping of a file, with the line of each key."""

    path: Path
    node: yaml.MappingNode

    def values(self, known: Sequence[str]) -> dict[str, Any]:
        """Return the values by key; unknown and repeated keys are refused."""
        found: dict[str, Any] = {}
        for key, value in self.node.value:
            name = str(key.value)
            if name not in known:
                raise self.fault(key, f"no key {name!r} here; {RENAMED.get(name) or nearest(name, known)}")
            if name in found:
                raise self.fault(key, f"{name} appears twice; keep one of the two")
            found[name] = plain(value, self.path)
        return found

    def blocks(self, name: str) -> Iterator["_Block"]:
        """Yield the mappings of a list."""
        value = self._value(name)
        if value is None:
            return
        items = value.value if isinstance(value, yaml.SequenceNode) else [value]
        for item in items:
            if not isinstance(item, yaml.MappingNode):
                raise self.fault(item, f"{name} is a list of quantities; expected quantity, select ... in each")
            yield _Block(path=self.path, node=item)

    def block(self, name: str) -> "_Block | None":
        """Return a mapping within this one; None where it is absent."""
        value = self._value(name)
        if value is None:
            return None
        if not isinstance(value, yaml.MappingNode):
            raise self.fault(value, f"{name} is {plain(value, self.path)!r}; expected keys with values")
        return _Block(path=self.path, node=value)

    def fault(self, at: "yaml.Node | str", text: str) -> BadSettings:
        """Make an error that names file and line; a key that is absent has the line of the whole block."""
        node = at if isinstance(at, yaml.Node) else next((k for k, _ in self.node.value if k.value == at), self.node)
        return BadSettings(f"{self.path}:{node.start_mark.line + 1}: {text}")

    def _value(self, name: str) -> yaml.Node | None:
        return next((value for key, value in self.node.value if key.value == name), None)


def _claim(block: _Block) -> Claim:
    values = block.values((*CLAIM_KEYS, *PART_KEYS))
    texts = {name: values.get(name, "") for name in TEXTS}
    for name, value in texts.items():
        if not isinstance(value, str) or (name in ("id", "source", "statement") and not value):
            raise block.fault(name, f"{name} is {value!r}; expected a text")
    if not ID.fullmatch(texts["id"]):
        raise block.fault("id", f"id {texts['id']!r}; expected capital letters and a number, such as C13")
    kind = _kind(block, values)
    judged = kind is not ClaimKind.QUESTION
    if "quantity" in values:
        parts = (_part(block, values, judged=judged), *(_further(one, judged=judged) for one in block.blocks("all_of")))
    elif texts["untestable"]:
        parts = ()
    else:
        raise block.fault("id", f"claim {texts['id']} has no quantity; name one, or say why it is untestable")
    context = tuple(_further(one, judged=False) for one in block.blocks("context"))
    emulated = tuple(_on_logical_cpus(_further(one, judged=judged)) for one in block.blocks("emulated"))
    where = f"{block.path}:{block.node.start_mark.line + 1}"
    return Claim(**texts, kind=kind, parts=parts, context=context, emulated=emulated, where=where)


def _on_logical_cpus(part: Part) -> Part:
    return replace(part, select=replace(part.select, logical=True))


def _kind(block: _Block, values: Mapping[str, Any]) -> ClaimKind:
    value = values.get("kind")
    if value is None and values.get("untestable"):
        return ClaimKind.UNIVERSAL
    if not isinstance(value, str) or value not in set(ClaimKind):
        raise block.fault("kind", f"kind is {value!r}; {nearest(str(value), ClaimKind)}")
    return ClaimKind(value)


def _further(block: _Block, *, judged: bool) -> Part:
    values = block.values(("say", *PART_KEYS))
    if not isinstance(values.get("say", ""), str) or (not judged and not values.get("say")):
        raise block.fault("say", "say is missing; name in words what is shown with the verdict")
    return _part(block, values, judged=judged)


def _part(block: _Block, values: Mapping[str, Any], *, judged: bool) -> Part:
    name = values.get("quantity")
    if not isinstance(name, Hashable) or name not in QUANTITIES:
        raise block.fault("quantity", f"no quantity {name!r}; choose from {', '.join(sorted(QUANTITIES))}")
    if not isinstance(values.get("warm", True), bool):
        raise block.fault("warm", f"warm is {values['warm']!r}; expected true or false")
    low, high = _band(block, values) if judged else _no_band(block, values)
    return Part(
        quantity=str(name),
        select=_select(block),
        cold=not values.get("warm", True),
        given=_read_given(block, str(name)),
        low=low,
        high=high,
        say=values.get("say", ""),
        figure="figure" in values,
    )


def _band(block: _Block, values: Mapping[str, Any]) -> tuple[float, float]:
    asked = [name for name in BANDS if name in values]
    if len(asked) != 1:
        raise block.fault(
            (asked or ["quantity"])[-1], "expected exactly one of band: [low, high], at_least: x, at_most: y, figure: z"
        )
    name, value = asked[0], values[asked[0]]
    ends = value if name == "band" else [value]
    if not isinstance(ends, list) or len(ends) != (2 if name == "band" else 1) or not all(map(_finite, ends)):
        raise block.fault(
            name, f"{name} is {value!r}; expected {'[low, high]' if name == 'band' else 'a number'}, finite"
        )
    if name == "band":
        low, high = float(ends[0]), float(ends[1])
        if low > high:
            raise block.fault(name, f"band is {value!r}; the lower end comes first")
        return low, high
    return (-math.inf, float(ends[0])) if name == "at_most" else (float(ends[0]), math.inf)


def _no_band(block: _Block, values: Mapping[str, Any]) -> tuple[float, float]:
    for name in BANDS:
        if name in values:
            raise block.fault(name, f"{name} judges nothing in `context` or in a question; move it to `all_of`")
    return -math.inf, math.inf


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _select(block: _Block) -> Select:
    inner = block.block("select")
    if inner is None:
        return Select()
    found: dict[str, Any] = {}
    for name, value in inner.values(SELECT_KEYS).items():
        if name in CONDITIONS:
            text = str(value).strip()
            if not CONDITION.fullmatch(text) and not (name == "cpus" and text == MOST):
                raise inner.fault(name, f"{name} is {value!r}; expected a number or a condition such as '>1'")
            found[name] = text
        elif name in FLAGS:
            if not isinstance(value, bool):
                raise inner.fault(name, f"{name} is {value!r}; expected true or false")
            found[name] = value
        elif not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            raise inner.fault(name, f"{name} is {value!r}; expected a list of names")
        else:
            wrong = next((one for one in value if name in TAGGED and one not in set(Tag)), None)
            if wrong is not None:
                raise inner.fault(name, f"no tag {wrong!r}; {nearest(wrong, Tag)}")
            found[name] = tuple(value)
    return Select(**found)


def _read_given(block: _Block, quantity: str) -> dict[str, Any]:
    inner, wanted = block.block("with"), QUANTITIES[quantity].wanted
    values = inner.values(tuple(wanted) or ("nothing",)) if inner else {}
    for name, kind in wanted.items():
        if name not in values:
            raise block.fault("with" if inner else "quantity", f"{quantity} needs `with: {{{name}: ...}}`")
        types, words = KINDS[kind]
        value = values[name]
        if not isinstance(value, types) or (kind is float and isinstance(value, bool)):
            assert inner is not None
            raise inner.fault(name, f"{name} is {value!r}; expected {words}")
    return values
