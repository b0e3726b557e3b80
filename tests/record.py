"""Take the tests' own recorded run anew when the raw data change: `PYTHONPATH=tests python tests/record.py`.

It is a real run on whatever machine is at hand, busy or not: the tests read what was recorded, never how fast it was.
"""

import os
import shutil
import sys

from checkout import RECORDED, TOYS
from raybench import cli
from raybench.store import store


def main() -> int:
    """Replace tests/recorded_run by a new run; return the exit code of `raybench run`."""
    shutil.rmtree(RECORDED, ignore_errors=True)
    os.environ["RAYBENCH_CACHE"] = str(RECORDED / "cache")
    words = ("study=recorded", "limits.background_share=1", f"reports={RECORDED.relative_to(os.getcwd())}")
    code = cli.main(["run", "--no-report", "--conf", str(TOYS.relative_to(os.getcwd())), *words])
    shutil.rmtree(RECORDED / "cache", ignore_errors=True)
    (folder,) = store.runs(RECORDED)
    store.set_current(RECORDED, folder)
    return code


if __name__ == "__main__":
    sys.exit(main())
