"""Look at Ray from a process of its own: `python -m raybench.backends.ray_check`.

One JSON line on standard input: {"address": null to start a local cluster with its dashboard, "cpus"}.
The last line on standard output is JSON: `version` and `error`, and, as far as it got, `start_s`, `nodes`, `resources`,
`answer`, `task_s`, `dashboard`, `stop_s`.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from typing import Any

import ray

from raybench.backends.ray_probe import NO_DASHBOARD
from raybench.model.clock import now, pause

ANSWER_S = 30  # a first task starts a worker process, which imports
DASHBOARD_S = 15  # the page may come a moment after `ray.init` has returned
LOOPBACK = "127.0.0.1"


def main() -> None:
    """Start or join, look, leave; whatever fails stands in the answer."""
    request = json.loads(sys.stdin.readline())
    facts: dict[str, Any] = {"version": ray.__version__, "error": ""}
    try:
        look(facts, address=request["address"], cpus=request["cpus"])
    except Exception as error:  # noqa: BLE001 - the doctor reports what Ray says, of whatever kind
        facts["error"] = f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"
    sys.stdout.write("\n" + json.dumps(facts) + "\n")
    sys.stdout.flush()


def look(facts: dict[str, Any], *, address: str | None, cpus: int) -> None:
    """Fill `facts` step by step, so that those before a failure are kept."""
    began = now()
    if address:
        context = ray.init(address=address, log_to_driver=False)
    else:
        context = ray.init(
            address="local",
            num_cpus=cpus,
            include_dashboard=True,
            dashboard_host=LOOPBACK,
            log_to_driver=False,
            _node_ip_address=LOOPBACK,
        )
    facts["start_s"] = now() - began
    try:
        facts["nodes"] = [
            {"alive": bool(node["Alive"]), "cpus": node["Resources"].get("CPU", 0.0)} for node in ray.nodes()
        ]
        facts["resources"] = {
            name: amount for name, amount in ray.cluster_resources().items() if not name.startswith("node:")
        }
        began = now()
        facts["answer"] = ray.get(ray.remote(_double).remote(21), timeout=ANSWER_S)
        facts["task_s"] = now() - began
        facts["dashboard"] = dashboard(context.dashboard_url)
    finally:
        began = now()
        ray.shutdown()
        facts["stop_s"] = now() - began


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
