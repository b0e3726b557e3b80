"""One Ray head for all tests here, and the environment that its workers and the tests' own process share."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CONF = ROOT / "conf" / "backend"
sys.path.insert(0, str(HERE))

# Before anything here imports ray: the token and the flags are read once in a process.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [*map(str, (HERE, HERE.parent, ROOT / "src", ROOT / "benchmarks")), *filter(None, [os.environ.get("PYTHONPATH")])]
)
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
os.environ.update(yaml.safe_load((CONF.parent / "config.yaml").read_text())["ray_flags"])


@pytest.fixture(scope="session")
def ray_head() -> Iterator[str]:
    """Start a head in a process of its own and give its address."""
    wish = {"num_cpus": 2, "num_gpus": 0, "object_store_memory": 300 * 2**20, "temp_dir": None}
    process = subprocess.Popen(
        [sys.executable, "-m", "raybench.backends.ray_head"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(wish) + "\n")
    process.stdin.flush()
    yield json.loads(process.stdout.readline())["address"]
    process.stdin.close()
    process.stdout.close()
    process.wait(timeout=60)
