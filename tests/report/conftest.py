"""The report of the made run, built once for all tests that read it."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from raybench.report import build
from report import made_run


@dataclass(frozen=True, kw_only=True)
class Reported:
    """A folder with README.md, RESULTS.md and reports/, the run's own folder, and the files that were written."""

    root: Path
    folder: Path
    changed: list[Path]


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    root = tmp_path_factory.mktemp("reported")
    (root / "README.md").write_text("# r\n\n<!-- raybench:headline -->\nbefore\n<!-- /raybench:headline -->\n\nend\n")
    folder = made_run.write(root / "reports")
    return Reported(root=root, folder=folder, changed=build.rebuild(root / "reports", folder, root))
