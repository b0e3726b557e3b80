"""What a look at a Ray cluster tells: findings from the facts that `ray_probe` brings."""

from collections.abc import Mapping, Sequence
from typing import Any

from raybench.backends import ray_probe
from raybench.doctor.finding import Finding, Health


def ray_findings(facts: Mapping[str, Any], *, joined: bool) -> list[Finding]:
    """Turn what a look at Ray found into findings. `joined`: the cluster was there before."""
    findings = []
    verb = "joined" if joined else "started"
    if "start_s" in facts:
        findings.append(Finding(name="Ray", value=f"{facts['version']}, {verb} in {facts['start_s']:.1f} s"))
    if "nodes" in facts:
        findings.append(_nodes(facts["nodes"], facts.get("resources", {})))
    if "task_s" in facts:
        right = facts["answer"] == 42
        findings.append(
            Finding(
                name="Ray task",
                value=f"{'right' if right else 'WRONG'} answer in {facts['task_s']:.1f} s",
                verdict=Health.OK if right else Health.BAD,
                advice="" if right else "this Ray installation cannot be trusted: install it again",
            )
        )
    if "dashboard" in facts:
        findings.append(_dashboard(facts["dashboard"], joined=joined))
    if facts.get("error"):
        advice = facts.get("advice") or (
            "check the address, and that this machine reaches the head's port"
            if joined
            else "read the logs that Ray names; a full /dev/shm or a proxy for loopback addresses is a usual cause"
        )
        findings.append(Finding(name="Ray error", value=facts["error"], verdict=Health.BAD, advice=advice))
    if not joined and "left" in facts:
        findings.append(_check_stopped(facts.get("stop_s"), facts["left"]))
    return findings


def _nodes(nodes: Sequence[Mapping[str, Any]], resources: Mapping[str, float]) -> Finding:
    alive = [node for node in nodes if node["alive"]]
    value = (
        f"{len(alive)} of {len(nodes)} nodes alive, {resources.get('CPU', 0):g} CPUs, {resources.get('GPU', 0):g} GPUs"
    )
    if len(alive) == len(nodes):
        return Finding(name="Ray cluster", value=value)
    advice = "start the lost nodes again with `ray start --address=...`, or plan for the CPUs that are left"
    return Finding(name="Ray cluster", value=value, verdict=Health.WARN, advice=advice)


def _dashboard(said: str, *, joined: bool) -> Finding:
    if not said:
        return Finding(name="Ray dashboard", value="answers HTTP 200")
    if joined and said == ray_probe.NO_DASHBOARD:
        return Finding(name="Ray dashboard", value="none: its head was started without one")
    advice = 'install "ray[default]" and keep loopback addresses out of proxies (no_proxy); studies run without it'
    return Finding(name="Ray dashboard", value=said, verdict=Health.WARN, advice=advice)


def _check_stopped(stop_s: float | None, left: int) -> Finding:
    took = "not stopped by itself" if stop_s is None else f"stopped in {stop_s:.1f} s"
    if left == 0 and stop_s is not None:
        return Finding(name="Ray stop", value=f"{took}, no process left")
    advice = "nothing to do now: they were ended; a study ends such processes after every measurement"
    return Finding(
        name="Ray stop", value=f"{took}, {left} processes had to be ended", verdict=Health.WARN, advice=advice
    )
