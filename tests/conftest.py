"""Where the tests find their data, and which of them this machine cannot run."""

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


def pytest_configure(config: pytest.Config) -> None:
    """Settle RAYBENCH_DATA before anything is collected: given, else beside the checkout, else made."""
    beside = config.rootpath.parent / "shared" / "data"
    if os.environ.get("RAYBENCH_DATA"):
        return
    if beside.is_dir():
        os.environ["RAYBENCH_DATA"] = str(beside)
        return
    folder = tempfile.mkdtemp(prefix="raybench-made-data-")
    made_data.write(Path(folder))
    config.stash[made_folder] = folder
    os.environ["RAYBENCH_DATA"] = folder


def pytest_report_header(config: pytest.Config) -> str:
    return _source(config)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say it again at the end, where it is read."""
    if made_folder in config.stash:
        terminalreporter.write_line(_source(config), yellow=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    if made_folder in config.stash:
        shutil.rmtree(config.stash[made_folder], ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine lacks the means for."""
    lacking = {"gpu": _no_gpu(), "browser": _no_browser()}
    for item in items:
        for marker, reason in lacking.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def tag() -> Iterator[str]:
    """Return a tag of this test's own, and leave nothing that carries it."""
    name = f"raybench-test-{os.getpid()}"
    yield name
    for process in process_tree.list_tagged(name):
        process.kill()


def _source(config: pytest.Config) -> str:
    if made_folder in config.stash:
        return "data: MADE tables of the same schema, not the real ones; set RAYBENCH_DATA to the folder that has them"
    return f"data: {os.environ['RAYBENCH_DATA']}"


def _no_gpu() -> str:
    return "" if Path("/dev/nvidia0").exists() else "no CUDA device here: /dev/nvidia0 is missing"


def _no_browser() -> str:
    found = any(shutil.which(name) for name in BROWSERS)
    return "" if found else f"no browser here: none of {', '.join(BROWSERS)} is on the path"
