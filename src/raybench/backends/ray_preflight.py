"""One look at a cluster before it is joined: what it has, or the one sentence that says why it cannot be joined.

Imports no ray: the look is taken by a child process (`ray_check`), which a time limit ends.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from raybench.backends import ray_probe
from raybench.model.errors import ClusterRefused
from raybench.model.plan import Cluster

SUBMIT = "submit a job instead: ray job submit --address http://HEAD:8265 --working-dir . -- raybench run ..."
MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


class Trouble(StrEnum):
    """Why a cluster cannot be joined."""

    ADDRESS = "address"
    UNREACHABLE = "unreachable"
    SILENT = "silent"
    TOKEN_MISSING = "token missing"
    TOKEN_WRONG = "token wrong"
    VERSIONS = "versions"
    NO_NODE_HERE = "no node here"
    HALF_UP = "half up"
    OTHER = "other"


def preflight(cluster: Cluster) -> Cluster:
    """Return the cluster with what it has: CPUs, GPUs, nodes; ClusterRefused where it cannot be joined."""
    facts, token = look(str(cluster.address), dashboard=False)
    if facts["error"]:
        raise ClusterRefused(f"cluster.address={cluster.address}: {facts['error']}; {facts['advice']}")
    return replace(
        cluster,
        address=facts["address"],
        token=token,
        cpus=int(facts["resources"].get("CPU", 0)),
        gpus=int(facts["resources"].get("GPU", 0)),
        found=tuple(sorted(facts["hardware"], key=lambda node: (-node["ray_cpus"], node["node"]))),
    )


def look(address: str, *, dashboard: bool = True) -> tuple[dict[str, Any], bool]:
    """Take the look that `doctor --address` and `run` share; return its facts, and whether a token must be sent.

    `error` of the facts says what is wrong, '' where the cluster can be joined, and `advice` what to do. Where the user
    has a token and does not say whether to send it, it is sent to a cluster that asks for one.
    """
    if address.startswith("ray://"):
        said = "ray:// passes each task through a further server, whose time would count as Ray's"
        return {"error": said, "advice": SUBMIT}, False
    token = os.environ.get(MODE) == "token"
    if token and not has_token(os.environ):  # Ray would end the process
        facts: dict[str, Any] = {"error": "no token", "trouble": Trouble.TOKEN_MISSING}
    else:
        facts = ray_probe.ask(address, dashboard=dashboard)
    if facts.get("trouble") == Trouble.TOKEN_MISSING and MODE not in os.environ and has_token(os.environ):
        facts, token = ray_probe.ask(address, token=True, dashboard=dashboard), True
    if facts.get("error"):
        facts["error"], facts["advice"] = explain(facts)
    return facts, token


def has_token(environ: Mapping[str, str]) -> bool:
    """Return whether the user has a token where Ray looks for one."""
    home = Path(environ.get("HOME", "~")).expanduser() / ".ray" / "auth_token"
    path = Path(environ[TOKEN_PATH]) if environ.get(TOKEN_PATH) else home
    return bool(environ.get(TOKEN)) or path.is_file()


def explain(facts: Mapping[str, Any]) -> tuple[str, str]:
    """Say what is wrong with a cluster, and what to do."""
    said = facts["error"]
    sentences = {
        Trouble.ADDRESS: (said, "expected HOST:PORT of the head, such as 10.0.0.5:6379, or auto"),
        Trouble.UNREACHABLE: (f"unreachable, {said}", "check the address, and that this machine reaches that port"),
        Trouble.SILENT: (f"{said} from what listens there", "check that it is a head of Ray's, and start it again"),
        Trouble.TOKEN_MISSING: (
            "the cluster asks for a token and none was sent",
            f"set {TOKEN} or {TOKEN_PATH} to the head's, and {MODE}=token",
        ),
        Trouble.TOKEN_WRONG: (
            "the cluster refuses the token that was sent",
            f"set {TOKEN} or {TOKEN_PATH} to the head's",
        ),
        Trouble.VERSIONS: (said, "install the same versions here and there"),
        Trouble.NO_NODE_HERE: (
            "this machine is no node of the cluster, and Ray's drivers run on one",
            f"add it with `ray start --address=HOST:PORT --num-cpus=0`, or {SUBMIT}",
        ),
        Trouble.HALF_UP: (f"the head is half up: {said}", "wait for its nodes, or start it again"),
    }
    return sentences.get(Trouble(facts.get("trouble", Trouble.OTHER)), (said, "read the head's logs"))
