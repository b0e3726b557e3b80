"""Look at Ray from a process of its own: `python -m raybench.backends.ray_check`.

One JSON line on standard input: {"address": null to start a local cluster, "cpus", "dashboard": whether to ask it}.
The last line on standard output is JSON: `version`, `error` and, of a cluster that is joined, `trouble`; as far as it
got also `start_s`, `nodes`, `resources`, `hardware`, `answer`, `task_s`, `dashboard`, `stop_s`. A line is written
before each step that may hang, so that whoever ends this process knows where it was.
"""

import json
import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import ray
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.exceptions import AuthenticationError, GetTimeoutError, RpcError

from raybench.backends import ray_nodes
from raybench.backends.ray_preflight import MODE, Trouble
from raybench.backends.ray_probe import NO_DASHBOARD
from raybench.backends.shipped import runtime_env
from raybench.model.clock import now, pause
from raybench.model.errors import one_line

ANSWER_S = 30  # a first task starts a worker process, which imports
DASHBOARD_S = 15  # the page may come a moment after `ray.init` has returned
REACH_S = 5.0
LOOPBACK = "127.0.0.1"
AUTO = "auto"
# What Ray's own texts say, tried with 2.60: it has no exception of its own for most of these.
SAYS = {
    "no authentication token was found": Trouble.TOKEN_MISSING,
    "Version mismatch": Trouble.VERSIONS,
    "This node has an IP address of": Trouble.NO_NODE_HERE,
    "No node info found": Trouble.HALF_UP,
}


class Troubled(Exception):
    """A cluster that cannot be joined, for a reason that we have a sentence for."""

    def __init__(self, trouble: Trouble, said: str) -> None:
        super().__init__(said)
        self.trouble = trouble


def main() -> None:
    """Start or join, look, leave; whatever fails stands in the answer."""
    request = json.loads(sys.stdin.readline())
    facts: dict[str, Any] = {"version": ray.__version__, "error": ""}
    try:
        look(facts, request)
    except Troubled as error:
        facts |= {"error": str(error), "trouble": error.trouble}
    except Exception as error:  # noqa: BLE001 - the doctor reports what Ray says, of whatever kind
        facts |= {"error": one_line(error), "trouble": Trouble.OTHER}
    tell(facts)


def tell(facts: Mapping[str, Any]) -> None:
    """Write a line."""
    sys.stdout.write("\n" + json.dumps(facts) + "\n")
    sys.stdout.flush()


def look(facts: dict[str, Any], request: Mapping[str, Any]) -> None:
    """Fill `facts` step by step, so that those before a failure are kept."""
    address = request["address"]
    tell(facts | {"trouble": Trouble.SILENT})
    began = now()
    if address and address != AUTO:
        reach(address)
        greet(address)
        tell(facts | {"trouble": Trouble.HALF_UP})
    context = join(address) if address else start(request["cpus"])
    facts["start_s"] = now() - began
    facts["address"] = context.address_info["gcs_address"]
    try:
        facts["nodes"] = [
            {"alive": bool(node["Alive"]), "cpus": node["Resources"].get("CPU", 0.0)} for node in ray.nodes()
        ]
        facts["resources"] = {
            name: amount for name, amount in ray.cluster_resources().items() if not name.startswith("node:")
        }
        tell(facts | {"trouble": Trouble.HALF_UP})
        began = now()
        task = ray.remote(_double).options(num_cpus=min(1.0, facts["resources"].get("CPU", 0.0))).remote(21)
        if address:
            facts["hardware"] = hardware()  # meanwhile: starting workers takes the time
        facts["answer"] = answer_of(task)
        facts["task_s"] = now() - began
        if request["dashboard"]:
            facts["dashboard"] = dashboard(context.dashboard_url)
    finally:
        began = now()
        ray.shutdown()
        facts["stop_s"] = now() - began


def start(cpus: int) -> Any:
    """Start a local cluster with its dashboard."""
    return ray.init(
        address="local",
        num_cpus=cpus,
        include_dashboard=True,
        dashboard_host=LOOPBACK,
        log_to_driver=False,
        _node_ip_address=LOOPBACK,
    )


def join(address: str) -> Any:
    """Join a cluster; Troubled where it is known why that fails."""
    try:
        return ray.init(address=address, log_to_driver=False, runtime_env=runtime_env(os.environ))
    except Exception as error:
        said = " ".join(f"{error} {error.__cause__ or ''}".split())
        trouble = next((known for words, known in SAYS.items() if words in said), None)
        if trouble is None:
            raise
        raise Troubled(trouble, said) from error


def reach(address: str) -> None:
    """Open a connection to the head's port; Troubled where that fails."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise Troubled(Trouble.ADDRESS, f"{address!r} is no address")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_S).close()
    except OSError as error:
        raise Troubled(Trouble.UNREACHABLE, error.strerror or str(error) or type(error).__name__) from error


def greet(address: str) -> None:
    """Ask the head who it is, as `ray.init` does twenty times over; Troubled where it refuses the token."""
    try:
        GcsClient(address=address)
    except AuthenticationError as error:
        sent = os.environ.get(MODE) == "token" and "no authentication token was found" not in str(error)
        said = " ".join(str(error).split())
        raise Troubled(Trouble.TOKEN_WRONG if sent else Trouble.TOKEN_MISSING, said) from error
    except RpcError:
        return  # `ray.init` says more


def answer_of(task: Any) -> int:
    """Wait for a task; Troubled where no node takes it."""
    try:
        answer: int = ray.get(task, timeout=ANSWER_S)
    except GetTimeoutError as error:
        raise Troubled(Trouble.HALF_UP, f"no node ran a task within {ANSWER_S} s") from error
    return answer


def hardware() -> list[dict[str, Any]]:
    """Ask a process on every node what it is; Troubled where one does not answer."""
    cpus = ray_nodes.alive()
    if not sum(cpus.values()):
        raise Troubled(Trouble.HALF_UP, "none of its nodes has a CPU")
    found = ray_nodes.ask(ray_nodes.start("", ""), "facts", timeout_s=ANSWER_S)
    if missing := len(cpus) - len(found):
        raise Troubled(Trouble.HALF_UP, f"{missing} of {len(cpus)} nodes did not answer within {ANSWER_S} s")
    return [facts | {"ray_cpus": cpus[node]} for node, facts in found.items()]


def dashboard(url: str | None) -> str:
    """Ask the dashboard's interface for its version; '' if it answers HTTP 200, else what happened."""
    if not url:
        return NO_DASHBOARD
    token = os.environ.get("RAY_AUTH_TOKEN", "")
    page = url if "://" in url else f"http://{url}"
    request = urllib.request.Request(f"{page.rstrip('/')}/api/version")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy
    deadline = now() + DASHBOARD_S
    while True:
        try:
            with direct.open(request, timeout=5) as answer:
                return "" if answer.status == 200 else f"HTTP {answer.status}"
        except urllib.error.HTTPError as error:
            return f"HTTP {error.code}"
        except OSError as error:
            if now() > deadline:
                return str(error)
        pause(0.2)


def _double(number: int) -> int:
    return 2 * number


if __name__ == "__main__":
    main()
