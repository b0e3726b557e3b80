"""`python benchmarks/peers`: this folder as a program; the package is `peers`."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from peers.report import main  # noqa: E402

sys.exit(main(Path(*sys.argv[1:2] or ["."])))
