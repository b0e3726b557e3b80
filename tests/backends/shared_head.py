"""A local Ray head in a process of its own: `python tests/backends/shared_head.py`.

One JSON line on standard input says what it has: {"num_cpus", "num_gpus", "object_store_memory", "temp_dir"}.
One JSON line on the pipe RAYBENCH_RESULT_FD says where it is: {"address", "start_s", "parts"}.
It stops when its input closes.
"""

import json
import os
import signal
import sys

import ray

from raybench.backends.ray_session import start_local_head
from raybench.model.clock import now


def main() -> None:
    """Start the head, say so, wait for the end of the input, stop the head."""
    began = now()
    pipe = int(os.environ["RAYBENCH_RESULT_FD"])
    os.set_inheritable(pipe, False)  # daemons that held it would hide the end of this process
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    wish = json.loads(sys.stdin.readline())
    address = start_local_head(
        cpus=wish["num_cpus"],
        gpus=wish.get("num_gpus", 0),
        object_store_memory=wish.get("object_store_memory"),
        temp_dir=wish.get("temp_dir"),
    )
    start_s = now() - began
    with os.fdopen(pipe, "w", encoding="utf-8") as out:
        out.write(json.dumps({"address": address, "start_s": start_s, "parts": {"head": start_s}}) + "\n")
    try:
        sys.stdin.read()
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
