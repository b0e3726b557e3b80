"""The trees that a gate compares: exported from git, copied from the working tree, one with a planted slow-down."""

import compileall
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from gate.planted import PLANTS
from raybench.model.errors import RaybenchError

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("src", "conf", "requirements", "pyproject.toml")  # of a tree: what decides how fast it is
SIDES = ("reference", "twin", "candidate")


def git(*words: str) -> bytes:
    """Return what git prints; raises RaybenchError with git's own sentence."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], check=False, capture_output=True)
    except FileNotFoundError as error:
        raise RaybenchError("git is not installed; it holds the trees to compare with") from error
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split()) or f"ended with {done.returncode}"
        raise RaybenchError(f"git {words[0]}: {said}; expected a clone with the history to compare with")
    return done.stdout


def default_base() -> str:
    """Name the revision that this tree is compared with: its parent, or HEAD where files changed."""
    return "HEAD" if git("status", "--porcelain", "--", *PARTS).strip() else "HEAD^"


def nothing_to_compare(base: str) -> str:
    """Say why there is nothing to measure, or ''. A revision that is not here is an error."""
    git("status", "--porcelain", "--", *PARTS)  # whether git answers at all
    try:
        git("rev-parse", "--verify", "--quiet", f"{base}^{{commit}}")
    except RaybenchError as error:
        raise RaybenchError(f"revision {base} is not here; fetch more history, or give --base REVISION") from error
    return "" if git("diff", "--name-only", base, "--", *PARTS) else f"nothing that is measured differs from {base}"


def export(revision: str, folder: Path) -> None:
    """Unpack a revision's parts."""
    present = [part for part in PARTS if git("ls-tree", "--name-only", revision, part)]
    with tarfile.open(fileobj=BytesIO(git("archive", revision, *present))) as archive:
        archive.extractall(folder, filter="data")


def copy(folder: Path) -> None:
    """Copy this working tree's parts."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / part)


@contextmanager
def lay_out(base: str, plant: str) -> Iterator[dict[str, Path]]:
    """Lay out a compiled tree per side; without a base all sides are this tree, the candidate with the plant."""
    with tempfile.TemporaryDirectory(prefix="raybench-gate-") as folder:
        laid = {side: Path(folder) / letter for side, letter in zip(SIDES, "abc", strict=True)}
        for side, tree in laid.items():
            if base and side != "candidate":
                export(base, tree)
            else:
                copy(tree)
            if plant and side == "candidate":
                PLANTS[plant].into(tree)
            compileall.compile_dir(tree / "src", quiet=1)
        yield laid
