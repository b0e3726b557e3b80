"""One child process of the runner: its pipe, its limits, and how it ended. Its environment: `environment`."""

import fcntl
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from raybench.model.clock import now

RESULT_FD = "RAYBENCH_RESULT_FD"  # names the pipe for raw lines; standard output is for whatever libraries print
WATCH_S = 0.25  # between looks at the memory of the tree; one file read where there are control groups
PIPE_BYTES = 2**16
LAST_WAIT_S = 10.0  # for the exit status of a child that has closed its pipe
MOST_BYTES = 2**26  # of answers: the largest line of the full study has 0.3 MB


class Cut(StrEnum):
    """Why a child was not waited for to its end."""

    TIME = "time"
    MEMORY = "memory"
    LENGTH = "length"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a child may take.

    timeout_s : seconds for the whole answer, or for each line of it.
    held_bytes : memory of the tree now, a shared head included; looked at every `WATCH_S`.
    """

    timeout_s: float
    memory_bytes: int | None = None
    held_bytes: Callable[[], int] = lambda: 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a child ended: its lines, and why it was ended, if it was."""

    lines: tuple[str, ...]
    cut: Cut | None = None
    most_bytes: int = 0  # memory of the tree at most, as far as it was looked at
    returncode: int | None = None
    last_words: str = ""  # end of standard error

    @property
    def how(self) -> str:
        """Say how the process ended, for a reason."""
        if self.returncode is None:
            return "closed its pipe"
        if self.returncode >= 0:
            return f"ended with exit code {self.returncode}"
        number = -self.returncode
        names = {int(known): known.name for known in signal.Signals}
        return f"ended with signal {number} ({names.get(number, 'unknown')})"


class Child:
    """A fresh Python process that runs a module of ours, reads one request and writes lines.

    within : a command that runs another, with the same pid, in a place of its own; () for none.
    """

    def __init__(self, module: str, *, env: Mapping[str, str], cwd: Path, within: Sequence[str] = ()) -> None:
        read_end, write_end = os.pipe()
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self.spawned = now()
        try:
            self.process = subprocess.Popen(
                [*within, sys.executable, "-m", module],
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(write_end,),
                env={**env, RESULT_FD: str(write_end)},
                cwd=cwd,
                start_new_session=True,  # Ctrl-C reaches the runner only, which ends the child in order
            )
        finally:
            os.close(write_end)
        self._pipe = read_end
        self._cut: Cut | None = None
        self._most_bytes = 0
        self._size = 0
        self._lines: deque[str] = deque()  # read and not handed out yet
        self._part = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, request: Mapping[str, Any] | None) -> None:
        """Give the child its request or an order, None being the last; a child that died is noticed when it is read."""
        assert self.process.stdin is not None
        data = (json.dumps(request) + "\n").encode()
        with suppress(OSError):  # a child that never reads must not stop the runner: all of it fits into the pipe
            fcntl.fcntl(self.process.stdin, fcntl.F_SETPIPE_SZ, max(PIPE_BYTES, len(data)))
        with suppress(BrokenPipeError):
            self.process.stdin.write(data)
            self.process.stdin.flush()

    def wait(self, bounds: Bounds) -> Ending:
        """Read until the child closes its pipe or has ended, or passes a bound; the time-out is for all of it."""
        lines = tuple(self._read(bounds, deadline=self.spawned + bounds.timeout_s))
        return self.end(lines)

    def answer(self, bounds: Bounds) -> str | None:
        """Read the next line; None where the child ends or passes a bound before it. The time-out is for this line."""
        return next(self._read(bounds, deadline=now() + bounds.timeout_s), None)

    def lines(self, bounds: Bounds) -> Iterator[str]:
        """Read line by line; the time-out is for each line. How it ended: `end`."""
        yield from self._read(bounds, deadline=None)

    def end(self, lines: tuple[str, ...] = ()) -> Ending:
        """Wait for the end of a child that has closed its pipe, and say how it ended."""
        if self._cut is None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=LAST_WAIT_S)
        return Ending(
            lines=lines,
            cut=self._cut,
            most_bytes=self._most_bytes,
            returncode=self.process.poll(),
            last_words=self.last_words(),
        )

    def leave(self) -> None:
        """Close the child's input, which tells it to end in order, and give it a moment."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=LAST_WAIT_S)

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
        """Return the end of what the child and its libraries printed, in one line; of a traceback its last line."""
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - 2000))
        text = self._log.read().decode(errors="replace")
        said = [line.strip() for line in text.splitlines() if line.strip()]
        trace = any(line.startswith(("Traceback (most recent call last)", 'File "')) for line in said)
        return " / ".join(said[-1:] if trace else said[-3:])[-500:]

    def _read(self, bounds: Bounds, *, deadline: float | None) -> Iterator[str]:
        """Yield whole lines, and at the end what is left without an end of line."""
        while self._lines:
            yield self._lines.popleft()
        for chunk in self._chunks(bounds, deadline):
            self._size += len(chunk)
            *whole, self._part = (self._part + chunk).split(b"\n")
            self._lines.extend(line.decode(errors="replace") for line in whole)
            while self._lines:
                yield self._lines.popleft()
            if self._size > MOST_BYTES:
                self._cut = Cut.LENGTH
                return
        if self._cut is None and self._part:
            rest, self._part = self._part, b""
            yield rest.decode(errors="replace")

    def _chunks(self, bounds: Bounds, deadline: float | None) -> Iterator[bytes]:
        """Yield what arrives until the pipe is closed, or its child has ended, or a bound is passed.

        A process that the child forked may hold the pipe for ever: the child's own end is what counts.
        """
        look = now()
        line_by = now() + bounds.timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            while True:
                ended = self.process.poll() is not None  # asked before the pipe, so that its last words are read
                if selector.select(timeout=0 if ended else WATCH_S):
                    chunk = os.read(self._pipe, 1 << 20)
                    if not chunk:
                        return
                    yield chunk
                    line_by = now() + bounds.timeout_s if b"\n" in chunk else line_by
                elif ended:
                    return
                if now() >= look:
                    look = now() + WATCH_S
                    if self._passes(bounds, deadline if deadline is not None else line_by):
                        return

    def _passes(self, bounds: Bounds, deadline: float) -> bool:
        held = bounds.held_bytes()
        self._most_bytes = max(self._most_bytes, held)
        if now() > deadline:
            self._cut = Cut.TIME
        elif bounds.memory_bytes is not None and held > bounds.memory_bytes:
            self._cut = Cut.MEMORY
        return self._cut is not None
