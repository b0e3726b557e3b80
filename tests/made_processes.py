"""Tagged processes for tests: children that wait for a word, and a daemon that leaves them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from raybench.system.process_tree import TAG

NO_GROUPS = {"cpuacct": "no control groups here", "memory": "no control groups here"}

# Leaves its parent, its session and its parent's life, as Ray's daemons do; says its pid, then stays.
DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(600)
    os._exit(0)
os.wait()
"""


@contextmanager
def python(code: str, tag: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    """Start a tagged child that waits for a line before it does its work."""
    child = subprocess.Popen(
        [sys.executable, "-c", f"input()\n{code}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, TAG: tag, **env},
    )
    try:
        yield child
    finally:
        child.kill()
        for pipe in (child.stdin, child.stdout):  # not communicate: a grandchild may hold the other end for long
            if pipe is not None:
                pipe.close()
        child.wait()


def go(child: subprocess.Popen[str]) -> str:
    """Let the child work; give the first line that it prints."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write("\n")
    child.stdin.flush()
    return child.stdout.readline().strip()
