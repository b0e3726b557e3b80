"""The memory that a container allows, read from made trees of both versions, and from the real one."""

from pathlib import Path

import pytest

from made_hosts import made
from raybench.system.kernel import Host, count_oom_kills, memory_allowed, memory_used

V1 = {
    "/proc/self/cgroup": "4:memory:/docker/c1\n",
    "/proc/self/mountinfo": "30 25 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
    "/proc/meminfo": "MemTotal:       16000000 kB\n",
    "/proc/vmstat": "oom_kill 5\n",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes": "2147483648\n",
    "/sys/fs/cgroup/memory/docker/c1/memory.limit_in_bytes": "943718400\n",
    "/sys/fs/cgroup/memory/docker/c1/memory.usage_in_bytes": "500000000\n",
    "/sys/fs/cgroup/memory/docker/c1/memory.stat": "total_inactive_file 100000000\n",
    "/sys/fs/cgroup/memory/docker/c1/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
}
V2 = {
    "/proc/self/cgroup": "0::/job\n",
    "/proc/self/mountinfo": "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "/proc/meminfo": "MemTotal:       16000000 kB\n",
    "/proc/vmstat": "oom_kill 5\n",
    "/sys/fs/cgroup/job/memory.max": "max\n",
    "/sys/fs/cgroup/memory.max": "1073741824\n",
    "/sys/fs/cgroup/job/memory.current": "300000000\n",
    "/sys/fs/cgroup/job/memory.stat": "inactive_file 50000000\n",
    "/sys/fs/cgroup/job/memory.events": "oom 9\noom_kill 2\n",
}


@pytest.mark.parametrize(("files", "allowed"), [(V1, 943718400), (V2, 1073741824)])
def test_the_smallest_limit_of_the_groups_above_us_counts(tmp_path: Path, files: dict[str, str], allowed: int) -> None:
    assert memory_allowed(made(tmp_path, files)) == allowed


@pytest.mark.parametrize(("files", "used"), [(V1, 400_000_000), (V2, 250_000_000)])
def test_what_a_group_holds_is_counted_without_cache_that_goes_when_it_is_needed(
    tmp_path: Path, files: dict[str, str], used: int
) -> None:
    assert memory_used(made(tmp_path, files)) == used


@pytest.mark.parametrize(("files", "kills"), [(V1, 3), (V2, 2)])
def test_kills_for_memory_are_those_of_our_groups(tmp_path: Path, files: dict[str, str], kills: int) -> None:
    assert count_oom_kills(host=made(tmp_path, files)) == kills


def test_a_limit_that_the_machine_cannot_reach_is_none(tmp_path: Path) -> None:
    files = {name: "9223372036854771712\n" if "limit" in name else text for name, text in V1.items()}
    assert memory_allowed(made(tmp_path, files)) is None


def test_without_groups_there_is_no_limit_and_the_machine_counts_the_kills(tmp_path: Path) -> None:
    host = made(tmp_path, {"/proc/vmstat": "oom_kill 5\n"})
    assert memory_allowed(host) is None
    assert memory_used(host) is None
    assert count_oom_kills(host=host) == 5


def test_this_machine_answers() -> None:
    assert (memory_allowed(Host()) or 1) > 0
    assert count_oom_kills() >= 0
