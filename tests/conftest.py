"""Where the tests find their data, which of them share a process, and which of them this machine cannot run."""

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import made_data
from browsers import BROWSERS
from raybench.system import process_tree

made_folder = pytest.StashKey[str]()
LIMITS_S = {"slow": 600, "ray": 180}  # of one test; the first marker that it has counts, pyproject.toml has the rest
TOGETHER = ("ray", "machine")  # tests of such a marker run in one process of pytest-xdist, one after the other
SHARED = ("reported", "entered")  # so do those that share a costly fixture: each process would make its own


def pytest_configure(config: pytest.Config) -> None:
    """Settle RAYBENCH_DATA before anything is collected: given, or made tables of the same schema."""
    if os.environ.get("RAYBENCH_DATA"):
        return
    folder = tempfile.mkdtemp(prefix="raybench-made-data-")
    made_data.write(Path(folder))
    config.stash[made_folder] = folder
    os.environ["RAYBENCH_DATA"] = folder  # the processes of pytest-xdist inherit it


def pytest_report_header(config: pytest.Config) -> str:
    return _source()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say it again at the end, where it is read."""
    if made_folder in config.stash:
        terminalreporter.write_line(_source(), yellow=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    if made_folder in config.stash:
        shutil.rmtree(config.stash[made_folder], ignore_errors=True)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine lacks the means for; give every test its group and its time-out."""
    lacking = {"gpu": _no_gpu(), "browser": _no_browser(), "real_data": _no_data(), "mlflow": _no_mlflow()}
    for item in items:
        for marker, reason in lacking.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))
        if group := _group(item):
            item.add_marker(pytest.mark.xdist_group(group))
        limit_s = next((limit for marker, limit in LIMITS_S.items() if item.get_closest_marker(marker)), None)
        if limit_s is not None and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(limit_s))


@pytest.fixture
def tag() -> Iterator[str]:
    """Return a tag of this test's own, and leave nothing that carries it."""
    name = f"raybench-test-{os.getpid()}"
    yield name
    for process in process_tree.list_tagged(name):
        process.kill()


def _group(item: pytest.Item) -> str:
    """Name the tests that must run in one process of pytest-xdist with this one; '' where any process will do."""
    names = [marker for marker in TOGETHER if item.get_closest_marker(marker)]
    params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    names += [f"{name} {params.get(name, '')}" for name in SHARED if name in getattr(item, "fixturenames", ())]
    return names[0] if names else ""


def _is_made() -> bool:
    return bool(os.environ.get("RAYBENCH_DATA_UNCHECKED"))


def _source() -> str:
    if _is_made():
        return "data: MADE tables of the same schema, not the real ones; set RAYBENCH_DATA to the folder that has them"
    return f"data: {os.environ['RAYBENCH_DATA']}"


def _no_data() -> str:
    return "made tables stand for the published data files; set RAYBENCH_DATA to the folder that has them" * _is_made()


def _no_gpu() -> str:
    return "" if Path("/dev/nvidia0").exists() else "no CUDA device here: /dev/nvidia0 is missing"


def _no_browser() -> str:
    found = any(shutil.which(name) for name in BROWSERS)
    return "" if found else f"no browser here: none of {', '.join(BROWSERS)} is on the path"


def _no_mlflow() -> str:
    """Say where MLflow is: in an environment of its own, since it holds pyarrow back."""
    return "" if importlib.util.find_spec("mlflow") else "MLflow is not installed here; run `nox -s tracking`"
