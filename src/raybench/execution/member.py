"""One process of a group: started, told to take samples, frozen while others run, and ended."""

import json
import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from raybench.execution.child import Bounds, Child
from raybench.execution.classify import UNREADABLE, Watched, classify, head_used, memory_limit
from raybench.execution.environment import environment
from raybench.execution.nodes import Nodes
from raybench.execution.sandbox import Home, Sandbox
from raybench.execution.series import Order
from raybench.model.measurement import Measurement, Sample
from raybench.model.plan import Job, needs_ray
from raybench.model.serialize import from_json, to_json
from raybench.system.meter import COUNTER

MODULE = "raybench.execution.worker"
ON_NODES = "; on the cluster by a probe on each node, before and after each sample"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended. spawned : when it was started, seconds of `clock.now`."""

    measurement: Measurement
    spawned: float


class Member:
    """A process that stays between its samples. Leaving it ends its tree and removes its folders.

    Once it has failed, timed out or outgrown its memory, it takes no further sample; `end` says why.
    A process with daemons (Ray's) is frozen while it waits: idle, they would take some percent of a core.
    nodes : on which a driver runs; None runs the process here.
    """

    def __init__(self, job: Job, home: Home, *, name: str, token: str, nodes: Nodes | None = None) -> None:
        self.job = job
        self._nodes = nodes
        self.alive = True
        self._token = token
        self._box = Sandbox(home, name)
        self._stack = ExitStack()
        self._last: str | None = None  # the line of the whole process
        self._freezes = needs_ray(job.cell) and job.cluster.is_embedded
        self._frozen = False

    def __enter__(self) -> Self:
        self._stack.enter_context(self._box)
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self) -> None:
        job, within = self.job, []
        if self._nodes is not None:
            job = replace(job, cluster=replace(job.cluster, address=self._nodes.address))
            within = self._nodes.command((), cwd=self._box.scratch)
        env = environment(job.cell.backend, threads=job.cell.cpus_per_task, job=job) | self._box.variables
        if job.cluster.address is None:
            env |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self._token}
        elif self._nodes is not None:
            env |= self._nodes.variables | {COUNTER: os.pathsep.join((env[COUNTER], self._nodes.counter))}
        self._limit = memory_limit(job.limits.memory_bytes)
        self._bounds = Bounds(
            timeout_s=job.limits.cell_timeout_s, memory_bytes=self._limit, held_bytes=self._box.held_bytes
        )
        self._child = self._stack.enter_context(Child(MODULE, env=env, cwd=self._box.scratch, within=within))
        self.spawned = self._child.spawned
        self._box.add(self._child.process.pid)
        self._child.send({"job": to_json(job), "spawned": self.spawned, "affinity": list(job.affinity)})
        self._read()
        self.freeze()

    def sample(self, order: Order) -> Sample | None:
        """Take one sample; None where the process has failed, now or before."""
        if not self.alive:
            return None
        self.thaw()
        self._child.send(to_json(order))
        found = self._read()
        self.freeze()
        return found

    def end(self) -> Ended:
        """Let the process leave, and say what became of it."""
        self.thaw()
        if self.alive:
            self._child.send(None)
            self._read()
        ending = self._child.end()
        watched = Watched(
            ending=ending, line=self._last, limit_bytes=self._limit, oom_kills=self._box.meter.oom_kills()
        )
        cpu_s = self._box.cpu_s()
        self._stack.close()
        line = classify(self.job, watched)
        joined = self.job.on_cluster
        measured = replace(
            line,
            head=head_used(self.job),
            cpu_s=None if joined else cpu_s,
            cpu_source=self._box.meter.cpu_source + (ON_NODES if joined else ""),
            peak_rss_bytes=max(self._box.peak_bytes, ending.most_bytes) + (line.peak_rss_bytes or 0),
            memory_source=self._box.meter.memory_source + (ON_NODES if joined else ""),
            strays=self._box.strays,
        )
        return Ended(measurement=measured, spawned=self.spawned)

    def cpu_s(self) -> float:
        """Read the CPU seconds of the tree so far."""
        return self._box.cpu_s()

    def freeze(self) -> None:
        """Stop the tree, daemons included, where idle it would not be quiet."""
        if self._freezes and self.alive and not self._frozen:
            self._box.freeze()
            self._frozen = True

    def thaw(self) -> None:
        """Let the tree go on."""
        if self._frozen:
            self._box.thaw()
            self._frozen = False

    def _read(self) -> Sample | None:
        """Read the answer to what was sent: Ready, a sample, or the line of the whole process, which is its last."""
        text = self._child.answer(self._bounds)
        try:
            answer = json.loads(text) if text is not None else None
            if answer == {"ready": True}:
                return None
            if isinstance(answer, dict) and "seconds" in answer:
                return from_json(Sample, answer)
        except UNREADABLE:
            pass  # `classify` says so
        self.alive, self._last = False, text
        return None
