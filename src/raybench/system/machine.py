"""The machine and the code in a few cheap facts: cores we may really use, GPUs, keys and hashes.

Read by `plan` before anything heavy is imported; the full record of a run is in `fingerprint`.
"""

import csv
import hashlib
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from raybench.model.errors import RaybenchError
from raybench.model.paths import PACKAGE, repository
from raybench.model.serialize import digest
from raybench.system.kernel import THIS, Host, allowed_cpus, core_of, own_group

MEASURING = (
    "model",
    "system",
    "workloads",
    "backends",
    "planning",
    "execution",
)  # folders that can change a measured second
LOCK = "requirements/run.lock"
DATA_SUFFIXES = (".csv", ".data")  # what a workload reads; notes beside the data are no data
GIB = 2**30

# --- cores ----------------------------------------------------------------------------------------


def affinity() -> tuple[int, ...]:
    """List the CPU numbers that this process may run on."""
    return allowed_cpus()


def quota(host: Host = THIS) -> float | None:
    """Read how many CPUs' worth of time the control groups grant; None where nothing limits it."""
    group = own_group("cpu", host)
    if group is None:
        return None
    limits = [limit for folder in group.upwards() if (limit := _limit(folder, group.version)) is not None]
    return min(limits, default=None)


def _limit(folder: Path, version: int) -> float | None:
    try:
        if version == 2:
            granted, period = (folder / "cpu.max").read_text().split()
        else:
            granted = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text()
    except OSError:  # the root of a hierarchy has no such file
        return None
    return None if granted in ("max", "-1") else int(granted) / int(period)


def usable_cpus(host: Host = THIS, *, allowed: Iterable[int] | None = None) -> int:
    """Count the cores we may really use: affinity, cut by the quota and rounded down; at least 1."""
    count = len(tuple(allowed)) if allowed is not None else len(affinity())
    granted = quota(host)
    return max(1, count if granted is None else min(count, int(granted)))


def cpus_for(count: int, host: Host = THIS, *, allowed: Iterable[int] | None = None) -> tuple[int, ...]:
    """Choose the CPU numbers for P cores: one thread of each physical core first, then their siblings.

    More than there are raises RaybenchError: whoever oversubscribes passes all of `affinity()`.
    """
    offered = sorted(set(affinity() if allowed is None else allowed))
    if not 1 <= count <= len(offered):
        raise RaybenchError(f"asked for {count} CPUs of the {len(offered)} that this process may run on")
    met: dict[tuple[int, ...], int] = {}
    ranked: list[tuple[int, int]] = []
    for cpu in offered:
        core = core_of(cpu, host)
        ranked.append((met.get(core, 0), cpu))
        met[core] = met.get(core, 0) + 1
    return tuple(sorted(cpu for _, cpu in sorted(ranked)[:count]))


# --- the machine's name ---------------------------------------------------------------------------


def cpu_counts(host: Host = THIS) -> tuple[str, int, int]:
    """Read CPU model, physical cores and logical CPUs from /proc/cpuinfo."""
    model, cores, logical = "", set(), 0
    for index, entry in enumerate((host.text("/proc/cpuinfo") or "").split("\n\n")):
        facts = dict(re.findall(r"^([^\t:]+?)\s*:[ \t]*(.*)$", entry, flags=re.MULTILINE))
        if "processor" not in facts:
            continue
        logical += 1
        model = model or facts.get("model name") or facts.get("CPU part", "")
        cores.add((facts.get("physical id", "0"), facts.get("core id", f"alone {index}")))
    return model or platform.machine(), max(1, len(cores)), max(1, logical)


