"""Rooms that play machines: apart from the host and from each other, on one bridge, and gone without a trace."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from raybench.model.errors import RaybenchError
from raybench.system import namespaces, process_tree
from raybench.system.namespaces import Room, rooms

REFUSED = namespaces.unavailable(limited=True)
needs_namespaces = pytest.mark.skipif(bool(REFUSED), reason=REFUSED)
MEMORY = Path(namespaces.SHARED_MEMORY)


@pytest.fixture
def two(tmp_path: Path, tag: str) -> Iterator[tuple[Room, ...]]:
    env = {**os.environ, process_tree.TAG: tag}
    with rooms(2, folder=tmp_path, memory=None, bandwidth_mbit=None, env=env) as opened:
        yield opened


def said(room: Room, script: str, *, cwd: Path = Path("/")) -> str:
    done = subprocess.run(
        room.enter(["sh", "-c", script], cwd=cwd), capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout.strip()


def of_the_host() -> tuple[str, ...]:
    """Return what a room could leave behind on the host."""
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    mounts = Path("/proc/self/mounts").read_text()
    return (*sorted(line.split(":")[1] for line in links.splitlines()), mounts, os.uname().nodename)


@needs_namespaces
def test_a_room_has_its_own_name_memory_and_network(two: tuple[Room, ...], tmp_path: Path) -> None:
    assert [said(room, "uname -n") for room in two] == ["node1", "node2"]
    said(two[0], "touch /dev/shm/mine; touch /dev/shm/ray/log")
    assert said(two[1], "ls /dev/shm") == "ray"
    assert not (MEMORY / "mine").exists()
    assert (tmp_path / "1" / "ray" / "log").exists()
    assert "eth0" in said(two[0], "ip -o link show eth0")
    assert said(two[0], "ls /sys/fs/cgroup") == "\n".join(sorted(os.listdir("/sys/fs/cgroup")))


@needs_namespaces
def test_rooms_reach_each_other(two: tuple[Room, ...]) -> None:
    listen = (
        "import socket,sys; s=socket.create_server((sys.argv[1], 7000)); print('up', flush=True); "
        "s.accept()[0].sendall(b'hello')"
    )
    command = two[1].enter([sys.executable, "-c", listen, two[1].address])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "up\n"
        call = f"import socket; print(socket.create_connection(('{two[1].address}', 7000), 10).recv(9).decode())"
        assert said(two[0], f'{sys.executable} -c "{call}"') == "hello"


@needs_namespaces
def test_a_command_keeps_its_folder_pid_and_environment(two: tuple[Room, ...], tmp_path: Path) -> None:
    command = two[0].enter(["sh", "-c", "pwd; echo $$ $MINE"], cwd=tmp_path)
    env = {**os.environ, "MINE": "kept"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        out, _ = process.communicate(timeout=20)
    assert out.split() == [str(tmp_path), str(process.pid), "kept"]


@needs_namespaces
def test_a_folder_in_memory_is_seen_by_every_room(tmp_path: Path, tag: str) -> None:
    shared = MEMORY / tag
    shared.mkdir()
    try:
        env = {**os.environ, process_tree.TAG: tag}
        with rooms(1, folder=tmp_path, memory=shared, bandwidth_mbit=None, env=env) as (room,):
            said(room, f"echo here > {shared}/file")
        assert (shared / "file").read_text() == "here\n"
    finally:
        for file in shared.iterdir():
            file.unlink()
        shared.rmdir()


@needs_namespaces
def test_nothing_is_left_on_the_host(tmp_path: Path, tag: str) -> None:
    before = of_the_host()
    env = {**os.environ, process_tree.TAG: tag}
    with rooms(3, folder=tmp_path, memory=None, bandwidth_mbit=100, env=env) as opened:
        assert of_the_host() == before
        assert all(process_tree.is_alive(room.holder) for room in opened)
    assert of_the_host() == before
    assert not process_tree.list_tagged(tag)


@needs_namespaces
def test_a_limited_link_has_its_rate(tmp_path: Path, tag: str) -> None:
    env = {**os.environ, process_tree.TAG: tag}
    with rooms(2, folder=tmp_path, memory=None, bandwidth_mbit=100, env=env) as opened:
        assert all("tbf" in said(room, "tc qdisc show dev eth0") for room in opened)
        assert "rate 100Mbit" in said(opened[0], "tc qdisc show dev eth0")


@needs_namespaces
def test_what_the_kernel_refuses_is_one_line(tmp_path: Path, tag: str) -> None:
    env = {**os.environ, process_tree.TAG: tag}
    with (
        pytest.raises(RaybenchError, match=r"cannot open a network namespace: .*; see"),
        rooms(1, folder=tmp_path, memory=Path("/nowhere/at/all"), bandwidth_mbit=None, env=env),
    ):
        pass
    assert not process_tree.list_tagged(tag)


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert namespaces.unavailable().startswith("network namespaces need root")


def test_another_system_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert namespaces.unavailable() == "network namespaces need Linux, this is darwin"


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert namespaces.unavailable(limited=True).startswith("ip, mount, hostname, nsenter, unshare, tc not on the path")


def test_a_kernel_that_permits_none_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in namespaces.TOOLS:
        (tmp_path / name).write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2; exit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert "(unshare failed: Operation not permitted)" in namespaces.unavailable()
