"""`python benchmarks/gate`: this folder as a program; the package is `gate`, beside it lie the suites it uses."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent)
sys.path.insert(1, str(HERE.parents[1] / "src"))  # this tree judges; the sides bring their own

from gate.compare import main  # noqa: E402

sys.exit(main())
