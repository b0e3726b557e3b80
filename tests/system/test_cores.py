"""How many cores, and which: quotas of control groups, affinity and siblings, read from made trees."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from made_hosts import made
from raybench.model.errors import RaybenchError
from raybench.system.kernel import Host, numbers, own_group
from raybench.system.machine import cpus_for, usable_cpus

V2 = "30 24 0:26 {root} /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate"
V1 = "31 24 0:27 {root} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct"


@pytest.mark.parametrize(
    ("cpu_max", "expected"), [("max 100000", 8), ("250000 100000", 2), ("199999 100000", 1), ("50000 100000", 1)]
)
def test_a_version_2_quota_cuts_the_cores_and_is_rounded_down_to_at_least_one(
    tmp_path: Path, cpu_max: str, expected: int
) -> None:
    host = made(
        tmp_path,
        {
            "/proc/self/cgroup": "0::/app\n",
            "/proc/self/mountinfo": V2.format(root="/"),
            "/sys/fs/cgroup/app/cpu.max": cpu_max,
        },
    )
    assert usable_cpus(host, allowed=range(8)) == expected


def test_a_quota_on_a_group_above_ours_counts(tmp_path: Path) -> None:
    host = made(
        tmp_path,
        {
            "/proc/self/cgroup": "0::/slice/app\n",
            "/proc/self/mountinfo": V2.format(root="/"),
            "/sys/fs/cgroup/slice/cpu.max": "300000 100000",
            "/sys/fs/cgroup/slice/app/cpu.max": "max 100000",
        },
    )
    assert usable_cpus(host, allowed=range(8)) == 3


@pytest.mark.parametrize(("quota", "expected"), [("-1", 6), ("400000", 4)])
def test_a_version_1_quota_is_found_below_the_controllers_mount(tmp_path: Path, quota: str, expected: int) -> None:
    host = made(
        tmp_path,
        {
            "/proc/self/cgroup": "5:memory:/\n4:cpu,cpuacct:/job\n0::/\n",
            "/proc/self/mountinfo": V1.format(root="/"),
            "/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": quota,
            "/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000",
        },
    )
    assert usable_cpus(host, allowed=range(6)) == expected


@pytest.mark.parametrize("root", ["/", "/docker/abc"])
def test_a_container_that_sees_its_path_from_outside_reads_the_mount_itself(tmp_path: Path, root: str) -> None:
    host = made(
        tmp_path,
        {
            "/proc/self/cgroup": "4:cpu,cpuacct:/docker/abc\n",
            "/proc/self/mountinfo": V1.format(root=root),
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "200000",
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
        },
    )
    assert usable_cpus(host, allowed=range(6)) == 2


def test_affinity_cuts_the_cores_where_no_quota_is_set(tmp_path: Path) -> None:
    assert usable_cpus(Host(root=tmp_path), allowed=(2, 3, 7)) == 3
    assert own_group("cpu", Host(root=tmp_path)) is None


def siblings(pairs: Mapping[int, str]) -> dict[str, str]:
    place = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    return {place.format(cpu): text for cpu, text in pairs.items()}


@pytest.mark.parametrize(
    ("pairs", "count", "expected"),
    [
        ({0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}, 2, (0, 1)),
        ({0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"}, 2, (0, 2)),
        ({0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"}, 3, (0, 1, 2)),
        ({0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"}, 4, (0, 1, 2, 3)),
    ],
)
def test_physical_cores_are_taken_before_their_siblings(
    tmp_path: Path, pairs: dict[int, str], count: int, expected: tuple[int, ...]
) -> None:
    assert cpus_for(count, made(tmp_path, siblings(pairs)), allowed=range(4)) == expected


def test_a_sibling_is_only_taken_from_what_affinity_allows(tmp_path: Path) -> None:
    host = made(tmp_path, siblings({0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"}))
    assert cpus_for(2, host, allowed=(1, 3)) == (1, 3)


@pytest.mark.parametrize("count", [0, 5])
def test_more_cpus_than_there_are_is_an_error(tmp_path: Path, count: int) -> None:
    with pytest.raises(RaybenchError, match=f"asked for {count} CPUs of the 4"):
        cpus_for(count, Host(root=tmp_path), allowed=range(4))


def test_the_kernels_number_lists_are_expanded() -> None:
    assert numbers("0-2,5,8-9\n") == (0, 1, 2, 5, 8, 9)
    assert numbers("") == ()
