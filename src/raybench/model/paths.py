"""Where this package and its conf/ folder lie; and texts without the paths and names of this machine."""

import os
import platform
import re
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


def mask_paths(text: str) -> str:
    """Replace absolute and home paths by `<path>`, all but the generic /tmp and /dev/shm; and what names this host."""
    text = re.sub(r"(?<![\w.~<])~?/(?!tmp\b(?!/)|dev/shm\b(?!/))[^\s,;:'\"\])}]+", "<path>", text)
    for name in (platform.node(), os.environ.get("USER", "")):
        if len(name) > 4:  # a shorter one is a word like any other
            text = text.replace(name, "<name>")
    return text


def mask_places(text: str) -> str:
    """Replace paths, names and network addresses in a text that goes into public raw data; loopback stays."""
    text = re.sub(r"\b\w+://[^\s'\")\]]+", "<address>", text)
    text = re.sub(r"\b(?!127\.0\.0\.1\b)\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "<address>", text)
    return mask_paths(text)
