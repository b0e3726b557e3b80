"""Programs that `raybench view --start` runs: asked over loopback, looked at for where they listen, ended by Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from checkout import ROOT
from raybench.model.clock import now, pause

UP_S = 240  # for a program to answer, on a busy machine too
LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def raybench(*words: str, folder: Path) -> "subprocess.Popen[str]":
    """Start the command line in a folder, in a session of its own."""
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "raybench", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path, "RAYBENCH_CACHE": str(folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


class Started:
    """A program that shows a run. page : its address."""

    def __init__(self, process: "subprocess.Popen[str]", page: str) -> None:
        self.process, self.page = process, page

    def get(self, path: str) -> Any:
        """Ask for a page until it answers with something; JSON is read. Loopback never goes through a proxy."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        until = now() + UP_S
        while True:
            try:
                with direct.open(f"{self.page}{path}", timeout=5) as answer:
                    text = answer.read().decode()
                    found = json.loads(text) if text[:1] in "[{" else text
                    if found:
                        return found
            except OSError:
                pass
            assert self.process.poll() is None, self.process.communicate()[0]
            assert now() < until, f"{self.page}{path} gave nothing"
            pause(0.2)

    def members(self) -> list[psutil.Process]:
        """List the processes that were started."""
        mine = psutil.Process(self.process.pid)
        return [mine, *mine.children(recursive=True)]

    def listens_on(self) -> set[str]:
        """Return the addresses on which any of them takes connections."""
        found = [one for member in self.members() for one in member.net_connections("inet")]
        return {one.laddr.ip for one in found if one.status == psutil.CONN_LISTEN}

    def end(self) -> int:
        """End it by Ctrl-C; return the exit code. Nothing that it started may be left."""
        members = self.members()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=60)
        assert not psutil.wait_procs(members, timeout=10)[1]
        return code


@contextmanager
def viewed(what: str, run: Path, *, folder: Path) -> Iterator[Started]:
    """Show a run by `raybench view --start` on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = raybench("view", what, str(run), "--start", "--port", str(port), folder=folder)
    started = Started(process, f"http://127.0.0.1:{port}")
    try:
        yield started
    finally:
        if process.poll() is None:
            started.end()
