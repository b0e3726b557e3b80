"""The environment of every measured process: an allow-list of the user's shell, and what the cell grants.

A list of what to drop is never complete: OpenMP pinning, allocator switches, warnings filters, proxies, plotting
settings ... would reach the workers, and two shells would measure two things under one name.
"""

import os
import re
import sys
from collections.abc import Iterable, Mapping

from raybench.backends.shipped import PASSED_ON
from raybench.backends.tune_logs import LOGS
from raybench.model.plan import Job, Spec

FOLDERS = ("RAYBENCH_DATA", "RAYBENCH_DATA_UNCHECKED", "RAYBENCH_DATA_ORIGIN", "RAYBENCH_CACHE")
# What a process needs to start and to find its machine; nothing that steers how fast it computes.
KEPT = (
    *("PATH", "HOME", "USER", "LOGNAME", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "CONDA_PREFIX"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_HOME", "CUDA_PATH", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"),
    *("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "XDG_CACHE_HOME"),
    *FOLDERS,
)
AUTHENTICATION = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")  # of a cluster that is joined
# Native pools read these once, when their library loads: OpenMP, the BLAS libraries, numexpr, numba, Rust (rayon,
# polars), TBB, PyTorch, TensorFlow, Arrow.
THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
    *("NUMEXPR_NUM_THREADS", "NUMEXPR_MAX_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS"),
    *("TBB_NUM_THREADS", "TORCH_NUM_THREADS", "TORCH_NUM_INTEROP_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "ARROW_IO_THREADS"),
)
# The same for every backend, so that no variant is measured with another one's defaults (METHODOLOGY, threads).
COMMON = {
    "LC_ALL": "C.UTF-8",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_PROMPT_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # else Ray starts every worker through uv
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "PYTHONUNBUFFERED": "1",
    "SPT_NOENV": "1",  # else setproctitle, which Ray uses, overwrites the environment in which we look for the tag
}
LEASE = "RAY_worker_lease_timeout_milliseconds"  # read by the driver: how long it keeps a worker that is idle
FORWARDED = ("PYTHONHASHSEED", "SPT_NOENV")
GROWING = re.compile(r"^(\d+)P$")  # a flag that is so many times the cores of its cell
NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}  # of a process that was granted none
# An embedded head takes the loopback address as its node's own, and then every daemon of Ray's binds to it alone.
# `_node_ip_address` does not: Ray resolves a loopback address to the machine's public one.
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


def environment(
    spec: Spec, *, threads: int, job: Job | None = None, named: Iterable[str] = (), cpus: int = 1
) -> dict[str, str]:
    """Build a child's environment: what is kept of this process's own, thread variables, the backend's flags.

    What the configuration lists under `environment` is kept too: the job's list, or the spec's own and `named`.
    cpus : P of a process that has no job.
    """
    joins = job is not None and job.cluster.address is not None
    kept = {name: os.environ[name] for name in (*KEPT, *(AUTHENTICATION if joins else ())) if name in os.environ}
    kept |= COMMON if joins else COMMON | LOOPBACK
    kept |= {name: str(threads) for name in THREAD_VARIABLES}
    names = job.environment if job is not None else (*spec.environment, *named)
    kept |= {name: os.environ[name] for name in names if name in os.environ}
    flags = flags_for(spec.params.get("flags", {}), cpus if job is None else job.cell.cpus)
    kept |= flags
    if job is not None and job.cluster.lease_timeout_ms is not None:
        kept[LEASE] = str(job.cluster.lease_timeout_ms)
    kept["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(os.path.abspath(path) for path in sys.path if path))
    if job is not None:
        kept["PYTHONHASHSEED"] = str(job.hash_seed)
        kept["RAYBENCH_PADDING"] = "x" * job.padding
        if job.cell.gpus == 0:
            kept |= NO_GPU
        if job.cluster.token:
            kept["RAY_AUTH_MODE"] = "token"
        if job.on_cluster:
            kept[PASSED_ON] = ",".join([*THREAD_VARIABLES, *FOLDERS, *FORWARDED, *names, *flags])
        if logs := os.environ.get(LOGS):
            kept[LOGS] = os.path.join(logs, _place(job))
    return kept


def _place(job: Job) -> str:
    """Name the folder for a process's logs: what a reader of TensorBoard looks for first."""
    cell = job.cell
    process = f"block-{job.block}-{job.replica}-{job.attempt}"
    return os.path.join(cell.workload.name, f"{cell.backend.name}-P{cell.cpus}", process)


def flags_for(flags: Mapping[str, object], cpus: int) -> dict[str, str]:
    """Spell out a backend's flags for P cores: `2P` is twice as many."""
    return {name: GROWING.sub(lambda found: str(int(found[1]) * cpus), str(value)) for name, value in flags.items()}
