"""Made /proc and /sys trees, for the tests of what is read from the machine."""

from collections.abc import Mapping
from pathlib import Path

from raybench.system.kernel import Host


def made(root: Path, files: Mapping[str, str]) -> Host:
    """Write a tree of kernel files."""
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Host(root=root)


def cpuinfo(cores: int, model: str, mhz: str = "2600.000") -> str:
    entries = [
        f"processor\t: {i}\nmodel name\t: {model}\ncpu MHz\t\t: {mhz}\nphysical id\t: 0\ncore id\t\t: {i}\n"
        for i in range(cores)
    ]
    return "\n".join(entries)
