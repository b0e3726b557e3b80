"""Waiting that is real: requests to a loopback HTTP server, and reads of files with the page cache dropped."""

import hashlib
import http.client
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from raybench.model.errors import BackendFailed
from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.answers import demand_equal
from raybench.workloads.base import Workload
from raybench.workloads.files import generate_file
from raybench.workloads.services import serve_loopback

PORT = "RAYBENCH_HTTP_PORT"
REQUEST_TIMEOUT_S = 60.0
BLOCK_BYTES = 1 << 20
STRIDE, SALT = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03  # odd, large: bytes that no file system can compress away
WORD = 1 << 64


@dataclass(frozen=True, kw_only=True)
class HttpRequests(Workload):
    """GET `per_task` pages per task, one after another, from a server that answers after `latency_s`.

    The server is a process of the cell: its CPU time counts, and `facts` says that it was there.
    """

    requests: int
    per_task: int
    latency_s: float

    def tasks(self, seed: int) -> list[Task]:
        starts = range(0, self.requests, self.per_task)
        pages = [list(range(s, min(s + self.per_task, self.requests))) for s in starts]
        return [Task(index=i, params={"paths": [f"/{seed}/{p}" for p in page]}) for i, page in enumerate(pages)]

    def services(self) -> AbstractContextManager[None]:
        return serve_loopback(PORT, self.latency_s)

    def data(self, seed: int) -> dict[str, int]:
        """Return the port of the server that `beside` started."""
        if PORT not in os.environ:
            raise BackendFailed(f"io_bound: {PORT} is not set; call data() within beside(), which starts the server")
        return {"port": int(os.environ[PORT])}

    def run(self, task: Task, context: Mapping[str, int]) -> Iterator[Progress]:
        yield Progress(answer=[_get(context["port"], path) for path in task.params["paths"]])

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Compare every page with the digest of its path."""
        expected = [[hashlib.sha256(p.encode()).hexdigest() for p in t.params["paths"]] for t in tasks]
        demand_equal("io_bound_http", results, expected)

    def warm_up(self, seed: int) -> list[Task]:
        return [Task(index=0, params={"paths": ["/warm-up"]})]

    def facts(self, tasks: Sequence[Task], results: Sequence[TaskResult]) -> dict[str, Any]:
        return {"latency_s": self.latency_s, "requests": self.requests, "beside": "loopback server, one process"}


@dataclass(frozen=True, kw_only=True)
class HttpChain(HttpRequests):
    """GET pages of which each names the next, so that no two can be asked for at once: one task, whatever the cores."""

    per_task: int = 0  # all

    def tasks(self, seed: int) -> list[Task]:
        return [Task(index=0, params={"path": f"/{seed}/first", "requests": self.requests})]

    def run(self, task: Task, context: Mapping[str, int]) -> Iterator[Progress]:
        page = _get(context["port"], task.params["path"])
        for _ in range(task.params["requests"] - 1):
            page = _get(context["port"], f"/{page}")
        yield Progress(answer=page)

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Compare the last page with the digest at the end of the chain."""
        demand_equal("io_chain", results, [_end_of_chain(t.params["path"], t.params["requests"]) for t in tasks])

    def warm_up(self, seed: int) -> list[Task]:
        return [Task(index=0, params={"path": "/warm-up", "requests": 1})]


@dataclass(frozen=True, kw_only=True)
class FileReads(Workload):
    """Read `files` files of `file_bytes` each, one per task, and add up their words.

    drop_cache : ask the kernel, before each read, to forget the file. Whether it did stands in `facts`.
    """

    files: int
    file_bytes: int
    drop_cache: bool

    def tasks(self, seed: int) -> list[Task]:
        return [Task(index=i, params={"file": i}) for i in range(self.files)]

    def data(self, seed: int) -> list[str]:
        """Return the paths of the files, made once."""
        return [str(self._file(i)) for i in range(self.files)]

    def run(self, task: Task, context: Sequence[str]) -> Iterator[Progress]:
        if self.drop_cache:
            forget(context[task.params["file"]])
        total, block = 0, bytearray(BLOCK_BYTES)
        with open(context[task.params["file"]], "rb", buffering=0) as handle:
            while size := handle.readinto(block):
                total += int(np.frombuffer(block, dtype=np.uint64, count=size // 8).sum(dtype=np.uint64))
        yield Progress(answer=total % WORD)

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Compare every sum with its closed form."""
        demand_equal("io_bound_files", results, [_words_sum(self._words, t.params["file"]) for t in tasks])

    def warm_up(self, seed: int) -> list[Task]:
        return [Task(index=0, params={"file": 0})]

    def facts(self, tasks: Sequence[Task], results: Sequence[TaskResult]) -> dict[str, Any]:
        cache = "warm: not asked to be dropped"
        if self.drop_cache:
            forget(str(self._file(0)))
            cache = cache_state(str(self._file(0)))
        return {"page_cache": cache, "bytes_read": self.files * self._words * 8}

    @property
    def _words(self) -> int:
        return self.file_bytes // 8

    def _file(self, number: int) -> Path:
        return generate_file(f"words-bytes-{self.file_bytes}-number-{number}.bin", lambda p: self._write(p, number))

    def _write(self, path: Path, number: int) -> None:
        with path.open("wb") as handle:
            for start in range(0, self._words, BLOCK_BYTES):
                words = np.arange(start, min(start + BLOCK_BYTES, self._words), dtype=np.uint64)
                (words * np.uint64(STRIDE) + np.uint64(number * SALT % WORD)).tofile(handle)
            handle.flush()
            os.fsync(handle.fileno())  # the kernel forgets clean pages only


def forget(path: str) -> None:
    """Ask the kernel to drop a file's pages; it may decline (`cached` tells)."""
    with open(path, "rb", buffering=0) as handle:
        os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def cache_state(path: str) -> str:
    """Say whether a file's first page is in memory: `cold`, or `warm` and why."""
    with open(path, "rb", buffering=0) as handle:
        try:
            os.preadv(handle.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT)
        except BlockingIOError:
            return "cold"
        except OSError as error:
            return f"warm: this file system cannot tell ({os.strerror(error.errno or 0)})"
    return "warm: the kernel keeps the pages"


def _get(port: int, path: str) -> str:
    """Fetch a page; http.client knows no proxies, so no variable of the machine comes between."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def _end_of_chain(path: str, requests: int) -> str:
    for _ in range(requests):
        page = hashlib.sha256(path.encode()).hexdigest()
        path = f"/{page}"
    return page


def _words_sum(count: int, number: int) -> int:
    """Sum j * STRIDE + number * SALT over j below count, modulo 2^64."""
    return (STRIDE * (count * (count - 1) // 2) + number * SALT * count) % WORD
