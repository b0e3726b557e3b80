"""Several machines played by one: rooms with a network, mounts and a host name of their own, on one bridge.

A room lasts as long as its processes: its namespaces have no name in /run/netns and no interface on the host, so that
the kernel removes all of it with the last process, however that ended.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from raybench.model.errors import RaybenchError
from raybench.system import process_tree

TOOLS = ("ip", "mount", "hostname", "nsenter", "unshare")
SHAPER = "tc"
SHARED_MEMORY = "/dev/shm"
INSIDE = f"{SHARED_MEMORY}/ray"  # a folder of the room's own; a short path: those of Unix sockets end at 107 bytes
NETWORK = "10.77.0"  # exists in the rooms only
LATENCY_MS = 50  # longest wait in the queue of a limited link
BURST_MS = 4  # of a limited link's traffic that may pass at once; the kernel's timer ticks every 1 to 4 ms
LEAST_BURST_BYTES = 65_536  # the largest segment that is handed to a link
MBIT_BYTES = 125_000

# Waits until the runner closes the pipe, or dies, and then ends whatever still runs in the same network.
_HOLD = """echo ready
cat > /dev/null
own=$(readlink /proc/$$/ns/net)
test -n "$own"
for p in /proc/[0-9]*; do
  if [ "$p" != "/proc/$$" ] && [ "$(readlink "$p/ns/net")" = "$own" ]; then kill -9 "${p#/proc/}" || true; fi
done"""
_BRIDGE = f"set -e; ip link add name br0 type bridge; ip link set br0 up; {_HOLD}"
_LIMIT = 'tc qdisc add dev "$1" root tbf rate "$2" burst "$3" latency "$4"'
# Ray takes the address that a way to the outside would have for its own, and without one it listens on loopback
# alone: hence a route that leads nowhere. No server of names is asked, which could not be reached.
# $1 number, $2 address, $3 pid of the bridge, $4 folder of the room, $5 folder in memory that all rooms see
_ROOM = f"""set -e
hostname "node$1"
if [ -n "$5" ]; then mount --bind "$5" "$4/memory"; fi
mount -t tmpfs -o mode=1777 tmpfs {SHARED_MEMORY}
if [ -n "$5" ]; then mkdir -p "$5"; mount --bind "$4/memory" "$5"; fi
mkdir {INSIDE}; mount --bind "$4/ray" {INSIDE}
mount --bind "$4/hosts" /etc/hosts
if [ -e /etc/resolv.conf ]; then mount --bind /dev/null /etc/resolv.conf; fi
ip link set lo up
ip link add name eth0 type veth peer name "port$1" netns "$3"
ip address add "$2/24" dev eth0
ip link set eth0 up
ip route add default dev eth0
nsenter --target "$3" --net ip link set "port$1" master br0 up
{_HOLD}"""
_PROBE = f"""set -e
mount -t tmpfs tmpfs {SHARED_MEMORY}
hostname node
ip link add name port0 type veth peer name eth0
ip link add name br0 type bridge"""
_PROBE_LIMIT = f"{_PROBE}\ntc qdisc add dev eth0 root tbf rate 1mbit burst 64kb latency 50ms"


def unavailable(*, limited: bool = False) -> str:
    """Say why this machine cannot play several, or ''. limited : links with a bandwidth of their own are wanted."""
    if not sys.platform.startswith("linux"):
        return f"network namespaces need Linux, this is {sys.platform}"
    if os.geteuid() != 0:
        return "network namespaces need root; run as root, or join a cluster by cluster.address"
    if lacking := [tool for tool in (*TOOLS, *([SHAPER] if limited else [])) if shutil.which(tool) is None]:
        return f"{', '.join(lacking)} not on the path; install iproute2, util-linux and hostname"
    script = _PROBE_LIMIT if limited else _PROBE
    done = subprocess.run(_unshare(script), capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return f"this machine does not permit namespaces of our own ({said}); in a container they need --privileged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One of the machines. holder : the process that keeps its namespaces."""

    number: int  # from 1
    address: str
    holder: int

    def enter(self, words: Sequence[str], *, cwd: Path = Path("/")) -> list[str]:
        """Return the command that runs `words` in this room; it keeps pid, environment and open files."""
        there = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", str(cwd)]
        return ["nsenter", "--target", str(self.holder), "--mount", "--uts", "--net", "--", *there, *words]

    def processes(self) -> list[int]:
        """List the pids in this room, its holder left out."""
        return [pid for pid in process_tree.list_in_network(self.holder) if pid != self.holder]


@contextmanager
def rooms(
    count: int, *, folder: Path, memory: Path | None, bandwidth_mbit: float | None, env: Mapping[str, str]
) -> Iterator[tuple[Room, ...]]:
    """Open so many rooms, each with a folder below `folder`; they end with the block, and with this process.

    memory : a folder in shared memory that every room sees at the same path; None where there is none.
    env : of the holders, and so the tag by which they are found. Raises RaybenchError with what the kernel refused.
    """
    with ExitStack() as stack:
        bridge = stack.enter_context(_held(_BRIDGE, (), env=env, mounts=False))
        opened = []
        addresses = {number: f"{NETWORK}.{number}" for number in range(1, count + 1)}
        hosts = "127.0.0.1 localhost\n" + "".join(f"{at} node{number}\n" for number, at in addresses.items())
        for number, address in addresses.items():
            own = folder / str(number)
            for name in ("ray", "memory"):
                (own / name).mkdir(parents=True)
            (own / "hosts").write_text(hosts, encoding="utf-8")
            given = (str(number), address, str(bridge), str(own), "" if memory is None else str(memory))
            holder = stack.enter_context(_held(_ROOM, given, env=env))
            opened.append(Room(number=number, address=address, holder=holder))
            if bandwidth_mbit is not None:
                _limit(holder, "eth0", bandwidth_mbit)
                _limit(bridge, f"port{number}", bandwidth_mbit)
        yield tuple(opened)


def _unshare(script: str, words: Sequence[str] = (), *, mounts: bool = True) -> list[str]:
    own = ["--mount", "--uts", "--propagation", "private"] if mounts else []
    return ["unshare", "--net", *own, "sh", "-c", script, "sh", *words]


@contextmanager
def _held(script: str, words: Sequence[str], *, env: Mapping[str, str], mounts: bool = True) -> Iterator[int]:
    """Run a script in new namespaces, which ends by waiting for this block's end; gives its pid."""
    command = _unshare(script, words, mounts=mounts)
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, env=env, text=True, start_new_session=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stderr is not None
        try:
            if holder.stdout.readline() != "ready\n":
                said = (holder.stderr.read().strip().splitlines() or ["no word of it"])[-1]
                raise RaybenchError(f"cannot open a network namespace: {said}; see `raybench doctor`")
            yield holder.pid
        finally:
            with suppress(ProcessLookupError):
                holder.kill()


def _limit(holder: int, link: str, bandwidth_mbit: float) -> None:
    """Let no more than so many Mbit/s leave by a link of the namespace of `holder`."""
    burst = max(LEAST_BURST_BYTES, int(bandwidth_mbit * MBIT_BYTES * BURST_MS / 1000))
    words = (link, f"{bandwidth_mbit:.3f}mbit", str(burst), f"{LATENCY_MS}ms")
    command = ["nsenter", "--target", str(holder), "--net", "sh", "-c", _LIMIT, "sh", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no word of it"])[-1]
        raise RaybenchError(f"cannot limit a link to {bandwidth_mbit:g} Mbit/s: {said}; take bandwidth_mbit=null")
