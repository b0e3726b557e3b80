"""A probe on each node of a joined Ray cluster, and what they tell of one sample."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raybench.backends.clocks import Clocks
from raybench.backends.node_probe import NodeProbe, NodeReading, clock_origin
from raybench.backends.nodes import Nodes
from raybench.model.clock import now
from raybench.model.errors import BackendFailed
from raybench.model.measurement import Disturbance, NodeClock
from raybench.system import interference
from raybench.system.interference import Span

START_S = 60.0  # a worker process with our modules, on every node at once
ANSWER_S = 10.0
PINGS = 200  # at most; the first ones are slow
ENOUGH_S = 0.0002  # a clock known so well is asked no longer
LEFT, JOINED = "left the cluster", "joined the cluster"

Probes = dict[str, Any]  # actor by Ray's id of its node


def alive() -> dict[str, float]:
    """Return the CPUs of each node that is alive, by Ray's id."""
    return {node["NodeID"]: float(node["Resources"].get("CPU", 0.0)) for node in ray.nodes() if node["Alive"]}


def start(job: str, study: str) -> Probes:
    """Start a probe on each living node; it takes no CPU of the cluster's."""
    remote = ray.remote(NodeProbe)
    return {
        node: remote.options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
            job, study
        )
        for node in alive()
    }


def ask(probes: Probes, method: str, *, timeout_s: float = ANSWER_S) -> dict[str, Any]:
    """Ask every probe; a node that does not answer in time is left out."""
    calls = {node: getattr(probe, method).remote() for node, probe in probes.items()}
    ray.wait(list(calls.values()), num_returns=len(calls), timeout=timeout_s)
    found = {}
    for node, call in calls.items():
        try:
            found[node] = ray.get(call, timeout=0)
        except (RayError, GetTimeoutError):
            continue
    return found


def compare_clocks(probe: Any, node: str) -> NodeClock:
    """Find how a node's clock lies to ours: by the ping with the shortest way there and back."""
    origin: str = ray.get(probe.clock_origin.remote())
    if origin and origin == clock_origin():
        return NodeClock(node=node, offset_s=0.0, error_s=0.0)
    best = NodeClock(node=node, offset_s=0.0, error_s=float("inf"))
    for _ in range(PINGS):
        sent = now()
        theirs: float = ray.get(probe.clock.remote())
        back = now()
        if (back - sent) / 2 < best.error_s:
            best = NodeClock(node=node, offset_s=theirs - (sent + back) / 2, error_s=(back - sent) / 2)
        if best.error_s <= ENOUGH_S:
            break
    return best


def drifted(before: NodeClock, after: NodeClock) -> NodeClock:
    """Join two looks at a clock: between them it lay between, to the worse error and half of what it moved."""
    moved_s = abs(after.offset_s - before.offset_s)
    error_s = max(before.error_s, after.error_s) + moved_s / 2
    return replace(after, offset_s=(before.offset_s + after.offset_s) / 2, error_s=error_s)


class RayNodes(Nodes):
    """The probes of one process. cpus : of the cell. job, study : as `NodeProbe` has them."""

    def __init__(self, *, cpus: int, job: str, study: str) -> None:
        self._cpus = cpus
        self._probes = start(job, study)
        names = ask(self._probes, "facts", timeout_s=START_S)
        if missing := len(self._probes) - len(names):
            raise BackendFailed(
                f"{missing} of {len(self._probes)} nodes of the cluster did not answer in {START_S:g} s"
            )
        self._names: dict[str, str] = {node: facts["node"] for node, facts in names.items()}
        self._hosts: dict[str, str] = ask(self._probes, "host")
        self._clocks: dict[str, NodeClock] = {}
        self._first: dict[str, NodeReading] = {}
        self._last: dict[str, NodeReading] = {}
        self._changes: tuple[str, ...] = ()

    def before(self) -> None:
        there = sum(alive().values())
        if there < self._cpus:
            raise BackendFailed(f"the cluster has {there:g} CPUs left, the cell asks for {self._cpus}")
        self._clocks = self._compare()
        self._first = self._read()

    def after(self) -> None:
        self._last = self._read()
        there = alive()
        gone = [f"{self._names[node]} {LEFT}" for node in self._probes if node not in there]
        self._changes = (*gone, *(f"a node {JOINED}" for node in there if node not in self._probes))
        known = self._compare()
        self._clocks = {
            name: drifted(self._clocks[name], clock) for name, clock in known.items() if name in self._clocks
        }

    @property
    def clocks(self) -> Clocks:
        return self._clocks

    @property
    def cpu_s(self) -> float | None:
        if self._first.keys() - self._last.keys():
            return None
        return sum(last.ours_s - self._first[host].ours_s for host, last in self._last.items() if host in self._first)

    @property
    def held_bytes(self) -> int:
        return sum(reading.held_bytes for reading in self._last.values())

    def disturbance(self, *, background_share: float) -> Disturbance:
        found = {
            host: interference.judge(
                Span(first=first.machine, last=self._last[host].machine), background_share=background_share
            )
            for host, first in self._first.items()
            if host in self._last
        }
        reasons = [f"{self._name_of(host)}: {of.reason}" for host, of in found.items() if of.reason]
        return worst(found, reason="; ".join([*self._changes, *reasons]))

    def _compare(self) -> dict[str, NodeClock]:
        found = {}
        for node, probe in self._probes.items():
            try:
                found[self._names[node]] = compare_clocks(probe, self._names[node])
            except RayError:  # of a node that has left; `after` says so
                continue
        return found

    def _read(self) -> dict[str, NodeReading]:
        """Read each machine once, by its first node: counters are the machine's."""
        first: Probes = {}
        for node, host in self._hosts.items():
            first.setdefault(host, self._probes[node])
        return ask(first, "read")

    def _name_of(self, host: str) -> str:
        return next(self._names[node] for node, of in self._hosts.items() if of == host)


def worst(found: Mapping[str, Disturbance], *, reason: str) -> Disturbance:
    """Return the largest figure of any machine for each kind of disturbance."""

    def largest(name: str) -> Any:
        return max((value for of in found.values() if (value := getattr(of, name)) is not None), default=None)

    return Disturbance(
        background_during=largest("background_during"),
        steal=largest("steal"),
        throttled=largest("throttled"),
        swapped_in=largest("swapped_in"),
        reason=reason,
    )
