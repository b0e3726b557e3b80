"""One Ray head for all tests here, and the environment that its workers and the tests' own process share."""

import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CONF = ROOT / "conf" / "backend"
sys.path.insert(0, str(HERE))

from ray_heads import head  # noqa: E402 - it lies here

from raybench.execution.environment import flags_for  # noqa: E402

# Before anything here imports ray: the token and the flags are read once in a process.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [*map(str, (HERE, HERE.parent, ROOT / "src", ROOT / "benchmarks")), *filter(None, [os.environ.get("PYTHONPATH")])]
)
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
os.environ.update(flags_for(yaml.safe_load((CONF.parent / "config.yaml").read_text())["ray_flags"], cpus=2))


@pytest.fixture(scope="session")
def ray_head() -> Iterator[str]:
    """Start one head for all tests and give its address."""
    with head(os.environ) as address:
        yield address
