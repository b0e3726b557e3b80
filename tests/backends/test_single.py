"""What only some backends promise: a task's own time-out, one real worker, an embedded head that leaves nothing."""

import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
import task_sets

from raybench.backends.base import Backend, Resources
from raybench.backends.joblib_loky import JoblibLoky
from raybench.backends.joblib_threads import JoblibThreads
from raybench.backends.ray_batched import RayBatched
from raybench.backends.ray_tasks import RayTasks
from raybench.backends.sequential import Sequential
from raybench.model.errors import BackendFailed, TaskTimedOut
from raybench.model.plan import Cluster, Limits


@pytest.mark.ray
def test_ray_ends_a_task_at_its_own_time_out(ray_head: str) -> None:
    raises, collects = task_sets.Hangs(), task_sets.Hangs(collect=True)
    resources = Resources(workers=2, cluster=Cluster(address=ray_head), limits=Limits(task_timeout_s=0.5))
    with RayTasks(resources) as backend:
        results = backend.run(collects, collects.tasks(0), collects.data(0))
        with pytest.raises(TaskTimedOut, match=r"task 3 ran longer than its time-out of 0\.5 s"):
            backend.run(raises, raises.tasks(0), raises.data(0))
    assert [bool(r.error) for r in results] == [i == 3 for i in range(6)]


@pytest.mark.ray
@pytest.mark.parametrize(("kind", "params"), [(RayTasks, {}), (RayTasks, {"window": "none"}), (RayBatched, {})])
def test_a_failed_run_leaves_nothing_that_would_start_ray_again(
    kind: Callable[..., Backend], params: dict[str, Any], ray_head: str
) -> None:
    raises = task_sets.Hangs()
    resources = Resources(workers=2, cluster=Cluster(address=ray_head), limits=Limits(task_timeout_s=0.5))
    with kind(resources, **params) as backend, pytest.raises(TaskTimedOut) as caught:
        backend.run(raises, raises.tasks(0), raises.data(0))
    del backend, caught  # the trace held the frames of the run, and whatever was going on in them
    gc.collect()
    assert not ray.is_initialized()


@pytest.mark.ray
def test_limits_reach_ray_as_resources_and_environment(ray_head: str) -> None:
    limits = Limits(memory_bytes=200 * 2**20, runtime_env={"env_vars": {"BAGS_SAY": "hello"}})
    with RayTasks(Resources(workers=1, cluster=Cluster(address=ray_head), limits=limits)) as backend:
        workload = task_sets.Says()
        assert [r.answer for r in backend.run(workload, workload.tasks(0), None)] == ["hello"]


@pytest.mark.ray
def test_more_memory_than_the_cluster_has_fails_at_once(ray_head: str) -> None:
    limits = Limits(memory_bytes=2**60)
    backend = RayTasks(Resources(workers=1, cluster=Cluster(address=ray_head), limits=limits))
    try:
        with pytest.raises(BackendFailed, match="bytes to tasks, the cell's limit is"):
            backend.__enter__()
    finally:
        backend.__exit__(None, None, None)


@pytest.mark.ray
def test_more_gpus_than_the_cluster_has_fail_at_once(ray_head: str) -> None:
    backend = RayTasks(Resources(workers=1, gpus=0.5, cluster=Cluster(address=ray_head)))
    try:
        with pytest.raises(BackendFailed, match=r"the Ray cluster has 0 GPUs, the cell asks for 0\.5"):
            backend.__enter__()
    finally:
        backend.__exit__(None, None, None)


@pytest.mark.ray
def test_an_embedded_head_ends_with_its_backend() -> None:
    before = {process.pid for process in psutil.process_iter()}
    workload = task_sets.Squares(n=4)
    with RayTasks(Resources(workers=1)) as backend:
        workload.check(workload.tasks(0), backend.run(workload, workload.tasks(0), workload.data(0)), 0)
        assert backend.start_parts["head"] > 0
        children = psutil.Process().children(recursive=True)
        mine = [child for child in children if child.pid not in before]
    _, left = psutil.wait_procs(mine, timeout=10)
    assert left == []


def test_one_joblib_worker_is_a_process_of_its_own_not_a_loop_in_the_driver() -> None:
    workload = task_sets.Squares()
    with JoblibLoky(Resources(workers=1)) as backend:
        results = backend.run(workload, workload.tasks(0), workload.data(0))
    assert len({r.pid for r in results}) == 1
    assert os.getpid() not in {r.pid for r in results}


def test_one_joblib_thread_is_not_the_drivers_own() -> None:
    workload = task_sets.Squares()
    with JoblibThreads(Resources(workers=1)) as backend:
        results = backend.run(workload, workload.tasks(0), workload.data(0))
    assert len({r.pid for r in results}) == 1
    assert os.getpid() not in {r.pid for r in results}


def test_joblib_data_are_mapped_read_only_from_one_file() -> None:
    workload = task_sets.Mapped()
    with JoblibLoky(Resources(workers=1)) as backend:
        (result,) = backend.run(workload, workload.tasks(0), workload.data(0))
    kind, writeable, path = result.answer
    assert kind == "memmap"
    assert not writeable
    assert Path(path).parent.name.startswith("raybench-")


def test_the_sequential_baseline_refuses_two_workers() -> None:
    with pytest.raises(BackendFailed, match="the sequential baseline has 1 worker, asked for 2"):
        Sequential(Resources(workers=2))
