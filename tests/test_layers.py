"""The four import rules, read from folder names alone (why they are as they are: METHODOLOGY.md, Decisions)."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from checkout import ROOT

PACKAGE = ROOT / "src" / "raybench"

# 1. A folder imports folders of lower rows; folders of one row import one another without a cycle.
RANKS = (
    {"model"},
    {"system", "store", "workloads", "analysis", "planning", "config"},
    {"backends", "claims"},
    {"execution", "report", "doctor"},
    {"trial", "tracking"},
    {"cli", "edge", "console", "arguments", "__main__", "__init__"},
)
# 2. These import each other, model and store; nothing else.
RIGHT_OF_THE_STORE, THEIR_IMPORTS = {"analysis", "claims", "report"}, {"analysis", "claims", "report", "model", "store"}
# 3. A run's identity hashes `system.machine.MEASURING`; test_environment.py holds it to design.
# 4. Each library stays where it belongs.
LIBRARIES = {
    "hydra omegaconf": "config",
    "ray": "backends.ray_* doctor",
    "matplotlib seaborn": "report.plots*",
    "mlflow": "tracking*",
    "time": "model.clock",
}
CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}  # of datetime


def module(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


FILES = {module(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def folder(name: str) -> str:
    return name.split(".")[0]


def rank(name: str) -> int | None:
    return next((place for place, folders in enumerate(RANKS) if name in folders), None)


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield every imported module, in functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: relative import; write it out"
            if node.module == "raybench":
                yield from (f"raybench.{alias.name}" for alias in node.names if alias.name != "__version__")
            else:
                yield str(node.module)


def faults(name: str, source: str) -> list[str]:
    """List every way in which a module breaks a rule."""
    tree = ast.parse(source)
    if rank(folder(name)) is None:
        return [f"{folder(name)}: no folder of the design"]
    of_imports = [fault for other in imports(tree) for fault in (*_direction(name, other), *_library(name, other))]
    return of_imports + list(_clocks(name, tree))


def _direction(name: str, other: str) -> Iterator[str]:
    home, theirs = folder(name), folder(other.removeprefix("raybench."))
    if not other.startswith("raybench.") or theirs == home:
        return
    mine, place = rank(home), rank(theirs)
    assert mine is not None
    if place is None or place > mine:
        yield f"{name} imports {other}, which is above it"
    if home in RIGHT_OF_THE_STORE and theirs not in THEIR_IMPORTS:
        yield f"{name} is right of the store and imports {other}"


def _library(name: str, other: str) -> Iterator[str]:
    for libraries, homes in LIBRARIES.items():
        at_home = any(fnmatch(name, home) or fnmatch(name, f"{home}.*") for home in homes.split())
        if folder(other) in libraries.split() and not at_home:
            yield f"{name} imports {other}; only {homes} may"


def _clocks(name: str, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        is_reader = isinstance(node, ast.Attribute) and node.attr in CLOCKS
        if is_reader and name != "model.clock" and ast.unparse(node.value).split(".")[-1] in ("datetime", "date"):
            yield f"{name}:{node.lineno} reads a clock; only model.clock may"


def test_every_file_keeps_the_rules() -> None:
    assert not [fault for name, path in FILES.items() for fault in faults(name, path.read_text(encoding="utf-8"))]


def test_folders_of_one_rank_import_one_another_without_a_cycle() -> None:
    arrows: dict[str, set[str]] = {}
    for name, path in FILES.items():
        for other in imports(ast.parse(path.read_text(encoding="utf-8"))):
            theirs = folder(other.removeprefix("raybench."))
            if other.startswith("raybench.") and theirs != folder(name) and rank(theirs) == rank(folder(name)):
                arrows.setdefault(folder(name), set()).add(theirs)
    left = set(arrows)
    while free := {home for home in left if not arrows[home] & left}:
        left -= free
    assert not left, f"a cycle among {sorted(left)}"


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("model.stats", "from raybench import cli"),
        ("analysis.speedup", "from raybench.workloads.xgb_hpo import XgbHpo"),
        ("workloads.base", "import raybench.backends.base"),
        ("planning.planner", "def f():\n    import hydra.core"),
        ("execution.runner", "import ray"),
        ("claims.judge", "from raybench.report import build"),
        ("report.tables", "from raybench.config import settings"),
        ("execution.measure", "from time import perf_counter"),
        ("execution.runner", "import datetime\ndatetime.datetime.now()"),
        ("attic.old", ""),
    ],
)
def test_a_broken_rule_is_seen(name: str, source: str) -> None:
    assert faults(name, source)