def memory_gib(host: Host = THIS) -> int:
    """Read the machine's memory, rounded to GiB so that a kernel update does not rename the machine."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", host.text("/proc/meminfo") or "", flags=re.MULTILINE)
    return round(int(found.group(1)) * 1024 / GIB) if found else 0


def machine_key(host: Host = THIS) -> str:
    """Name the machine by stable facts, e.g. `epyc-2c-24g-1a2b3c`: never by its host name.

    Two hosts of a cloud may have one CPU name and different speeds: nominal clock and kernel build tell them apart.
    """
    model, physical, logical = cpu_counts(host)
    model = model.partition("@")[0].strip()  # Intel puts a clock speed behind the @
    memory = memory_gib(host)
    facts = {"cpu": model, "physical": physical, "logical": logical, "gib": memory, "arch": platform.machine()}
    facts |= {"mhz": nominal_mhz(host), "kernel": host.text("/proc/version") or ""}
    noise = r"\((r|tm)\)|\b(amd|intel|cpu|processor|gen|\d+(st|nd|rd|th)|\d+-core)\b"
    words = re.findall(r"[a-z0-9]+", re.sub(noise, " ", model.lower()))
    slug = "-".join(words[:3]) or platform.machine().replace("_", "-")
    return f"{slug}-{physical}c-{memory}g-{digest(facts)[:6]}"


def nominal_mhz(host: Host = THIS) -> int:
    """Read the clock that the cores are sold with, in MHz to the nearest hundred; 0 where it is not told.

    The highest frequency of the governor's table, or what a hypervisor shows, which never changes; a bare machine's
    present frequency would.
    """
    highest = host.text("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")
    if highest and highest.strip().isdigit():
        return round(int(highest) / 100_000) * 100
    text = host.text("/proc/cpuinfo") or ""
    found = re.search(r"^cpu MHz\s*:\s*([\d.]+)", text, flags=re.MULTILINE)
    virtual = re.search(r"^flags\s*:.*\bhypervisor\b", text, flags=re.MULTILINE)
    return round(float(found.group(1)) / 100) * 100 if found and virtual else 0


def gpus() -> tuple[str, ...]:
    """List the names of the NVIDIA GPUs that this process may use; () without any."""
    return tuple(row[0] for row in gpu_rows(("name",)))


def gpu_rows(fields: tuple[str, ...]) -> list[list[str]]:
    """Ask nvidia-smi for fields of each visible GPU; [] where there is no driver or no GPU.

    A broken driver says so in a sentence, with exit code 0: a line without all fields is no GPU.

    CUDA_VISIBLE_DEVICES narrows the list as CUDA does: numbers or ids, ended by the first unknown one.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = ["--query-gpu=index,uuid," + ",".join(fields), "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run([program, *query], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [row for row in csv.reader(done.stdout.splitlines(), skipinitialspace=True) if len(row) == 2 + len(fields)]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return [row[2:] for row in (rows if visible is None else _visible_rows(rows, visible))]


def _visible_rows(rows: list[list[str]], visible: str) -> list[list[str]]:
    chosen = []
    for name in (part.strip() for part in visible.split(",")):
        match = [row for row in rows if name and (row[0] == name or row[1].startswith(name))]
        if not match:
            break
        chosen.append(match[0])
    return chosen


def unavailable(why: str) -> str:
    """Mark a fact as unknown, with the reason."""
    return f"unavailable: {why}"


def turbo(host: Host = THIS) -> str:
    """Say whether the clock may rise above its base: `on`, `off`, or unavailable."""
    intel = host.text("/sys/devices/system/cpu/intel_pstate/no_turbo")
    if intel is not None:
        return "off" if intel == "1" else "on"
    boost = host.text("/sys/devices/system/cpu/cpufreq/boost")
    if boost is not None:
        return "on" if boost == "1" else "off"
    return unavailable("neither intel_pstate/no_turbo nor cpufreq/boost here")


# --- the code and its data ------------------------------------------------------------------------


def file_hash(path: Path) -> str:
    """Hash a file's bytes: sha256 hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def source_hash(root: Path = PACKAGE) -> str:
    """Hash the folders that can change a measured second; analysis, claims and report are left out."""
    files = (path for folder in MEASURING for path in sorted((root / folder).rglob("*.py")))
    return digest({path.relative_to(root).as_posix(): file_hash(path) for path in files})


def lock_hash(root: Path | None = None) -> str:
    """Hash the lock file of the run; without a checkout, say so."""
    root = root or repository()
    lock = root / LOCK if root else None
    return file_hash(lock) if lock and lock.is_file() else "unavailable: installed without its lock file"


def data_hashes(folder: Path | None = None) -> dict[str, str]:
    """Hash each data file at the top of a folder (default: RAYBENCH_DATA); {} without a folder."""
    named = os.environ.get("RAYBENCH_DATA")
    folder = folder or (Path(named) if named else None)
    if folder is None or not folder.is_dir():
        return {}
    return {path.name: file_hash(path) for path in sorted(folder.iterdir()) if path.suffix in DATA_SUFFIXES}


def data_hash(folder: Path | None = None) -> str:
    """Hash names and contents of the data files together."""
    return digest(data_hashes(folder))
