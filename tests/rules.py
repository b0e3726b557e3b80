"""The rules of METHODOLOGY.md and their tests; `PYTHONPATH=tests python tests/rules.py` writes both of its tables."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import yaml

from checkout import ROOT
from raybench.report.splice import splice

DOCUMENT = ROOT / "METHODOLOGY.md"
FOLDERS = ("tests", "checks")
Rule = int | str


def read_rules() -> dict[Rule, dict[str, str]]:
    """Read every rule: what it demands and, where it is not kept whole, how far (`kept`) and `why`."""
    text = (ROOT / "tests" / "rules.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def find_tests() -> dict[Rule, list[str]]:
    """Return the names of the tests that carry each rule, read from the files; nothing is imported."""
    found = defaultdict(list)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("test_*.py")):
            for rule, name in _marked(ast.parse(path.read_text(encoding="utf-8"))):
                found[rule].append(name)
    return dict(found)


def tables(rules: Mapping[Rule, Mapping[str, str]], tests: Mapping[Rule, Sequence[str]]) -> dict[str, str]:
    """Return the text between the markers of each table."""
    by_table = {"hoefler-belli": [rule for rule in rules if isinstance(rule, str)]}
    by_table["checklist"] = [rule for rule in rules if isinstance(rule, int)]
    return {name: _table(chosen, rules, tests) for name, chosen in by_table.items()}


def document() -> str:
    """Return METHODOLOGY.md as it must be."""
    parts = tables(read_rules(), find_tests())
    return splice(DOCUMENT.read_text(encoding="utf-8"), parts, where=DOCUMENT.name)


def _table(chosen: Sequence[Rule], rules: Mapping[Rule, Mapping[str, str]], tests: Mapping[Rule, Sequence[str]]) -> str:
    lines = ["| rule | demands | kept? | why not whole | tests |", "|---|---|---|---|---|"]
    for rule in chosen:
        told = rules[rule]
        names = "<br>".join(f"`{name}`" for name in tests.get(rule, ()))
        number = str(rule).removeprefix("HB")
        lines.append(f"| {number} | {told['demands']} | {told.get('kept', 'yes')} | {told.get('why', '')} | {names} |")
    return "\n".join(lines)


def _marked(module: ast.Module) -> Iterator[tuple[Rule, str]]:
    for node in module.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.rule":
                yield from ((ast.literal_eval(rule), node.name) for rule in mark.args)


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
