"""Waiting: the server answers, alone of all addresses, and is gone afterwards; file sums have a closed form."""

import hashlib
import http.client
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from raybench.backends.base import execute
from raybench.model.errors import BackendFailed
from raybench.model.measurement import Task
from raybench.workloads import io_bound
from raybench.workloads.io_bound import SALT, STRIDE, FileReads, HttpRequests


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYBENCH_CACHE", str(tmp_path))


def test_many_tasks_wait_at_once_and_each_gets_its_own_page() -> None:
    workload = HttpRequests(requests=20, per_task=1, latency_s=0.01)
    with workload.services(), ThreadPoolExecutor(20) as pool:
        data = workload.data(1)
        answers = list(pool.map(lambda task: execute(workload, task, data).answer, workload.tasks(1)))
    assert answers == [[hashlib.sha256(f"/1/{k}".encode()).hexdigest()] for k in range(20)]


def test_the_server_and_its_port_are_gone_afterwards() -> None:
    workload = HttpRequests(requests=1, per_task=1, latency_s=0.0)
    with workload.services():
        port = workload.data(1)["port"]
    assert io_bound.PORT not in os.environ
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", port, timeout=5).request("GET", "/")


def test_proxy_variables_of_the_machine_do_not_come_between(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    workload = HttpRequests(requests=1, per_task=1, latency_s=0.0)
    with workload.services():
        tasks = workload.tasks(1)
        workload.check(tasks, [execute(workload, tasks[0], workload.data(1))], 1)


def test_data_without_its_server_says_what_is_missing() -> None:
    with pytest.raises(BackendFailed, match=r"call data\(\) within beside"):
        HttpRequests(requests=1, per_task=1, latency_s=0.0).data(1)


def test_pages_are_shared_out_without_loss() -> None:
    paths = [t.params["paths"] for t in HttpRequests(requests=5, per_task=2, latency_s=0.0).tasks(9)]
    assert paths == [["/9/0", "/9/1"], ["/9/2", "/9/3"], ["/9/4"]]


def test_the_words_of_a_file_are_those_of_the_formula() -> None:
    data = FileReads(files=2, file_bytes=24, drop_cache=False).data(1)
    words = np.fromfile(data[1], dtype=np.uint64).tolist()
    assert words == [(j * STRIDE + SALT) % 2**64 for j in range(3)]


def test_a_file_of_several_blocks_sums_up_to_its_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io_bound, "BLOCK_BYTES", 64)
    workload = FileReads(files=1, file_bytes=200, drop_cache=True)
    answer = execute(workload, Task(index=0, params={"file": 0}), workload.data(1)).answer
    assert answer == sum(j * STRIDE for j in range(25)) % 2**64


@pytest.mark.parametrize("drop", [True, False])
def test_the_facts_say_whether_the_reads_were_cold(drop: bool) -> None:
    workload = FileReads(files=1, file_bytes=4096, drop_cache=drop)
    workload.data(1)
    state = workload.facts([], [])["page_cache"]
    assert state == "cold" or state.startswith("warm: ")
    assert drop or state == "warm: not asked to be dropped"


def test_a_file_just_read_is_not_called_cold(tmp_path: Path) -> None:
    file = tmp_path / "read"
    file.write_bytes(b"x" * 4096)
    file.read_bytes()
    assert io_bound.cache_state(str(file)).startswith("warm")
