"""The child process: a request and orders as JSON on standard input, raw lines as JSON on a pipe of their own.

Standard output and error stay free for whatever libraries print. When the runner goes away, its end of
standard input closes, and this process ends its whole tree: no measurement outlives its runner.
"""

import contextlib
import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psutil

from raybench.backends.base import Resources
from raybench.execution.child import RESULT_FD
from raybench.execution.measure import serve as serve_samples
from raybench.execution.series import Order, Ready
from raybench.execution.verify_backend import Verified, verify_backend
from raybench.model.clock import now
from raybench.model.measurement import Measurement, Sample
from raybench.model.plan import Job, Limits, Spec
from raybench.model.serialize import encode, from_json
from raybench.system import process_tree

STDOUT_FD, STDERR_FD = 1, 2
_ORDERS: "queue.SimpleQueue[Any]" = queue.SimpleQueue()  # from the runner, by the listening thread


def main() -> int:
    """Serve one request of the runner: a job to measure, or pairs to verify."""
    return serve(_answers)


def serve(answers: Callable[[Mapping[str, Any], float], Iterator[Any]]) -> int:
    """Read the request, write what `answers` yields, line by line; end with the runner.

    answers : takes the request and when this process began (`clock.now`).
    The exit code says only whether the request was understood.
    """
    first_line = now()
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    threading.Thread(target=_listen, daemon=True).start()
    if request.get("affinity"):
        os.sched_setaffinity(0, request["affinity"])
    os.set_inheritable(int(os.environ[RESULT_FD]), False)  # a daemon that held it would keep the runner waiting
    with os.fdopen(int(os.environ[RESULT_FD]), "wb") as out:
        for line in answers(request, first_line):
            out.write(encode(line) + b"\n")
            out.flush()
    return 0


def orders() -> Iterator[Any]:
    """Yield the runner's orders as they come, up to `null`, its last."""
    return iter(_ORDERS.get, None)


@contextlib.contextmanager
def prints_to_stderr() -> Iterator[None]:
    """Send whatever is printed in the block, by Python, by a library or by a child process, to standard error."""
    sys.stdout.flush()
    kept = os.dup(STDOUT_FD)
    os.dup2(STDERR_FD, STDOUT_FD)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, STDOUT_FD)
        os.close(kept)


def _answers(request: Mapping[str, Any], began: float) -> Iterator[Ready | Sample | Measurement | Verified]:
    if "job" in request:
        given = (from_json(Order, order) for order in orders())
        yield from serve_samples(from_json(Job, request["job"]), given, interpreter_s=began - request["spawned"])
    else:
        yield from _verify(request)


def _verify(request: Mapping[str, Any]) -> Iterator[Verified]:
    resources = Resources(
        workers=request["workers"],
        cpus_per_task=request["cpus_per_task"],
        gpus=request["gpus"],
        limits=from_json(Limits, request["limits"]),
    )
    workloads = [from_json(Spec, spec) for spec in request["workloads"]]
    yield from verify_backend(from_json(Spec, request["verify"]), workloads, resources, seed=request["seed"])


def _listen() -> None:
    """Pass on the runner's orders, `null` being the last; where its end of the pipe closes, end all with our tag.

    Reads the bare descriptor: a thread that waits inside `sys.stdin` would hold its lock at exit.
    """
    rest = b""
    while chunk := os.read(0, 4096):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            _ORDERS.put(json.loads(line))
    for process in process_tree.list_tagged(os.environ.get(process_tree.TAG, "-")):
        if process.pid != os.getpid():
            with contextlib.suppress(psutil.Error):
                process.kill()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
