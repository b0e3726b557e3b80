"""The child process: a request as JSON on standard input, raw lines as JSON on a pipe of their own.

Standard output and error stay free for whatever libraries print. When the runner goes away, its end of
standard input closes, and this process ends its whole tree: no measurement outlives its runner.
"""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psutil

from raybench.backends.base import Resources
from raybench.execution.child import RESULT_FD
from raybench.execution.measure import load_workload, measure
from raybench.execution.task_set import draw_tasks, hash_tasks
from raybench.execution.verify_backend import Verified, verify_backend
from raybench.model.clock import now
from raybench.model.errors import one_line
from raybench.model.measurement import Measurement
from raybench.model.plan import Job, Limits, Spec
from raybench.model.serialize import encode, from_json
from raybench.system import process_tree

STDOUT_FD, STDERR_FD = 1, 2


def main() -> int:
    """Serve one request of the runner: a job to measure, task sets to draw, or pairs to verify."""
    return serve(_answers)


def serve(answers: Callable[[Mapping[str, Any], float], Iterator[Any]]) -> int:
    """Read the request, write what `answers` yields, line by line; end with the runner.

    answers : takes the request and when this process began (`clock.now`).
    The exit code says only whether the request was understood.
    """
    first_line = now()
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_runner, daemon=True).start()
    if request.get("affinity"):
        os.sched_setaffinity(0, request["affinity"])
    os.set_inheritable(int(os.environ[RESULT_FD]), False)  # a daemon that held it would keep the runner waiting
    with os.fdopen(int(os.environ[RESULT_FD]), "wb") as out:
        for line in answers(request, first_line):
            out.write(encode(line) + b"\n")
            out.flush()
    return 0


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


def refusal(spec: Spec, seed: int) -> str:
    """Draw a workload's tasks and return why they are refused, or ''."""
    try:
        workload = load_workload(spec)
        with workload.services():
            hash_tasks(draw_tasks(workload, seed))
    except BaseException as error:  # noqa: BLE001 - as in measure: a failure becomes data
        return one_line(error)
    return ""


def _answers(request: Mapping[str, Any], began: float) -> Iterator[Measurement | Verified | dict[str, str]]:
    if "job" in request:
        yield measure(from_json(Job, request["job"]), interpreter_s=began - request["spawned"])
    elif "task_sets" in request:
        yield from ({"refusal": refusal(from_json(Spec, spec), request["seed"])} for spec in request["task_sets"])
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


def _end_with_the_runner() -> None:
    """Wait for the runner's end of the pipe to close; then end everything that carries our tag.

    Reads the bare descriptor: a thread that waits inside `sys.stdin` would hold its lock at exit.
    """
    while os.read(0, 4096):
        pass
    for process in process_tree.list_tagged(os.environ.get(process_tree.TAG, "-")):
        if process.pid != os.getpid():
            with contextlib.suppress(psutil.Error):
                process.kill()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
