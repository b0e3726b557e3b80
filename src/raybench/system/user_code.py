"""The code behind a name in a user's configuration: the file of its class, and what that imports from its own folder.

Read as text: nothing is imported, so that a plan stays cheap. What is installed counts by its version instead.
"""

import ast
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from raybench.model.paths import PACKAGE
from raybench.model.serialize import digest
from raybench.system.machine import file_hash

ABSENT = "cannot be imported"


def code_hash(target: str) -> str:
    """Hash the files behind `package.module:Class`; '' for raybench's own code and for installed packages."""
    module = target.replace(":", ".").rpartition(".")[0]
    if module and module.partition(".")[0] != PACKAGE.name and _find(module) is None:
        return ABSENT
    located = _locate(target)
    if located is None:
        return ""
    file, root = located
    files = sorted(_closure(file, root))
    return digest({path.relative_to(root).as_posix(): file_hash(path) for path in files})


def user_modules(*targets: str) -> list[str]:
    """List what must lie on a worker's path for these classes: top-level files and packages of the user's own."""
    found: set[Path] = set()
    for target in targets:
        located = _locate(target)
        if located is not None:
            file, root = located
            found |= {root / path.relative_to(root).parts[0] for path in _closure(file, root)}
    return [str(path) for path in sorted(found)]


def _locate(target: str) -> tuple[Path, Path] | None:
    """Return the file of a class of the user's own and the folder that its imports begin in; None for all others."""
    module = target.replace(":", ".").rpartition(".")[0]
    if not module or module.partition(".")[0] == PACKAGE.name:
        return None
    file = _find(module)
    if file is None:
        return None
    root = file.parents[module.count(".") + (file.name == "__init__.py")]
    return None if any(root.is_relative_to(folder) for folder in _installed()) else (file, root)


def _installed() -> Iterator[Path]:
    for name in ("stdlib", "purelib", "platlib"):
        yield Path(sysconfig.get_path(name)).resolve()


def _find(module: str) -> Path | None:
    """Look along sys.path, as an import would, without running any package's code."""
    parts = module.split(".")
    for entry in sys.path:
        if (found := _module_file(Path(entry or "."), parts)) is not None:
            return found.resolve()
    return None


def _module_file(root: Path, parts: list[str]) -> Path | None:
    place = root.joinpath(*parts)
    return next((p for p in (place / "__init__.py", place.with_name(place.name + ".py")) if p.is_file()), None)


def _closure(file: Path, root: Path) -> set[Path]:
    """Collect a file and all that it imports from below `root`, packages' own `__init__` files included."""
    seen: set[Path] = set()
    open_files = [file]
    while open_files:
        path = open_files.pop()
        if path not in seen:
            seen.add(path)
            open_files += _imports(path, root)
    return seen


def _imports(path: Path, root: Path) -> Iterable[Path]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return []  # it fails when it is run, and says why there
    here = path.parent.relative_to(root).parts
    names = {name for node in ast.walk(tree) for name in _names(node, here)}
    prefixes = {name[:end] for name in names for end in range(1, len(name) + 1)}
    return [found for prefix in prefixes if (found := _module_file(root, list(prefix))) is not None]


def _names(node: ast.AST, here: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield each module that a statement may import, as its parts; `from a import b` may mean the module `a.b`."""
    if isinstance(node, ast.Import):
        yield from (tuple(alias.name.split(".")) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = here[: len(here) - node.level + 1] if node.level else ()
        module = above + tuple((node.module or "").split(".") if node.module else ())
        yield from ((*module, alias.name) for alias in node.names)
