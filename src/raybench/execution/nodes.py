"""Several Ray nodes on this machine, each in a room of its own: their start, their end, and the loss of one."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from raybench.execution.environment import COMMON, LOOPBACK, environment
from raybench.execution.sandbox import MEMORY, Home, Sandbox
from raybench.model.clock import now
from raybench.model.errors import RaybenchError
from raybench.model.plan import Cluster, Spec
from raybench.system import namespaces, process_tree
from raybench.system.namespaces import Room

PORT = 6379
START_S = 300.0  # all nodes together: 11 + 8 + 4 + 2 CPUs took 7 s on two quiet cores, 100 s were seen on busy ones
MIB = 2**20
# What a cluster that is joined does not get from its driver. Ray asks an outside address for its own where it is not
# told one, and turns authentication on by itself where it finds a token.
SETTINGS = {
    "RAY_worker_niceness": "0",
    "RAY_TMPDIR": namespaces.SHARED_MEMORY,
    "RAY_raylet_start_wait_time_s": f"{START_S:.0f}",
    "PYTHONHASHSEED": "0",
    "CUDA_VISIBLE_DEVICES": "",
    "no_proxy": "*",
    "NO_PROXY": "*",
}


class Nodes:
    """A cluster of several nodes, from its start to its end. Leaving it ends all its processes and removes its folders.

    `address` is the head's, reachable from within the rooms only: a driver is started by `command`.
    """

    def __init__(self, cluster: Cluster, home: Home, *, token: str, name: str = "nodes") -> None:
        self.cluster = cluster
        self.rooms: tuple[Room, ...] = ()
        self._box = Sandbox(home, name)
        self._token = token
        self._shared = home.memory if home.memory.is_relative_to(MEMORY) else None
        self._raylets: list[int] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        limited = self.cluster.bandwidth_mbit is not None
        if reason := namespaces.unavailable(limited=limited):
            raise RaybenchError(f"cluster '{self.cluster.name}': {reason}")
        with ExitStack() as stack:
            stack.enter_context(self._box)
            opened = namespaces.rooms(
                len(self.cluster.nodes),
                folder=self._box.scratch,
                memory=self._shared,
                bandwidth_mbit=self.cluster.bandwidth_mbit,
                env=self._environment(),
            )
            self.rooms = stack.enter_context(opened)
            for room in self.rooms:
                self._box.add(room.holder)
            self._start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def address(self) -> str:
        """The head's address, in the first room."""
        return f"{self.rooms[0].address}:{PORT}"

    @property
    def variables(self) -> dict[str, str]:
        """What a driver needs in its environment to be let in."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self._token, "no_proxy": "*", "NO_PROXY": "*"}

    def command(self, words: Sequence[str], *, cwd: Path) -> list[str]:
        """Return the command that runs a driver: on the first node, beside the head."""
        return self.rooms[0].enter(words, cwd=cwd)

    def lost(self) -> list[int]:
        """List the nodes, numbered from 1, whose Ray daemon no longer runs."""
        return [number for number, pid in enumerate(self._raylets, start=1) if not process_tree.is_alive(pid)]

    def kill(self, number: int) -> None:
        """End every process of a node at once, as if its machine had lost power; numbered from 1."""
        for pid in self.rooms[number - 1].processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @property
    def counter(self) -> str:
        """The file that counts the CPU time of all nodes, for a driver; '' where there is none."""
        return self._box.meter.cpu_reader_path

    def cpu_s(self) -> float:
        """Read the CPU seconds of all nodes so far."""
        return self._box.cpu_s()

    def _environment(self) -> Mapping[str, str]:
        kept = environment(Spec(name=self.cluster.name, target=""), threads=1)
        kept = {name: value for name, value in kept.items() if name not in LOOPBACK} | COMMON
        return kept | self._box.variables | SETTINGS | self.variables

    def _start(self) -> None:
        """Start the head, then all others at the same time; a node has started when the head knows it."""
        deadline = now() + START_S
        head, *others = self.rooms
        self._wait({head: self._ray_start(head)}, deadline)
        self._wait({room: self._ray_start(room) for room in others}, deadline)
        for room in self.rooms:
            found = [pid for pid in room.processes() if _name(pid) == "raylet"]
            if len(found) != 1:
                raise RaybenchError(f"{self._node(room)}: {len(found)} Ray daemons run there, expected 1")
            self._raylets += found

    def _ray_start(self, room: Room) -> "subprocess.Popen[str]":
        words = [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--disable-usage-stats"),
            *(f"--node-ip-address={room.address}", f"--num-cpus={self.cluster.nodes[room.number - 1]}", "--num-gpus=0"),
            f"--object-store-memory={self.cluster.object_store_mib * MIB}",
        ]
        head = ("--head", f"--port={PORT}", "--include-dashboard=false")
        words += head if room.number == 1 else (f"--address={self.address}",)
        with self._log(room).open("w") as log:
            started = subprocess.Popen(
                room.enter(words, cwd=self._box.scratch),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                env=self._environment(),
                start_new_session=True,
            )
        self._box.add(started.pid)
        return started

    def _wait(self, started: Mapping[Room, "subprocess.Popen[str]"], deadline: float) -> None:
        for room, process in started.items():
            try:
                code = process.wait(timeout=max(0.0, deadline - now()))
            except subprocess.TimeoutExpired:
                raise RaybenchError(
                    f"{self._node(room)}: no start within {START_S:.0f} s; is this machine busy?"
                ) from None
            if code:
                raise RaybenchError(f"{self._node(room)}: ray start failed: {self._last_words(room)}")

    def _node(self, room: Room) -> str:
        return f"cluster '{self.cluster.name}': node {room.number} of {len(self.rooms)}"

    def _log(self, room: Room) -> Path:
        return self._box.scratch / f"{room.number}.log"

    def _last_words(self, room: Room) -> str:
        """Return the last line that speaks of an error; Ray's hints of what to try come after it."""
        said = [line.strip() for line in self._log(room).read_text(errors="replace").splitlines() if line.strip()]
        return next((line for line in reversed(said) if "rror" in line), said[-1] if said else "it said nothing")[:300]


def _name(pid: int) -> str:
    with suppress(psutil.Error):
        return psutil.Process(pid).name()
    return ""
