"""Compare the numbers of two reports section by section: a change of words, code or layout must change none.

    python benchmarks/same_numbers.py dump reports/raw/MACHINE/STUDY/RUN > before.json   # all analyses, unrounded
    python benchmarks/same_numbers.py compare before.json after.json
    python benchmarks/same_numbers.py compare old/RESULTS.md RESULTS.md

Sections are the headings of Markdown and the top-level names of JSON. One that only one side has is named; exit code 1
where a section of both differs. In Markdown a table row is compared as a whole, words left out.
"""

import argparse
import dataclasses
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

NUMBER = re.compile(r"(?<![\w.])[+-]?\d+(?:\.\d+)?(?![\w.]*_)")
DIGITS = 9  # of an unrounded number: the last digits of a sum are the processor's own
SHOWN = 5  # lines of a difference

Numbers = tuple[str, ...]
Sections = dict[str, Counter[Numbers]]


def read_markdown(text: str) -> Sections:
    """Return the numbers of every line that has any, by heading."""
    sections: Sections = {}
    heading = "before the first heading"
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif found := tuple(NUMBER.findall(line)):
            sections.setdefault(heading, Counter())[found] += 1
    return sections


def read_json(text: str) -> Sections:
    """Return every number, rounded to nine digits, by top-level name."""
    return {name: Counter(_leaves(value)) for name, value in json.loads(text).items()}


def _leaves(value: Any) -> Iterator[Numbers]:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return
    if isinstance(value, int | float):
        yield (f"{value:.{DIGITS}g}",)
    else:
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _leaves(inner)


def differences(old: Sections, new: Sections) -> tuple[list[str], list[str]]:
    """Return one line per section that differs, and one per section that only one side has."""
    differ, alone = [], []
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new or name not in old:
            alone.append(f"only {'before' if name in old else 'after'}: {name}")
            continue
        gone, come = old[name] - new[name], new[name] - old[name]
        if gone or come:
            differ.append(f"differs: {name}: {gone.total()} gone, {come.total()} new of {old[name].total()}")
            differ += [f"  - {' '.join(numbers)}" for numbers in list(gone)[:SHOWN]]
            differ += [f"  + {' '.join(numbers)}" for numbers in list(come)[:SHOWN]]
    return differ, alone


def dump(folder: Path) -> dict[str, Any]:
    """Return all analyses of a run and its verdicts as JSON values; `nan` and infinities stay as Python writes them."""
    from raybench.report import build

    run = build.read(folder, folder.parent)
    _, findings = build.analyse_and_judge(run)
    names = [field.name for field in dataclasses.fields(findings) if field.name != "data"]  # what they are made from
    return {name: _plain(getattr(findings, name)) for name in names}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {name: inner for name, inner in named.items() if name != "cell"}  # the grid is no result
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, StrEnum | str) or value is None:
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _read(path: Path) -> Sections:
    text = path.read_text(encoding="utf-8")
    return read_json(text) if path.suffix == ".json" else read_markdown(text)


def main(words: Sequence[str] | None = None) -> int:
    """Dump one run or compare two files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("dump").add_argument("run", type=Path)
    comparing = verbs.add_parser("compare")
    comparing.add_argument("old", type=Path)
    comparing.add_argument("new", type=Path)
    arguments = parser.parse_args(words)
    if arguments.verb == "dump":
        json.dump(dump(arguments.run), sys.stdout)
        return 0
    differ, alone = differences(_read(arguments.old), _read(arguments.new))
    print("\n".join([*differ, *alone]) or "the same numbers in every section")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
