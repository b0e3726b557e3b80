"""Services for the tasks while they run: a scratch folder, a loopback server; both are gone afterwards."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from raybench.model.errors import BackendFailed
from raybench.workloads import loopback


@contextmanager
def export_variable(name: str, value: str) -> Iterator[None]:
    """Set an environment variable of the driver, and put back what was there.

    It carries an address from `beside` to `data`, which puts it into the data: workers never read it.
    """
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextmanager
def scratch(name: str) -> Iterator[None]:
    """Make an empty folder, export its path as `name`, and remove it."""
    with tempfile.TemporaryDirectory(prefix="raybench-") as folder, export_variable(name, folder):
        yield


@contextmanager
def serve_loopback(name: str, latency_s: float) -> Iterator[None]:
    """Run the loopback server as a process of its own and export its port as `name`.

    In the driver's process it would hold the driver's interpreter lock while the driver dispatches.
    """
    command = [sys.executable, "-I", loopback.__file__, str(latency_s)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().decode().strip()
            if not port:
                raise BackendFailed("loopback server ended before it listened; run it by hand: " + " ".join(command))
            with export_variable(name, port):
                yield
        finally:
            server.terminate()
