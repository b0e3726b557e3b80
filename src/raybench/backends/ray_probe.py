"""Have a child process look at Ray (`ray_check`) and end whatever it leaves behind; imports no ray itself."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from raybench.model.clock import now, pause
from raybench.system import process_tree
from raybench.system.machine import usable_cpus

MODULE = "raybench.backends.ray_check"
LIMIT_S = 120.0  # a start with its dashboard takes 6 to 10 s on two quiet cores, 22 s were seen on busy ones
JOIN_LIMIT_S = 45.0  # joining takes 1 s; Ray itself goes on for minutes where no head answers
NO_DASHBOARD = "Ray names no dashboard"
LEAVE_S = 5.0  # Ray's daemons go a moment after their driver; what goes by itself was not left behind


def ask(address: str | None, *, token: bool = False, dashboard: bool = True) -> dict[str, Any]:
    """Look at Ray from a child process, and end whatever it leaves behind.

    token : send the user's token, whatever RAY_AUTH_MODE says. dashboard : ask it too, which may take its time.
    """
    tag = f"raybench-doctor-{os.getpid()}"
    folder = tempfile.mkdtemp(prefix="rb")
    request = json.dumps({"address": address, "cpus": usable_cpus(), "dashboard": dashboard})
    env = environ_of(os.environ, tag=tag, folder=folder, joins=address is not None)
    child = subprocess.Popen(
        [sys.executable, "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env | {"RAY_AUTH_MODE": "token"} if token else env,
        start_new_session=True,
    )
    limit_s = JOIN_LIMIT_S if address else LIMIT_S
    facts: dict[str, Any] = {}
    late = ""
    try:
        try:
            out, err = child.communicate(request + "\n", timeout=limit_s)
        except subprocess.TimeoutExpired:
            late = f"no answer within {limit_s:g} s"
            child.kill()
            out, err = child.communicate()
        last = next((line for line in reversed(out.splitlines()) if line.startswith("{")), "")
        facts = json.loads(last) if last else {"error": (err.strip().splitlines() or ["no answer"])[-1]}
        died = f"Ray ended the look: {(err.strip().splitlines() or ['no word'])[-1]}" if child.returncode else ""
        facts["error"] = late or facts["error"] or died
        deadline = now() + LEAVE_S
        while process_tree.tree(tag) and now() < deadline:
            pause(0.1)
    finally:
        facts["left"] = process_tree.end(tag)
        child.wait()
        shutil.rmtree(folder, ignore_errors=True)
    return facts


def environ_of(environ: Mapping[str, str], *, tag: str, folder: str, joins: bool) -> dict[str, str]:
    """Build the look's environment: tagged, no proxy, no telemetry; a cluster of its own gets a token of its own."""
    kept = {
        k: v for k, v in environ.items() if not k.lower().endswith("_proxy") and (joins or not k.startswith("RAY_"))
    }
    kept |= {
        process_tree.TAG: tag,
        "SPT_NOENV": "1",  # else Ray's processes overwrite their environment, and the tag, with their titles
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "no_proxy": "*",
        "NO_PROXY": "*",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    kept["RAY_NUM_REDIS_GET_RETRIES"] = "3"  # of connecting to a head, one a second; by default 20
    if not joins:
        kept |= {"RAY_TMPDIR": folder, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": os.urandom(32).hex()}
        kept["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # loopback only, as in `execution.environment`
    return kept
