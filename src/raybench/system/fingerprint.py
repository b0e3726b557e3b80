"""The full record of machine and code that a run keeps: every fact of METHODOLOGY's list, or why it is unknown.

Raw data are public: no host name, user name, address, secret, or path of this machine's own goes in.
"""

import json
import os
import platform
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from typing import Any

import cpuinfo
import psutil

from raybench.model.clock import calendar_stamp, now
from raybench.model.measurement import Environment
from raybench.model.paths import mask_paths, repository
from raybench.model.serialize import digest
from raybench.system import machine
from raybench.system.identity import SECRET, packages
from raybench.system.kernel import THIS, Host, allowed_cpus, core_of, own_group
from raybench.system.machine import gpu_rows, quota, unavailable

ALLOWED = re.compile(
    r"^(OMP|MKL|OPENBLAS|BLIS|GOTO|KMP|NUMEXPR|NUMBA|VECLIB|RAY|TUNE|LOKY|JOBLIB)_|^(PYTHONHASHSEED|CUDA_VISIBLE_DEVICES)$"
)
CODE = ("src", "conf", "requirements", "pyproject.toml", "noxfile.py")  # what a run writes is no change of its code
GPU_FIELDS = (
    "name",
    "driver_version",
    "memory.total",
    "clocks.max.sm",
    "clocks.sm",
    "persistence_mode",
    "mig.mode.current",
)
# The libraries that a study's backends load; asked in a process of its own, so that this one loads no thread pool.
POOLS = """
import json, numpy, scipy.linalg, sklearn.ensemble, xgboost, threadpoolctl
kept = ("user_api", "internal_api", "version", "num_threads", "threading_layer", "architecture", "prefix")
print(json.dumps([{k: p[k] for k in kept if k in p} for p in threadpoolctl.threadpool_info()]))
"""


def collect(identity: Mapping[str, str], command: str) -> Environment:
    """Record machine and code for a run; takes seconds, once."""
    return Environment(
        machine=machine.machine_key(),
        identity=identity,
        began=calendar_stamp(),
        facts=fingerprint(),
        command=mask_paths(command),
    )


