"""Process trees counted: memory and CPU seconds of real processes, and counter files worked out by hand."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from made_processes import DAEMON, NO_GROUPS, go, python
from raybench.system import process_tree
from raybench.system.kernel import Host, find_unified_group, list_groups, own_group
from raybench.system.meter import COUNTER, Meter, counted_cpu_s

MB = 10**6
BURN = "import time\nwhile time.process_time() < {}: pass\n"


@pytest.fixture(params=["best", "psutil"])
def meter(request: pytest.FixtureRequest, tag: str) -> Iterator[Meter]:
    """Open a meter by the best means here, and one without control groups."""
    opened = Meter.open(tag) if request.param == "best" else Meter(tag, NO_GROUPS)
    yield opened
    process_tree.end(tag, members=opened.processes)
    assert opened.close() == ""


def test_memory_held_and_its_peak_are_those_of_the_tree(meter: Meter, tag: str) -> None:
    """A grandchild holds 300 MB; less than twice that may be counted."""
    holder = f"x = bytearray(b'1') * {300 * MB}; print(1, flush=True); input()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {holder!r}])"
    with python(code, tag) as child:
        meter.add(child.pid)
        go(child)
        assert 300 * MB <= meter.now_bytes() < 600 * MB
        assert len(meter.processes()) >= 2
        process_tree.end(tag, members=meter.processes)
    assert meter.now_bytes() < 100 * MB
    assert 300 * MB <= meter.peak_bytes() < 600 * MB


def test_a_file_in_the_page_cache_is_not_memory_of_the_tree(tag: str, tmp_path: Path) -> None:
    meter = Meter.open(tag)
    code = f"open({str(tmp_path / 'big')!r}, 'wb').write(bytes(1000) * 200_000); print(1, flush=True); input()"
    with python(code, tag) as child:
        meter.add(child.pid)
        go(child)
        process_tree.end(tag, members=meter.processes)
    assert meter.peak_bytes() < 300 * MB  # the 200 MB that were written once in memory, not again as cache
    assert meter.close() == ""


def test_cpu_seconds_of_children_that_have_gone_are_counted_once(meter: Meter, tag: str) -> None:
    """Three children in turn burn 0.2 s each; the operating system's own sum is the judge."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = f"import subprocess, sys\nfor _ in range(3): subprocess.run([sys.executable, '-c', {BURN.format(0.2)!r}])"
    with python(f"{code}\nprint(1, flush=True)\ninput()", tag) as child:
        meter.add(child.pid)
        go(child)
        counted = meter.cpu_s()
        process_tree.end(tag, members=meter.processes)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert 0.58 < counted <= spent + 0.05
    assert meter.cpu_s() >= counted


def test_cpu_seconds_of_a_daemon_that_left_its_parent_are_counted(meter: Meter, tag: str) -> None:
    with python(DAEMON.replace("print(", f"exec({BURN.format(0.3)!r}); print("), tag) as child:
        meter.add(child.pid)
        go(child)
        child.wait()
        assert meter.cpu_s() >= 0.28
        process_tree.end(tag, members=meter.processes)
    assert meter.cpu_s() >= 0.28


def test_a_meter_starts_at_zero_although_a_killed_run_left_its_group(tag: str) -> None:
    first = Meter.open(tag)
    with python(BURN.format(0.2) + "print(1, flush=True)", tag) as child:
        first.add(child.pid)
        go(child)
    second = Meter.open(tag)
    assert second.cpu_s() < 0.05
    assert second.close() == ""
    assert list_groups(tag) == []


def test_version_2_groups_count_cpu_seconds_where_they_are_mounted(tag: str, tmp_path: Path) -> None:
    group = find_unified_group()
    if group is None or own_group("cpuacct") == group or not os.access(group.folder / "cgroup.procs", os.W_OK):
        pytest.skip("no writable version 2 hierarchy beside another one")
    proc = tmp_path / "proc/self"  # a host that shows the version 2 hierarchy alone
    proc.mkdir(parents=True)
    (proc / "cgroup").write_text("0::/\n")
    (proc / "mountinfo").write_text("1 1 0:1 / /unified rw - cgroup2 cgroup2 rw\n")
    (tmp_path / "unified").symlink_to(group.folder)
    meter = Meter.open(tag, Host(root=tmp_path))
    assert meter.cpu_source == "cgroup v2 cpu.stat"
    with python(BURN.format(0.2) + "print(1, flush=True)\ninput()", tag) as child:
        meter.add(child.pid)
        go(child)
        assert 0.15 < meter.cpu_s() < 1.0
        assert meter.processes() == [child.pid]
        assert counted_cpu_s({COUNTER: meter.cpu_reader_path}) == pytest.approx(meter.cpu_s(), abs=0.05)
        process_tree.end(tag, members=meter.processes)
    assert meter.close() == ""


def test_version_2_memory_is_the_high_water_mark_less_file_cache(tmp_path: Path) -> None:
    """peak 900, of it file 250 with 50 shared: 900 - (250 - 50) = 700; held now 400 + 50."""
    (tmp_path / "memory.peak").write_text("900\n")
    (tmp_path / "memory.stat").write_text("anon 400\nfile 250\nshmem 50\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\n")
    meter = Meter("t", {"cpuacct": tmp_path, "memory": tmp_path})
    assert meter.now_bytes() == 450
    assert meter.peak_bytes() == 700
    assert meter.cpu_s() == 2.5
    assert "v2" in meter.memory_source


def test_a_sample_above_the_marks_lower_bound_is_the_peak(tmp_path: Path) -> None:
    (tmp_path / "memory.max_usage_in_bytes").write_text("900\n")
    (tmp_path / "memory.stat").write_text("cache 0\ntotal_rss 800\ntotal_shmem 50\ntotal_cache 50\n")
    meter = Meter("t", {"cpuacct": "none", "memory": tmp_path})
    assert meter.now_bytes() == 850
    (tmp_path / "memory.stat").write_text("total_rss 0\ntotal_shmem 0\ntotal_cache 300\n")  # written after the peak
    assert meter.peak_bytes() == 850


def test_the_source_says_why_there_is_no_group(tmp_path: Path) -> None:
    meter = Meter.open("t", Host(root=tmp_path))
    assert meter.cpu_source == "psutil, sampled (no control groups here)"
    assert meter.cpu_reader_path == ""
    assert meter.memory_source.endswith("(no control groups here)")


def test_the_child_reads_its_own_counter_and_that_of_a_shared_head(tmp_path: Path) -> None:
    (tmp_path / "cpuacct.usage").write_text("1500000000\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 250000\nnr_periods 4\n")
    both = os.pathsep.join(str(tmp_path / name) for name in ("cpuacct.usage", "cpu.stat"))
    assert counted_cpu_s({COUNTER: both}) == 1.75
    assert counted_cpu_s({COUNTER: str(tmp_path / "gone")}) is None


def test_without_a_counter_the_child_counts_itself_and_its_descendants() -> None:
    first = counted_cpu_s({})
    subprocess.run([sys.executable, "-c", BURN.format(0.1)], check=True)
    second = counted_cpu_s({})
    assert first is not None
    assert second is not None
    assert second - first > 0.08
