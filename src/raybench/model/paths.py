"""Where this package and its conf/ folder lie: in a checkout, or in an installed wheel."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def own_conf() -> Path | None:
    """Return the project's conf/: beside src/ in a checkout, inside the package in a wheel; None if it is missing."""
    candidates = (PACKAGE.parents[1] / "conf", PACKAGE / "conf")
    return next((folder for folder in candidates if (folder / "config.yaml").is_file()), None)


def repository() -> Path | None:
    """Return the checkout that this package runs from; None when it is installed without one."""
    root = PACKAGE.parents[1]
    return root if PACKAGE.parent.name == "src" and (root / "pyproject.toml").is_file() else None
