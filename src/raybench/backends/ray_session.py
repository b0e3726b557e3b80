"""A connection to Ray: joined by address, or an embedded local head of its own; and the handle of data put once."""

import functools
import math
import os
import tempfile
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import ObjectStoreFullError, OutOfDiskError, RayError, RayTaskError

from raybench.backends.base import Resources
from raybench.backends.shipped import runtime_env
from raybench.backends.worker_side import ROLL_CALL_S, SHARED_MEMORY, Bundle, full, prepare_once, present, roll_call
from raybench.model.clock import now
from raybench.model.errors import BackendFailed, RaybenchError, one_line

WORKER_LOSSES = 3  # how often Ray starts a task again whose worker died

answer_roll_call = ray.remote(max_calls=0)(present)


class NotBrought(Exception):
    """A worker does not hold the bundle that a task names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """Where a bundle lies in the object store. The reference is nested, so that a task does not fetch it each time.

    Equal by token: a worker that has opened the bundle knows it by a handle without `refs` too.
    """

    token: str
    refs: tuple[Any, ...] = field(default=(), compare=False)


def start_local_head(
    *, cpus: float, gpus: float = 0, object_store_memory: int | None = None, temp_dir: str | None = None
) -> str:
    """Start Ray's daemons and connect this process; returns the head's address.

    The environment of this process (flags, thread variables, affinity, token) is the daemons' and the workers'.
    Token authentication: RAY_AUTH_MODE=token with RAY_AUTH_TOKEN, the same in every process that joins.
    """
    context = ray.init(
        address="local",
        num_cpus=cpus,
        num_gpus=gpus,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=object_store_memory,
        _temp_dir=temp_dir,
    )
    return str(context.address_info["gcs_address"])


def begin(resources: Resources, parts: dict[str, float]) -> None:
    """Join the cluster of the cell, or start an embedded head, until P workers have answered; fills `parts`."""
    began = now()
    address = resources.cluster.address
    if address:
        shipped = runtime_env(os.environ, resources.modules) if resources.cluster.is_joined else None
        ray.init(address=address, log_to_driver=False, runtime_env=shipped)
        parts["join"] = now() - began
    else:
        try:
            start_local_head(cpus=resources.cpus, gpus=math.ceil(resources.gpus))
        except OSError as error:
            if "AF_UNIX" not in str(error):
                raise
            folder = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
            raise BackendFailed(
                f"Ray's sockets lie in {folder}, and a path may have 107 bytes; set TMPDIR to a shorter one"
            ) from error
        parts["head"] = now() - began
    there = ray.cluster_resources().get("CPU", 0.0)
    if there < resources.cpus:
        raise BackendFailed(f"the Ray cluster has {there:g} CPUs, the cell asks for {resources.cpus}")
    gpus = ray.cluster_resources().get("GPU", 0.0)
    if gpus < resources.gpus:  # its tasks would wait for ever
        raise BackendFailed(f"the Ray cluster has {gpus:g} GPUs, the cell asks for {resources.gpus:g}")
    memory, limit = ray.cluster_resources().get("memory", 0.0), resources.limits.memory_bytes
    if limit is not None and memory < limit:
        raise BackendFailed(f"the Ray cluster offers {memory:.0f} bytes to tasks, the cell's limit is {limit}")


def meet_workers(resources: Resources, parts: dict[str, float]) -> None:
    """Wait until P worker processes have answered, started as the tasks will start them; fills `parts`."""
    began = now()
    ask = answer_roll_call.options(**options(resources))
    roll_call(lambda count: fetch([ask.remote(ROLL_CALL_S) for _ in range(count)]), resources.workers)
    parts["workers"] = now() - began


def end() -> None:
    """Leave the cluster; an embedded head stops with all its processes."""
    ray.shutdown()


def version() -> str:
    """Name Ray and its version."""
    return f"ray {ray.__version__}"


def options(resources: Resources, workload: Any = None) -> dict[str, Any]:
    """Say what one task asks of Ray: its cores, GPUs, share of the memory limit, environment, new tries."""
    asked = needs(resources, workload)
    asked["max_retries"] = getattr(workload, "retries", WORKER_LOSSES)  # for a worker that dies; not for exceptions
    return asked


def needs(resources: Resources, workload: Any = None) -> dict[str, Any]:
    """Say what a task or an actor asks of the cluster; without a workload no GPU."""
    asked: dict[str, Any] = {"num_cpus": resources.cpus_per_task}
    if workload is not None and (gpus := gpus_per_task(resources, workload)):
        asked["num_gpus"] = gpus
    if resources.limits.memory_bytes is not None:
        asked["memory"] = resources.limits.memory_bytes // resources.workers
    if resources.limits.runtime_env is not None:
        asked["runtime_env"] = dict(resources.limits.runtime_env)
    return asked


def gpus_per_task(resources: Resources, workload: Any) -> float:
    """Say how many GPUs each task takes: what the workload asks, else an equal share of the cell's."""
    return float(getattr(workload, "gpus_per_task", resources.gpus / resources.workers))


def slots(resources: Resources, workload: Any) -> int:
    """Count the tasks that can run at once: the workers, or fewer where GPUs are short."""
    each = gpus_per_task(resources, workload)
    return resources.workers if each == 0 else max(1, min(resources.workers, int(resources.gpus / each + 1e-9)))


def window(resources: Resources, workload: Any) -> int:
    """Choose how many tasks are in flight: two for each slot, so that none waits for the driver.

    One for each slot where a queued task would run beside the P workers (a larger cluster) or where its
    time-out counts from its dispatch.
    """
    running = slots(resources, workload)
    larger = ray.cluster_resources().get("CPU", 0.0) > resources.cpus
    return running if larger or resources.limits.task_timeout_s is not None else 2 * running


def put_bundle(bundle: Bundle) -> Handle:
    """Put the bundle into the object store, once for all workers."""
    try:
        return Handle(token=bundle.token, refs=(ray.put(bundle),))
    except RayError as error:
        raise BackendFailed(f"ray: {_explain(error)}") from error


@functools.lru_cache(maxsize=1)
def open_bundle(handle: Handle) -> Bundle:
    """Fetch the bundle in a worker, once; arrays are read-only views of the store. NotBrought without `refs`."""
    if not handle.refs:
        raise NotBrought
    bundle: Bundle = ray.get(handle.refs[0])
    return bundle


def context_of(handle: Handle) -> tuple[Any, Any]:
    """Return the workload and its prepared context in this worker."""
    bundle = open_bundle(handle)
    return bundle.workload, prepare_once(bundle)


def fetch(refs: Any) -> Any:
    """Get results; what went wrong in a worker, or with one, becomes an error of ours."""
    try:
        return ray.get(refs)
    except RayTaskError as error:
        if isinstance(error.cause, RaybenchError):
            raise error.cause from None
        raise BackendFailed(f"ray: {_explain(error.cause)}") from error
    except RayError as error:
        raise BackendFailed(f"ray lost a result: {_explain(error)}") from error


def _explain(error: BaseException) -> str:
    """Return the error in one line; where Ray calls its store a disk, name the store."""
    if isinstance(error, (ObjectStoreFullError, OutOfDiskError)):
        return f"{type(error).__name__}: no room for an object in {full(SHARED_MEMORY)}, nor where Ray spills it"
    return one_line(error)
