"""What one process on a node of a joined cluster reads there: its hardware, its clock, its load. Imports no ray."""

import importlib.metadata
import platform
import re
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from typing import Any

import psutil

from raybench.backends.worker_session import namespace, node_name
from raybench.model.clock import now
from raybench.model.serialize import digest
from raybench.system import interference, machine, process_tree
from raybench.system.interference import Reading
from raybench.system.kernel import THIS
from raybench.system.process_tree import GONE

JOB = "RAYBENCH_JOB"  # in the workers' environment: whose they are
SESSION = re.compile(r"\bsession_[\d_-]+\b")  # of a cluster, in the command line of each of Ray's daemons
PACKAGES = ("ray", "numpy", "pandas", "scikit-learn", "xgboost", "joblib")  # what a task's time depends on


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReading:
    """A node's counters at one moment.

    machine : of the whole machine; its `own_s` has everything that belongs to the study there.
    ours_s, held_bytes : CPU seconds, and memory now, of our workers and of Ray's daemons.
    """

    machine: Reading
    ours_s: float
    held_bytes: int


class NodeProbe:
    """One process on a node. job : value of JOB in our workers; study : tag of the runner's own processes."""

    def __init__(self, job: str, study: str) -> None:
        self._load = Load(job, study)

    def facts(self) -> dict[str, Any]:
        """Say what the node is: no address, no host name."""
        model, physical, logical = machine.cpu_counts()
        return {
            "node": node_name(),
            "cpu": model,
            "physical_cores": physical,
            "logical_cpus": logical,
            "usable_cpus": machine.usable_cpus(),
            "memory_gib": machine.memory_gib(),
            "gpu": list(machine.gpus()),
            "architecture": platform.machine(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "packages": {name: version for name in PACKAGES if (version := _version(name))},
        }

    def host(self) -> str:
        """Name the machine whose counters are read here: nodes may share one."""
        return digest([THIS.text("/proc/sys/kernel/random/boot_id") or "", namespace("pid")])[:12]

    def clock_origin(self) -> str:
        """Name what the clock counts from; processes that name the same share the clock."""
        return clock_origin()

    def clock(self) -> float:
        """Read the clock."""
        return now()

    def read(self) -> NodeReading:
        """Read the counters."""
        self._load.look()
        return NodeReading(
            machine=interference.read(lambda: self._load.ours_s + self._load.beside_s),
            ours_s=self._load.ours_s,
            held_bytes=self._load.held_bytes,
        )


def clock_origin() -> str:
    """Name what this process's clock counts from: the boot and, where a container has one, its time namespace."""
    boot = THIS.text("/proc/sys/kernel/random/boot_id")
    return digest([boot, namespace("time")])[:12] if boot else ""


def _version(package: str) -> str:
    with suppress(PackageNotFoundError):
        return importlib.metadata.version(package)
    return ""


class Load:
    """CPU seconds of the study on this machine, looked at; what ends between two looks is cut short.

    ours_s : of our workers and of the cluster's daemons. beside_s : of the runner's own processes that run here too.
    Neither ever falls.
    """

    def __init__(self, job: str, study: str) -> None:
        self._job, self._study = job, study
        self._session = _session()
        self._used: dict[tuple[int, float], tuple[bool, float]] = {}  # process: whether ours, its CPU seconds
        self.held_bytes = 0

    @property
    def ours_s(self) -> float:
        """CPU seconds of our workers and of Ray's daemons."""
        return sum(used for ours, used in self._used.values() if ours)

    @property
    def beside_s(self) -> float:
        """CPU seconds of the runner's processes."""
        return sum(used for ours, used in self._used.values() if not ours)

    def look(self) -> None:
        """Read every process of the study that is alive here."""
        workers = {p.pid for p in process_tree.list_tagged(self._job, variable=JOB)}
        beside = {p.pid for p in process_tree.list_tagged(self._study)} - workers
        self.held_bytes = 0
        for process in psutil.process_iter():
            with suppress(*GONE), process.oneshot():
                ours = process.pid in workers or (process.pid not in beside and self._is_daemon(process))
                if ours or process.pid in beside:
                    times, memory = process.cpu_times(), process.memory_info()
                    self._used[process.pid, process.create_time()] = (ours, times.user + times.system)
                    self.held_bytes += max(0, memory.rss - memory.shared) if ours else 0

    def _is_daemon(self, process: psutil.Process) -> bool:
        return bool(self._session) and any(self._session in word for word in process.cmdline())


def _session() -> str:
    """Return the name of the cluster's session, from the command line of the process that started this one."""
    with suppress(*GONE, AttributeError):
        parent = psutil.Process().parent()
        found = SESSION.search(" ".join(parent.cmdline())) if parent else None
        return found[0] if found else ""
    return ""
