"""One child process of the runner: its environment, its pipe, its limits, and the end of its whole tree."""

import json
import os
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from raybench.model.clock import now
from raybench.model.plan import Job, Spec
from raybench.system import process_tree

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
# The same for every backend, so that no arm is measured with another arm's defaults (METHODOLOGY, threads).
COMMON = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_PROMPT_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # else Ray starts every worker through uv
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "PYTHONUNBUFFERED": "1",
    "SPT_NOENV": "1",  # else setproctitle, which Ray uses, overwrites the environment in which we look for the tag
}
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")  # they break gRPC between Ray's own processes
WATCH_S = 0.25  # between looks at the memory of the tree; one file read where there are control groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a child ended: its lines, and why it was ended, if it was."""

    lines: tuple[str, ...]
    timed_out: bool = False
    over_memory: int | None = None  # bytes seen when the limit was passed
    most_memory: int = 0  # bytes seen at most, shared head included
    returncode: int | None = None
    last_words: str = ""  # end of standard error


def environment(spec: Spec, *, threads: int, tag: str, job: Job | None = None) -> dict[str, str]:
    """Build a child's environment: this process's own, thread variables, flags of the arm, the tag.

    Nothing that Ray or a thread library reads is taken over from the user's shell.
    """
    foreign = ("RAY_", "TUNE_", "OMP_", "MKL_", "OPENBLAS_", "LOKY_", "JOBLIB_", "BLIS_", "GOTO_", "KMP_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(foreign) and k.lower() not in PROXIES}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # without bytecode caches each child would compile what it imports
    kept |= COMMON
    kept |= {name: str(threads) for name in THREAD_VARIABLES}
    kept |= {str(k): str(v) for k, v in spec.params.get("flags", {}).items()}
    kept["no_proxy"] = kept["NO_PROXY"] = "*"
    kept["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(os.path.abspath(path) for path in sys.path if path))
    kept[process_tree.TAG] = tag
    if job is not None:
        kept["PYTHONHASHSEED"] = str(job.hash_seed)
        kept["RAYBENCH_PADDING"] = "x" * job.padding
        if job.cell.gpus == 0:
            kept["CUDA_VISIBLE_DEVICES"] = ""
    return kept


class Child:
    """A fresh Python process that runs a module of ours, reads one request and writes lines."""

    def __init__(self, module: str, *, env: Mapping[str, str], cwd: Path) -> None:
        read_end, write_end = os.pipe()
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self.spawned = now()
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            pass_fds=(write_end,),
            env={**env, "RAYBENCH_RESULT_FD": str(write_end)},
            cwd=cwd,
            start_new_session=True,  # Ctrl-C reaches the runner only, which ends the child in order
        )
        os.close(write_end)
        self._pipe = read_end

    def send(self, request: Mapping[str, Any]) -> None:
        """Return the child its request; a child that died before is noticed by `wait`."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write((json.dumps(request) + "\n").encode())
            self.process.stdin.flush()

    def wait(self, *, timeout_s: float, held_bytes: Callable[[], int], memory_bytes: int | None) -> Ending:
        """Read until the child closes its pipe, runs out of time, or its tree outgrows its memory.

        held_bytes : memory of the tree now, a shared head included; looked at every `WATCH_S`.
        """
        chunks: list[bytes] = []
        most = 0
        deadline = self.spawned + timeout_s
        for chunk in self._read():
            if chunk is not None:
                if not chunk:
                    break
                chunks.append(chunk)
                continue
            most = max(most, used := held_bytes())
            if now() > deadline:
                return self._ending(chunks, timed_out=True, most_memory=most)
            if memory_bytes is not None and used > memory_bytes:
                return self._ending(chunks, over_memory=used, most_memory=most)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        return self._ending(chunks, most_memory=most)

    def lines(self) -> Iterator[str]:
        """Read line by line until the child closes its pipe; for children that talk for long."""
        with os.fdopen(os.dup(self._pipe), encoding="utf-8") as stream:
            yield from stream

    def close(self) -> None:
        """End the child if it still runs, and let go of its pipes."""
        if self.process.poll() is None:
            self.process.kill()
        if self.process.stdin is not None:
            with suppress(BrokenPipeError):
                self.process.stdin.close()
        self.process.wait()
        os.close(self._pipe)
        self._log.close()

    def last_words(self) -> str:
        """Return the end of what the child and its libraries printed, in one line."""
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - 2000))
        text = self._log.read().decode(errors="replace")
        tail = [line.strip() for line in text.splitlines() if line.strip()][-3:]
        return " / ".join(tail)[-500:]

    def _read(self) -> Iterator[bytes | None]:
        """Yield what arrives; None at each look at the limits; b'' at the end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            while True:
                if selector.select(timeout=WATCH_S):
                    chunk = os.read(self._pipe, 1 << 16)
                    yield chunk
                    if not chunk:
                        return
                else:
                    yield None

    def _ending(
        self, chunks: list[bytes], *, timed_out: bool = False, over_memory: int | None = None, most_memory: int = 0
    ) -> Ending:
        text = b"".join(chunks).decode(errors="replace")
        return Ending(
            lines=tuple(text.splitlines()),
            timed_out=timed_out,
            over_memory=over_memory,
            most_memory=most_memory,
            returncode=self.process.poll(),
            last_words=self.last_words(),
        )
