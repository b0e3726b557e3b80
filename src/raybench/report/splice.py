"""Generated text between markers of a hand-written file: `<!-- raybench:NAME -->` ... `<!-- /raybench:NAME -->`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from raybench.model.errors import RaybenchError

MARKER = re.compile(r"^<!-- (?P<end>/?)raybench:(?P<name>[\w-]+) -->$")
FENCE = re.compile(r"^ {0,3}(```+|~~~+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Where a generated part stands: line numbers (from 1) of its two markers."""

    name: str
    first: int
    last: int


def spans(text: str, *, where: str) -> list[Span]:
    """Find all generated parts; a marker that opens twice, or has no partner, is refused. Code blocks are skipped."""
    found: list[Span] = []
    opened: tuple[str, int] | None = None
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        fenced = FENCE.match(line)
        if fenced and not opened:
            fence = "" if fence and fenced.group(1).startswith(fence) else fence or fenced.group(1)
        match = MARKER.match(line.rstrip())
        if fence or not match:
            continue
        name, at = match["name"], f"{where}:{number}"
        if match["end"]:
            if opened is None or opened[0] != name:
                raise RaybenchError(f"{at}: closes {name}, which is not open; put <!-- raybench:{name} --> before it")
            found.append(Span(name=name, first=opened[1], last=number))
            opened = None
        elif opened is not None:
            raise RaybenchError(f"{at}: opens {name} within {opened[0]}; close that first")
        elif any(span.name == name for span in found):
            raise RaybenchError(f"{at}: opens {name} a second time; keep one of the two")
        else:
            opened = (name, number)
    if opened is not None:
        raise RaybenchError(
            f"{where}:{opened[1]}: opens {opened[0]} and never closes it; add <!-- /raybench:{opened[0]} -->"
        )
    return found


def splice(text: str, parts: Mapping[str, str], *, where: str) -> str:
    """Replace what stands between the markers of each part; every part must have its markers."""
    found = {span.name: span for span in spans(text, where=where)}
    for name in parts:
        if name not in found:
            raise RaybenchError(f"{where}: has no <!-- raybench:{name} -->; add the pair of markers where it belongs")
    lines = text.splitlines()
    for span in sorted((found[name] for name in parts), key=lambda s: -s.first):  # from below: numbers stay true
        lines[span.first : span.last - 1] = parts[span.name].strip("\n").splitlines()
    return "\n".join(lines) + "\n"


def splice_file(path: Path, parts: Mapping[str, str]) -> str | None:
    """Return a file's text with its generated parts renewed; None where it has no markers of any of them."""
    text = path.read_text(encoding="utf-8")
    present = {span.name for span in spans(text, where=str(path))}
    mine = {name: part for name, part in parts.items() if name in present}
    return splice(text, mine, where=str(path)) if mine else None
