"""What a worker tells of itself: once, again where it has changed, anew in a forked process; and what it is given."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest

from raybench.backends import worker_session
from raybench.backends.worker_session import WorkerSession
from raybench.backends.worker_side import read_only, room_for_data
from raybench.model.errors import BackendFailed


@pytest.fixture
def affinity(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the CPUs that the worker is told it may run on; the clock passes a second with each reading."""
    cpus = [0]
    seconds = iter(range(10_000))
    monkeypatch.setattr(worker_session.os, "sched_getaffinity", lambda _: set(cpus))
    monkeypatch.setattr(worker_session, "now", lambda: 1000.0 * next(seconds))
    return cpus


def test_facts_go_with_the_first_result_and_then_only_where_they_changed(affinity: list[int]):
    session = WorkerSession()
    told = [session.introduce()[1] for _ in range(300)]
    affinity.append(1)
    told += [session.introduce()[1] for _ in range(300)]

    assert [facts.affinity for facts in told if facts is not None] == [1, 2]
    assert told[0] is not None


def test_each_thread_of_a_pool_introduces_itself():
    session = WorkerSession(by_thread=True)
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        told = [pool.submit(session.introduce).result() for pool in (one, other, one)]

    assert [facts is not None for _, facts in told] == [True, True, False]
    assert told[0][0] == told[2][0] != told[1][0]


def introduce_in_a_fork(session: WorkerSession, pipe: Any) -> None:
    pipe.send(session.introduce())


def test_a_forked_process_is_another_worker():
    session = WorkerSession()
    here, _ = session.introduce()
    receive, send = get_context("fork").Pipe(duplex=False)
    process = get_context("fork").Process(target=introduce_in_a_fork, args=(session, send))
    process.start()
    worker, facts = receive.recv()
    process.join()

    assert here == os.getpid()
    assert worker == process.pid
    assert facts is not None


def test_data_are_read_only_without_a_copy_of_any_array():
    data = {"x": np.zeros(5), "rows": [np.ones((2, 3), order="F"), "text"]}
    found = read_only(data)

    assert not found["x"].flags.writeable
    assert not found["rows"][0].flags.writeable
    assert np.shares_memory(found["x"], data["x"])
    assert data["x"].flags.writeable


def test_a_full_shared_memory_is_named_with_what_gives_it_more():
    named = r"no room for the data in .* MiB left; a container gets more by `--shm-size`"
    with pytest.raises(BackendFailed, match=named), room_for_data():
        raise OSError(errno.ENOSPC, "No space left on device")
