"""Look at this machine: is it fit and quiet. Changes nothing, leaves nothing running."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from raybench.backends import ray_preflight, ray_probe
from raybench.doctor.finding import Finding, Health
from raybench.doctor.ray_cluster import ray_findings
from raybench.execution.leftovers import list_folders, remove_leftovers
from raybench.model.clock import pause
from raybench.model.plan import BACKGROUND_SHARE
from raybench.system import host_state, interference, machine, process_tree
from raybench.system.host_state import HostState
from raybench.system.kernel import THIS, Host, core_of, memory_allowed, memory_used
from raybench.workloads import files

GIB = 2**30
WINDOW_S = 1.0
STEAL_SHARE = 0.01  # above, the host is shared, and intervals get wider
MEMORY_GIB = 2.0  # the driver, two workers with XGBoost and scikit-learn, Ray's daemons
SHM_GIB = 2.0  # below, joblib does not share arrays there and Ray shrinks its object store
ROUNDS = 2  # of a group, the fewest; more narrow the interval a little
DISK_GIB = 2.0  # Ray's session folder, generated files


def examine(*, groups: int = 0, start_ray: bool = True, address: str | None = None, host: Host = THIS) -> list[Finding]:
    """Look at everything.

    groups : of the study whose intervals are predicted, from ten seconds of fixed work; 0: no such work is done.
    start_ray : start, check and stop a local Ray cluster. address : look at that one instead.
    """
    _, physical, logical = machine.cpu_counts(host)
    swap = psutil.swap_memory()
    findings = [
        cores(usable=machine.usable_cpus(host), physical=physical, logical=logical, quota=machine.quota(host)),
        smt(logical=logical, shared=max(len(core_of(cpu, host)) for cpu in machine.affinity())),
        load(os.getloadavg()[0], logical=logical),
        *background_load(host),
        memory(psutil.virtual_memory().available, allowed=memory_allowed(host), used=memory_used(host)),
        judge_swap(swap.used / GIB, swap.total / GIB),
        governor(host.text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        turbo(host),
        space("/dev/shm", SHM_GIB, "give the container more shared memory (docker run --shm-size=4g)", host=host),
        space(tempfile.gettempdir(), DISK_GIB, "make room, or point TMPDIR at a larger disk", host=host),
        gpus(machine.gpus()),
        *(data(name) for name in files.KNOWN),
        judge_leftovers(process_tree.list_orphans(), list(list_folders())),
    ]
    if groups:
        findings.append(steadiness(host_state.probe(), groups=groups))
    if address:
        findings += ray_findings(ray_preflight.look(address)[0], joined=True)
    elif start_ray:
        findings += ray_findings(ray_probe.ask(None), joined=False)
    return findings


def clean() -> list[str]:
    """Remove the files that workloads generated and what dead runners left; list what was removed. Data files stay."""
    removed = [str(path) for path in files.clean()]
    found = remove_leftovers()
    return [*removed, *map(str, found.folders), *([str(replace(found, folders=()))] if found.others else [])]


# --- the machine ----------------------------------------------------------------------------------


def cores(*, usable: int, physical: int, logical: int, quota: float | None) -> Finding:
    """Say how many cores a study may use, and why not more."""
    granted = "no quota" if quota is None else f"quota {quota:g}"
    value = f"{usable} usable, {physical} physical, {logical} logical, {granted}"
    if usable == 1:
        advice = "one core shows no speedup: grant this process more CPUs, or expect only P = 1 cells"
        return Finding(name="cores", value=value, verdict=Health.WARN, advice=advice)
    if quota is not None and quota < logical:
        advice = "a quota throttles in bursts, and throttled measurements are repeated: pin CPUs (cpuset) instead"
        return Finding(name="cores", value=value, verdict=Health.WARN, advice=advice)
    return Finding(name="cores", value=value)


def smt(*, logical: int, shared: int) -> Finding:
    """Say whether logical CPUs share cores."""
    if shared <= 1:
        return Finding(name="SMT", value="each CPU is a core of its own")
    advice = f"read figures above {logical // shared} CPUs as those of shared cores, or switch SMT off in the firmware"
    return Finding(name="SMT", value=f"{shared} CPUs share a core", verdict=Health.WARN, advice=advice)


def load(average: float, *, logical: int) -> Finding:
    """Judge the one-minute load average; it remembers what has just ended."""
    value = f"{average:.2f} over one minute"
    if average <= 0.25 * logical:
        return Finding(name="load", value=value)
    advice = "wait a minute and ask again; if it stays, find the program below and end it"
    return Finding(name="load", value=value, verdict=Health.WARN, advice=advice)


def background_load(host: Host = THIS, *, seconds: float = WINDOW_S) -> list[Finding]:
    """Watch for a second: CPU time of others, with the busiest by name, and time the hypervisor kept back."""
    watch = interference.Watch(lambda: 0.0, host)
    before = _busy()
    first = watch.reading()
    pause(seconds)
    span = interference.Span(first=first, last=watch.reading())
    top = busiest(before, _busy(), capacity_s=seconds * (os.cpu_count() or 1))
    found = interference.judge(span)
    share, steal = found.background_during, found.steal
    return [
        others(share, top),
        Finding(name="steal", value="not readable here" if steal is None else f"{steal:.1%}")
        if steal is None or steal <= STEAL_SHARE
        else Finding(
            name="steal",
            value=f"{steal:.1%}",
            verdict=Health.WARN,
            advice="another virtual machine takes this one's cores: use a dedicated host, or measure at another hour",
        ),
    ]


def busiest(
    before: Mapping[tuple[int, str], float], after: Mapping[tuple[int, str], float], *, capacity_s: float
) -> list[str]:
    """Name the three programs that used most, with their share of all CPUs. before, after : CPU seconds by process."""
    used: dict[str, float] = {}
    for (pid, name), busy in after.items():
        used[name] = used.get(name, 0.0) + busy - before.get((pid, name), busy)
    most = sorted(used.items(), key=lambda item: -item[1])[:3]
    return [f"{name} {min(1.0, s / capacity_s):.0%}" for name, s in most if s > 0.01 * capacity_s]


def steadiness(state: HostState, *, groups: int) -> Finding:
    """Say how steady the cores are, and how precise a speedup of the quick study, with so many groups, will be."""
    width = state.half_width(groups=groups, rounds=ROUNDS)
    value = f"{state.words()}; expect speedups of the quick study to be known to +-{width:.1%}"
    if not state.contended:
        return Finding(name="host state", value=value)
    advice = "expect wider intervals: measure more blocks (blocks=N), at another hour, or on a machine of your own"
    return Finding(name="host state", value=value, verdict=Health.WARN, advice=advice)


def others(share: float | None, top: Sequence[str]) -> Finding:
    """Judge the CPU time of other programs by the rule that disturbs a measurement."""
    if share is None:
        return Finding(name="others' CPU time", value="not readable here")
    value = f"{share:.1%} of all CPUs" + (f" ({', '.join(top)})" if top else "")
    if share <= BACKGROUND_SHARE:
        return Finding(name="others' CPU time", value=value)
    advice = f"end these programs: above {BACKGROUND_SHARE:.0%} samples are set aside, and intervals get wider"
    return Finding(name="others' CPU time", value=value, verdict=Health.WARN, advice=advice)


def at_least(name: str, gib: float, wanted: float, word: str, advice: str) -> Finding:
    """Judge an amount of memory or disk; below a quarter of what is wanted a study will fail."""
    value = f"{gib:.1f} GiB {word}"
    if gib >= wanted:
        return Finding(name=name, value=value)
    verdict = Health.BAD if gib < wanted / 4 else Health.WARN
    return Finding(name=name, value=f"{value}, {wanted:g} GiB wanted", verdict=verdict, advice=advice)


def space(path: str, wanted: float, advice: str, *, host: Host = THIS) -> Finding:
    """Judge the room in a folder; one that is missing is a warning, one that takes no files is bad."""
    try:
        free = psutil.disk_usage(str(host.path(path))).free
    except OSError:
        return Finding(name=path, value="not there", verdict=Health.WARN, advice=advice)
    if not os.access(host.path(path), os.W_OK):
        writable = "mount it writable and give this user the permission: measurements share memory and keep files there"
        return Finding(name=path, value="cannot be written", verdict=Health.BAD, advice=writable)
    return at_least(path, free / GIB, wanted, "free", advice)


def memory(available: float, *, allowed: int | None, used: int | None) -> Finding:
    """Judge the free memory, in bytes: of the machine, or of the container where that has less."""
    if allowed is not None and allowed - (used or 0) < available:
        left = max(0, allowed - (used or 0)) / GIB
        advice = "give the container more memory (docker run --memory=8g), or choose a smaller study"
        return at_least(
            "memory", left, MEMORY_GIB, f"left of {allowed / GIB:.1f} GiB that the container allows", advice
        )
    return at_least("memory", available / GIB, MEMORY_GIB, "free", "end other programs, or choose a smaller study")


def judge_swap(used: float, total: float) -> Finding:
    """Judge the swap in use, in GiB."""
    value = f"{used:.1f} of {total:.1f} GiB used"
    if used < 0.1:
        return Finding(name="swap", value=value)
    advice = "free memory and run `swapoff -a && swapon -a`: a page that comes back in disturbs its measurement"
    return Finding(name="swap", value=value, verdict=Health.WARN, advice=advice)


def governor(name: str | None) -> Finding:
    """Judge the frequency governor; None where the machine shows none, as virtual ones do not."""
    if name is None:
        return Finding(name="governor", value="not shown by this machine")
    if name == "performance":
        return Finding(name="governor", value=name)
    advice = "clocks follow the load: run `sudo cpupower frequency-set -g performance` for steadier figures"
    return Finding(name="governor", value=name, verdict=Health.WARN, advice=advice)


def turbo(host: Host = THIS) -> Finding:
    """Judge turbo clocks: one busy core then runs faster than all of them, which costs efficiency."""
    off = {
        "/sys/devices/system/cpu/intel_pstate/no_turbo": "1",
        "/sys/devices/system/cpu/cpufreq/boost": "0",
    }
    for path, value in off.items():
        text = host.text(path)
        if text is not None:
            if text == value:
                return Finding(name="turbo", value="off")
            advice = f"write {value} to {path}, or read efficiency as including the lower clock of a full machine"
            return Finding(name="turbo", value="on", verdict=Health.WARN, advice=advice)
    return Finding(name="turbo", value="not shown by this machine")


def gpus(names: Sequence[str]) -> Finding:
    """List the GPUs; none is no fault, their cells are skipped with the reason."""
    return Finding(name="GPUs", value=", ".join(names) or "none: GPU cells will be skipped")


def data(name: str) -> Finding:
    """Say whether a data file is there and right; a missing one costs its cells only."""
    reason = files.unavailable(name)
    if not reason:
        return Finding(name=f"data {name}", value="there, checksum right or not asked for")
    found, _, advice = reason.partition("; ")
    return Finding(name=f"data {name}", value=found, verdict=Health.WARN, advice=advice or reason)


def judge_leftovers(processes: Sequence[psutil.Process], folders: Sequence[Path]) -> Finding:
    """List what runners left that were killed; those of a run that is going on are not among them."""
    if not processes and not folders:
        return Finding(name="leftovers of killed runs", value="none")
    named = [*(f"process {process.pid}" for process in processes), *map(str, folders)]
    advice = "the next `raybench run` removes them, or `raybench doctor --clean` now"
    return Finding(name="leftovers of killed runs", value=", ".join(named), verdict=Health.WARN, advice=advice)


def _busy() -> dict[tuple[int, str], float]:
    """Read CPU seconds by process, without this one."""
    found = {}
    for process in psutil.process_iter(["name", "cpu_times"]):
        times = process.info["cpu_times"]
        if times is not None and process.pid != os.getpid():
            found[process.pid, str(process.info["name"])] = float(times.user + times.system)
    return found
