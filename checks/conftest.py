"""The recorded run that the rules are held against: the tests' own, or with `--reports reports` the committed one."""

from pathlib import Path

import pytest

from checkout import RECORDED
from raybench.analysis.dataset import RunData
from raybench.analysis.results import Findings
from raybench.report import build
from raybench.store import store


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reports", type=Path, default=RECORDED, help="folder with the run to check")


@pytest.fixture(scope="session")
def reports(request: pytest.FixtureRequest) -> Path:
    return Path(request.config.getoption("--reports")).resolve()


@pytest.fixture(scope="session")
def folder(reports: Path) -> Path:
    """Return the folder of the current run; without one there is nothing that the rules could be held against."""
    found = store.current(reports)
    if found is None:
        pytest.fail(f"{reports}/current names no run: take one with `raybench run study=quick`")
    return found


@pytest.fixture(scope="session")
def run(folder: Path, reports: Path) -> RunData:
    return build.read(folder, reports)


@pytest.fixture(scope="session")
def findings(folder: Path, reports: Path) -> Findings:
    return build.analyse_and_judge(build.read(folder, reports))[1]
