"""A Ray head in a process of its own, shared by the tests of Ray's backends."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

HEAD = {"num_cpus": 2, "num_gpus": 0, "object_store_memory": 300 * 2**20, "temp_dir": None}


@contextmanager
def head(env: Mapping[str, str], *, cpus: int = 2) -> Iterator[str]:
    """Start a head with this environment and give its address; it answers on a pipe of its own."""
    answers, given = os.pipe()
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("shared_head.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**env, "RAYBENCH_RESULT_FD": str(given)},
        pass_fds=(given,),
    )
    os.close(given)
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(HEAD | {"num_cpus": cpus}) + "\n")
        process.stdin.flush()
        with os.fdopen(answers, encoding="utf-8") as pipe:
            yield json.loads(pipe.readline())["address"]
    finally:
        process.stdin.close()
        process.wait(timeout=60)
