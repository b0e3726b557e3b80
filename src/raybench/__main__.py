"""`python -m raybench`: the same command line."""

import sys

from raybench.cli import main

if __name__ == "__main__":
    sys.exit(main())
