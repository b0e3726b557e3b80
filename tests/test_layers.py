"""Imports point downwards, each library stays in its module, and one module reads clocks (design in METHODOLOGY.md)."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src"
LAYERS = (  # a module may import from rows above its own, and from its own package
    "errors clock jsonform arguments",
    "model",
    "records estimate",
    "host rawline stats laws workloads.base composing",
    "store ledger processes environment quiet",
    "workloads workloads.* backends.base plan scaling metg accounting hpo anytime gate fingerprint",
    "backends backends.* export controls arms",
    "report report.*",
    "claims claims.*",
    "measure doctor settings child head prose",
    "quality quality_run verify run",
    "worker runner verify_all",
    "quality_worker pursue console",
    "cli",
)
LIBRARIES = {  # library: the only modules that may import it
    "hydra omegaconf": "composing",
    "ray": "backends.ray_* doctor",
    "joblib": "backends.joblib_* backends.joblib backends.ray_joblib backends.sklearn_halving",
    "matplotlib seaborn": "report.plots report.plots.*",
    "sklearn xgboost": "workloads.* backends.*",
    "time": "clock",
}
ANALYSIS = (
    "stats store rawline ledger plan scaling controls laws metg accounting hpo anytime arms gate "
    "claims* export report* prose"
)
NOT_IN_ANALYSIS = (
    "ray joblib xgboost sklearn hydra omegaconf "
    "raybench.workloads raybench.backends raybench.composing raybench.settings"
)
CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}  # of datetime
MODULES = {
    ".".join(path.relative_to(SRC / "raybench").with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((SRC / "raybench").rglob("*.py"))
    if path != SRC / "raybench" / "__init__.py"
}


def layer(module: str) -> int | None:
    """Find a module's row; an exact name wins over a pattern."""
    rows = [row.split() for row in LAYERS]
    exact = [i for i, row in enumerate(rows) if module in row]
    return next(iter(exact + [i for i, row in enumerate(rows) if within(module, " ".join(row))]), None)


def within(name: str, patterns: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns.split())


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield every imported module, in functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: relative import; write it out"
            deeper = (f"{node.module}.{alias.name}" for alias in node.names)
            known = [name for name in deeper if name.removeprefix("raybench.") in MODULES or node.module == "raybench"]
            yield from known or [str(node.module)]


def faults(module: str, source: str) -> list[str]:
    """Say every way in which a module breaks the walls."""
    tree, found = ast.parse(source), []
    mine = layer(module)
    for name in imports(tree):
        other = name.removeprefix("raybench.")
        if name.startswith("raybench.") and (theirs := layer(other)) is not None and mine is not None:
            family = other.split(".")[0] == module.split(".")[0]
            if theirs > mine or (theirs == mine and not family):
                found.append(f"{module} imports {other}, which is not in a lower layer")
        for libraries, homes in LIBRARIES.items():
            if name.split(".")[0] in libraries.split() and not within(module, homes):
                found.append(f"{module} imports {name}; only {homes} may")
        if within(module, ANALYSIS) and within(name, f"{NOT_IN_ANALYSIS} {NOT_IN_ANALYSIS.replace(' ', '.* ')}.*"):
            found.append(f"{module} stands right of the store and imports {name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS and module != "clock":
            owner = ast.unparse(node.value).split(".")[-1]
            if owner in ("datetime", "date"):
                found.append(f"{module}:{node.lineno} reads a clock; only clock may")
    return found


@pytest.mark.parametrize("module", MODULES)
def test_a_module_stands_in_the_table(module: str) -> None:
    assert layer(module) is not None, f"add {module} to the table LAYERS"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_keeps_to_its_layer_and_libraries(module: str) -> None:
    assert not faults(module, MODULES[module].read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("stats", "from raybench import cli"),
        ("scaling", "from raybench.workloads.xgb_hpo import XgbHpo"),
        ("workloads.base", "import raybench.backends.base"),
        ("plan", "def f():\n    import hydra.core"),
        ("runner", "import ray"),
        ("claims", "import joblib"),
        ("report.tables", "from sklearn import metrics"),
        ("measure", "from time import perf_counter"),
        ("runner", "import datetime\ndatetime.datetime.now()"),
    ],
)
def test_a_broken_wall_is_seen(module: str, source: str) -> None:
    assert faults(module, source)
