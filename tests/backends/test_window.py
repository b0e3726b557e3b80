"""The window of tasks in flight: bounded, wider where tasks are short, and each result once."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import ray
import task_sets

from raybench.backends.base import Resources
from raybench.backends.ray_session import end
from raybench.backends.ray_tasks import RayTasks
from raybench.backends.ray_window import AGAIN, WIDEST, in_flight
from raybench.model.clock import pause
from raybench.model.errors import BackendFailed
from raybench.model.plan import Cluster


@pytest.fixture
def joined(ray_head: str) -> Iterator[None]:
    """Join the head as a driver, until the test has ended."""
    ray.init(address=ray_head, log_to_driver=False)
    yield
    end()


def echo(value: Any, seconds: float = 0.0) -> Any:
    pause(seconds)
    if value == "raise":
        raise ValueError("planted")
    return value


class Drawn:
    """Items that know how many of them were drawn and not yet given back."""

    def __init__(self, items: list[Any]) -> None:
        self._items = items
        self.out = self.most = 0

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            self.out += 1
            self.most = max(self.most, self.out)
            yield item


@pytest.mark.ray
@pytest.mark.usefixtures("joined")
@pytest.mark.parametrize("widest", [None, 16, WIDEST])
def test_no_more_tasks_are_drawn_than_the_widest_window_and_each_result_comes_once(widest: int | None) -> None:
    remote, drawn, found = ray.remote(max_calls=0)(echo), Drawn(list(range(3 * WIDEST))), []
    with closing(in_flight(remote.remote, drawn, window=4, widest=widest)) as flow:
        for item, outcome in flow:
            drawn.out -= 1
            assert outcome == item
            found.append(item)
    assert sorted(found) == list(range(3 * WIDEST))
    # those that came back together are handed on one by one, and count until then
    assert drawn.most <= (widest or 4)
    assert (drawn.most > 4) == bool(widest), "short tasks get a wider window where they may"


@pytest.mark.ray
@pytest.mark.usefixtures("joined")
def test_long_tasks_keep_the_narrow_window() -> None:
    remote, drawn = ray.remote(max_calls=0)(echo), Drawn(list(range(12)))
    with closing(in_flight(lambda item: remote.remote(item, 0.3), drawn, window=4, widest=WIDEST)) as flow:
        for _ in flow:
            drawn.out -= 1
    assert drawn.most <= 8, "four for each result that came at once, of which two workers give two"


@pytest.mark.ray
@pytest.mark.usefixtures("joined")
def test_one_lost_result_among_many_is_an_error_and_the_others_are_results() -> None:
    remote = ray.remote(max_calls=0)(echo)
    items = [*range(50), "raise", *range(51, 100)]
    with closing(in_flight(remote.remote, items, window=4, widest=WIDEST)) as flow:
        found = dict(flow)
    assert {item: outcome for item, outcome in found.items() if item != "raise"} == {
        i: i for i in range(100) if i != 50
    }
    assert isinstance(found["raise"], BackendFailed)
    assert "planted" in str(found["raise"])


@pytest.mark.ray
@pytest.mark.usefixtures("joined")
def test_a_worker_that_lacks_something_gets_its_task_again_with_it() -> None:
    remote = ray.remote(max_calls=0)(echo)
    with closing(
        in_flight(lambda i: remote.remote(AGAIN if i % 3 else i), range(30), window=4, again=remote.remote)
    ) as flow:
        found = dict(flow)
    assert found == {i: i for i in range(30)}


@pytest.mark.ray
@pytest.mark.parametrize("window", ["bounded", "none"])
def test_a_worker_that_never_had_the_data_gets_them(window: str, ray_head: str, tmp_path: Any) -> None:
    """Workers that held the data die between two runs; those in their place do not know them."""
    workload = task_sets.Squares(n=30, folder=str(tmp_path))
    tasks, data = workload.tasks(0), workload.data(0)
    with RayTasks(Resources(workers=2, cluster=Cluster(address=ray_head)), window=window) as backend:
        backend.warm(workload, tasks[:1], data)
        before = {result.pid for result in backend.run(workload, tasks, data)}
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        results = backend.run(workload, tasks, data)
    workload.check(tasks, results, 0)
    assert not before & {result.pid for result in results}


@pytest.mark.ray
def test_two_sets_of_data_in_turn_are_not_mixed_up(ray_head: str) -> None:
    one, other = task_sets.Squares(n=20), task_sets.Says()
    with RayTasks(Resources(workers=2, cluster=Cluster(address=ray_head))) as backend:
        for workload in (one, other, one):
            data = workload.data(0)
            results = backend.run(workload, workload.tasks(0), data)
            if workload is one:
                workload.check(workload.tasks(0), results, 0)
