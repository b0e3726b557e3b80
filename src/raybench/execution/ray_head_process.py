"""A Ray head that serves adjacent cells of one block, in a child process: the runner itself never imports ray."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from raybench.model.errors import BackendFailed
from raybench.system import process_tree

MODULE = "raybench.backends.ray_head"
START_LIMIT_S = 120


class Head:
    """Start a head with this environment and affinity; end it, and all its daemons, on exit.

    `address` is where drivers join, `parts` names the seconds of its start.
    """

    def __init__(self, request: Mapping[str, Any], *, env: Mapping[str, str], affinity: tuple[int, ...]) -> None:
        self._request = dict(request)
        self._env = dict(env)
        self._affinity = affinity
        self.tag = env[process_tree.TAG]
        self.address = ""
        self.parts: dict[str, float] = {}
        self.start_s = 0.0

    def __enter__(self) -> Self:
        # Unix sockets allow about a hundred bytes of path, so the session folder sits high up.
        self._folder = Path(tempfile.mkdtemp(prefix="rb", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
        self._log = tempfile.TemporaryFile()
        self.account = process_tree.Account.open(self.tag)
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self._env,
            start_new_session=True,
        )
        try:
            self.account.add(self._process.pid)
            os.sched_setaffinity(self._process.pid, self._affinity or os.sched_getaffinity(0))
            self._hello()
        except BaseException:
            self._end()
            raise
        return self

    @property
    def pid(self) -> int:
        """Process that holds the head; its exit status is ours to collect."""
        return self._process.pid

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _hello(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            request = {**self._request, "temp_dir": str(self._folder)}
            self._process.stdin.write((json.dumps(request) + "\n").encode())
            self._process.stdin.flush()
        while line := self._process.stdout.readline():  # ends with the process, whose own time-out is START_LIMIT_S
            if line.startswith(b"{"):
                answer = json.loads(line)
                self.address, self.start_s = answer["address"], float(answer["start_s"])
                self.parts = {str(k): float(v) for k, v in answer.get("parts", {}).items()}
                return
        self._log.seek(0)
        words = " ".join(self._log.read()[-600:].decode(errors="replace").split())
        raise BackendFailed(f"the Ray head did not start: {words or 'it printed nothing'}")

    def _end(self) -> None:
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        process_tree.end(self.tag, account=self.account)
        self._process.wait()
        self.account.close()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)