def fingerprint(host: Host = THIS) -> dict[str, Any]:
    """Return every fact by group; a fact that cannot be read says `unavailable: why`, and is never left out."""
    groups: dict[str, dict[str, Callable[[], Any]]] = {
        "cpu": _cpu(host),
        "memory": _memory(host),
        "limits": _limits(host),
        "state": _state(host),
        "storage": {name: lambda name=name: _storage(host, name) for name in ("/tmp", "/dev/shm")},  # type: ignore[misc]
        "system": _system(host),
        "python": _python(),
        "gpu": {"devices": _gpus},
        "code": _code(),
        "time": {"utc": calendar_stamp, "monotonic_s": now},
    }
    facts: dict[str, Any] = {
        group: {name: _ask(fact) for name, fact in members.items()} for group, members in groups.items()
    }
    return facts | {"environment": variables(os.environ), "packages": packages()}


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Keep the variables that steer threads, Ray and hashing; secrets, addresses and paths are hidden."""
    kept = {}
    for name, value in sorted(environ.items()):
        if ALLOWED.search(name):
            hidden = (
                SECRET.search(name) or "ADDRESS" in name or "HOST" in name or re.search(r"\d+\.\d+\.\d+\.\d+", value)
            )
            kept[name] = "<hidden>" if hidden else mask_paths(value)
    return kept


def _ask(fact: Callable[[], Any]) -> Any:
    """Ask for a fact; what fails or is empty becomes the reason why it is unknown."""
    try:
        value = fact()
    except (OSError, ValueError, LookupError, AttributeError, psutil.Error, subprocess.SubprocessError) as error:
        said = mask_paths(" ".join(str(error).split()))[:200]
        return unavailable(f"{type(error).__name__}: {said}" if said else type(error).__name__)
    return unavailable("empty answer") if value in ("", None) else value


def _file(host: Host, path: str) -> str:
    text = host.text(path)
    return unavailable(f"no {path} here") if text is None else text


def _cpu(host: Host) -> dict[str, Callable[[], Any]]:
    cpu = "/sys/devices/system/cpu"
    info = cpuinfo.get_cpu_info()
    model, physical, logical = machine.cpu_counts(host)
    entry = host.text("/proc/cpuinfo") or ""

    def listed(name: str) -> list[str]:
        return re.findall(rf"^{name}\s*: (.+)$", entry, flags=re.MULTILINE)

    return {
        "model": lambda: info.get("brand_raw", model),
        "vendor": lambda: info["vendor_id_raw"],
        "architecture": lambda: info["arch"],
        "family_model_stepping": lambda: [info["family"], info["model"], info["stepping"]],
        "flags": lambda: " ".join(sorted(info["flags"])),
        "cache_bytes": lambda: {k: v for k, v in sorted(info.items()) if k.startswith("l") and "cache_size" in k},
        "physical_cores": lambda: physical,
        "logical_cpus": lambda: logical,
        "sockets": lambda: len(set(listed("physical id"))) or unavailable("/proc/cpuinfo names no socket"),
        "siblings": lambda: [list(core) for core in sorted({core_of(number, host) for number in range(logical)})],
        "smt_active": lambda: _file(host, f"{cpu}/smt/active"),
        "mhz_now": lambda: [float(mhz) for mhz in listed("cpu MHz")] or unavailable("/proc/cpuinfo has no clock speed"),
        "microcode": lambda: listed("microcode")[:1] or unavailable("/proc/cpuinfo names no microcode"),
        "governor": lambda: _file(host, f"{cpu}/cpu0/cpufreq/scaling_governor"),
        "turbo": lambda: machine.turbo(host),
        "numa": lambda: (
            {p.parent.name: p.read_text().strip() for p in host.glob("/sys/devices/system/node/node*/cpulist")}
            or unavailable("no /sys/devices/system/node here")
        ),
        "affinity": lambda: list(allowed_cpus()),
        "usable": lambda: machine.usable_cpus(host),
    }


def _memory(host: Host) -> dict[str, Callable[[], Any]]:
    return {
        "total_bytes": lambda: psutil.virtual_memory().total,
        "available_bytes": lambda: psutil.virtual_memory().available,
        "swap_total_bytes": lambda: psutil.swap_memory().total,
        "swap_used_bytes": lambda: psutil.swap_memory().used,
        "transparent_huge_pages": lambda: _file(host, "/sys/kernel/mm/transparent_hugepage/enabled"),
    }


def _limits(host: Host) -> dict[str, Callable[[], Any]]:
    def version() -> str:
        group = own_group("cpu", host)
        return unavailable("no control groups here") if group is None else f"v{group.version}"

    def memory_max() -> Any:
        group = own_group("memory", host)
        if group is None:
            return unavailable("no control groups here")
        name = "memory.max" if group.version == 2 else "memory.limit_in_bytes"
        limits = [(f / name).read_text().strip() for f in group.upwards() if (f / name).exists()]
        smallest = min((int(text) for text in limits if text != "max"), default=None)
        return "none" if smallest is None or smallest > psutil.virtual_memory().total else smallest

    return {
        "cgroup": version,
        "cpu_max": lambda: "none" if quota(host) is None else quota(host),
        "memory_max_bytes": memory_max,
    }


def _state(host: Host) -> dict[str, Callable[[], Any]]:
    return {
        "load": lambda: list(os.getloadavg()),
        "steal_s_since_boot": lambda: psutil.cpu_times().steal,
        "pressure_cpu": lambda: _file(host, "/proc/pressure/cpu"),
        "pressure_memory": lambda: _file(host, "/proc/pressure/memory"),
        "pressure_io": lambda: _file(host, "/proc/pressure/io"),
    }


def _storage(host: Host, path: str) -> Any:
    best = ("", unavailable("no mount holds it"))
    for line in (host.text("/proc/mounts") or "").splitlines():
        place, kind = line.split()[1:3]
        if (path + "/").startswith(place.rstrip("/") + "/") and len(place) >= len(best[0]):
            best = (place, kind)
    used = psutil.disk_usage(str(host.path(path)))
    return {"filesystem": best[1], "total_bytes": used.total, "free_bytes": used.free}


def _system(host: Host) -> dict[str, Callable[[], Any]]:
    return {
        "kernel": lambda: f"{platform.system()} {platform.release()}",
        "distribution": lambda: platform.freedesktop_os_release().get("PRETTY_NAME"),
        "libc": lambda: " ".join(platform.libc_ver()),
        "container": lambda: container(host),
        "virtual_machine": lambda: (
            "hypervisor flag set"
            if re.search(r"^flags.*\bhypervisor\b", host.text("/proc/cpuinfo") or "", re.M)
            else "no sign"
        ),
    }


def container(host: Host = THIS) -> str:
    """Guess whether this is a container, and of which kind."""
    if host.path("/.dockerenv").exists():
        return "docker"
    if host.path("/run/.containerenv").exists():
        return "podman"
    found = re.search(r"docker|kubepods|containerd|lxc", host.text("/proc/1/cgroup") or "")
    return found.group(0) if found else "no sign"


def _python() -> dict[str, Callable[[], Any]]:
    return {
        "version": platform.python_version,
        "build": lambda: " ".join(platform.python_build()),
        "compiler": platform.python_compiler,
        "implementation": platform.python_implementation,
        "optimised": lambda: (
            "PGO" if "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "") else "no PGO"
        ),
        "thread_pools": _pools,
    }


def _pools() -> Any:
    done = subprocess.run([sys.executable, "-c", POOLS], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        return unavailable(mask_paths((done.stderr.strip().splitlines() or ["no answer"])[-1]))
    return json.loads(done.stdout)


def _gpus() -> Any:
    rows = gpu_rows(GPU_FIELDS)
    return [dict(zip(GPU_FIELDS, row, strict=False)) for row in rows] or unavailable(
        "no NVIDIA GPU that nvidia-smi shows"
    )


def _code() -> dict[str, Callable[[], Any]]:
    def git(*words: str) -> str:
        root = repository()
        if root is None:
            raise LookupError("installed without its repository")
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:  # e.g. "detected dubious ownership": git's own sentence says what to do
            raise LookupError((done.stderr.strip().splitlines() or ["git said nothing"])[0])
        return done.stdout.strip()

    return {
        "commit": lambda: git("rev-parse", "HEAD"),
        "dirty": lambda: bool(git("status", "--porcelain", "--", *CODE)),
        "diff_sha256": lambda: digest(git("diff", "--binary", "HEAD", "--", *CODE)),
        "lock_sha256": machine.lock_hash,
        "source_sha256": machine.source_hash,
        "data_sha256": lambda: machine.data_hashes() or unavailable("RAYBENCH_DATA names no folder with data files"),
    }
