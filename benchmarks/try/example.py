"""The example of `raybench try` in README: its function is run in an empty folder, and its output stands there."""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from raybench.report.splice import splice

NAME = "try"  # of the markers in README
CODE = re.compile(r"^```python\n# work\.py\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WORDS = ("try", "work.py:simulate", "--inputs", "range(1000)", "--on", "25", "--save", "mine")


def renew(readme: Path) -> None:
    """Run the example and put its output into README."""
    text = readme.read_text(encoding="utf-8")
    found = CODE.search(text)
    if found is None:
        raise SystemExit(f"{readme}: no Python block that begins with `# work.py`; the example is shown by it")
    said = run(found.group(1))
    block = f"```text\n$ raybench {shlex.join(WORDS)}\n{said.rstrip()}\n```"
    readme.write_text(splice(text, {NAME: block}, where=str(readme)), encoding="utf-8")


def run(code: str) -> str:
    """Return what the example says on standard output, in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "work.py").write_text(code, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "raybench", *WORDS],
            cwd=folder,
            env=os.environ | {"COLUMNS": "100"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return "\n".join(line.rstrip() for line in done.stdout.splitlines())
