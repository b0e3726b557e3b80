"""The user's function: found by `MODULE:FUNCTION` or `FILE.py:FUNCTION`, and made fit to travel to workers."""

import difflib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle

from raybench.model.errors import BadSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A function to try. name : as the user wrote it, without its module. payload : the function, pickled by value."""

    function: Callable[..., Any]
    name: str
    payload: bytes


def find(text: str) -> Target:
    """Return the function that `MODULE:FUNCTION` or `FILE.py:FUNCTION` names.

    Raises BadSettings in one line: what is not there, and the nearest name that is.
    """
    place, colon, name = text.rpartition(":")
    if not colon or not place or not name:
        raise BadSettings(f"{text}: expected MODULE:FUNCTION or FILE.py:FUNCTION, e.g. work.py:simulate")
    module = _from_file(Path(place)) if place.endswith(".py") or os.sep in place else _from_name(place)
    return of(_attribute(module, name, text), name=name)


def of(function: Callable[..., Any], *, name: str = "") -> Target:
    """Return a target for a function object, one typed into a notebook too."""
    if not callable(function):
        raise BadSettings(
            f"{name or function!r} is {_a(type(function).__name__)}, no function; name one that takes an item"
        )
    if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function):
        kind = "a generator" if inspect.isgeneratorfunction(function) else "a coroutine function"
        raise BadSettings(
            f"{name or function.__name__} is {kind}; wrap it in a function that returns the finished result"
        )
    return Target(function=function, name=name or getattr(function, "__name__", "function"), payload=pickle(function))


def pickle(function: Callable[..., Any]) -> bytes:
    """Pickle a function by value where a worker could not import it: from a script, a notebook, or a loose folder."""
    module = sys.modules.get(getattr(function, "__module__", ""))
    by_value = module is not None and not _is_installed(module)
    if by_value and module is not None and module.__name__ != "__main__":
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(function))
    except Exception as error:
        raise BadSettings(
            f"{getattr(function, '__name__', function)} cannot be sent to workers: {_line(error)}; "
            "open files, locks and connections inside the function, or in --setup"
        ) from error
    finally:
        if by_value and module is not None and module.__name__ != "__main__":
            cloudpickle.unregister_pickle_by_value(module)


def check_call(target: Target, *, star: bool, setup: bool, item: Any) -> None:
    """Refuse a function that cannot take one item as it will be called, before anything is started."""
    try:
        signature = inspect.signature(target.function)
    except (TypeError, ValueError):  # built-ins without a signature: the first call tells
        return
    arguments: tuple[Any, ...] = tuple(item) if star and isinstance(item, (tuple, list)) else (item,)
    if star and not isinstance(item, (tuple, list)):
        raise BadSettings(f"--star: an item must be a tuple of arguments, the first one is {_a(type(item).__name__)}")
    arguments = ("state", *arguments) if setup else arguments
    try:
        signature.bind(*arguments)
    except TypeError as error:
        wanted = [
            p
            for p in signature.parameters.values()
            if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        hint = "; items that are tuples of arguments need --star" if len(wanted) > len(arguments) else ""
        raise BadSettings(
            f"{target.name}{signature} cannot be called with {len(arguments)} argument(s): {error}{hint}"
        ) from error


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        near = difflib.get_close_matches(
            path.name, [p.name for p in path.parent.glob("*.py")] if path.parent.is_dir() else [], n=1
        )
        raise BadSettings(f"{path}: no such file{f'; did you mean {near[0]}?' if near else ''}")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # what the file imports from its own folder, as `python FILE.py` finds it
    name = path.stem if path.stem not in sys.modules else f"tried_{path.stem}"  # a file may be called random.py
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BadSettings(f"{path}: cannot be imported as Python; expected a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        _execute(lambda: spec.loader.exec_module(module) if spec.loader else None, str(path))
    except ModuleNotFoundError as error:
        raise BadSettings(f"{path}: it imports {error.name}, which is not installed") from error
    return module


def _from_name(name: str) -> ModuleType:
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module: ModuleType = _execute(lambda: importlib.import_module(name), name)
        return module
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise BadSettings(f"{name}: no module of that name; give FILE.py:FUNCTION, or set PYTHONPATH") from error
        raise BadSettings(f"{name}: it imports {error.name}, which is not installed") from error


def _execute(load: Callable[[], Any], what: str) -> Any:
    """Import user code; whatever it raises, SystemExit too, becomes one line."""
    try:
        return load()
    except ModuleNotFoundError:
        raise
    except (Exception, SystemExit) as error:
        raise BadSettings(f"{what}: cannot be imported: {type(error).__name__}: {_line(error)}") from error


def _attribute(module: ModuleType, name: str, text: str) -> Any:
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            names = [n for n in dir(found) if not n.startswith("_") and callable(getattr(found, n, None))]
            near = difflib.get_close_matches(part, names, n=1)
            rest = f"did you mean {near[0]}?" if near else f"it has {', '.join(names[:8]) or 'no function'}"
            raise BadSettings(f"{text}: no {part} there; {rest}")
        found = getattr(found, part)
    return found


def _is_installed(module: ModuleType) -> bool:
    """Return whether a worker finds the module by its name: it lies in an installation, not in a user's folder."""
    path = getattr(module, "__file__", None)
    if path is None:
        return module.__name__ != "__main__"
    return "site-packages" in path or "dist-packages" in path or path.startswith((sys.base_prefix, sys.prefix))


def _a(kind: str) -> str:
    return f"an {kind}" if kind[:1].lower() in "aeiou" else f"a {kind}"


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
