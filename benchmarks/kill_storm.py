"""Kill a run at random moments, again and again, and look at what is left: `python benchmarks/kill_storm.py`.

Each round starts `raybench run` where the last one was killed. Nothing that was measured may be lost or doubled, and
after the next start no process, no folder and no semaphore of a killed runner may be left. Prints one line a round
and a summary; exit code 1 where anything was lost, doubled or left.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from raybench.execution.leftovers import list_folders
from raybench.model.clock import pause
from raybench.system import process_tree

TOYS = Path(__file__).parents[1] / "tests" / "toys"
MEMORY = Path("/dev/shm")
GIVE_UP_S = 600.0


@dataclass
class Storm:
    """What was seen so far."""

    place: Path
    blocks: int
    backends: str
    kills: int = 0
    lost: int = 0
    doubled: int = 0
    measured: int = 0
    known: set[Path] = field(default_factory=lambda: set(MEMORY.glob("*")) if MEMORY.is_dir() else set())
    study: int = 0

    @property
    def reports(self) -> Path:
        """Where the run of now writes; a study that is complete makes way for the next."""
        return self.place / f"study{self.study}"

    @property
    def temporary(self) -> Path:
        """The temporary folder of every round, so that what is left in it is ours."""
        return self.place / "t"

    def start(self) -> subprocess.Popen[bytes]:
        """Start a run, or go on with one."""
        command = [
            *(sys.executable, "-m", "raybench.cli", "run", "--no-report", "--conf", str(TOYS), "study=smoke"),
            *("workloads=[toy_none]", f"backends={self.backends}", "cpus=[1]", f"blocks={self.blocks}"),
            f"reports={self.reports}",
        ]
        paths = os.pathsep.join([str(TOYS.parent), *(path for path in sys.path if path)])
        environ = os.environ | {"PYTHONPATH": paths, "TMPDIR": str(self.temporary)}
        return subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)

    def lines(self) -> list[dict[str, object]]:
        """Read what has been measured of this study, whole lines only."""
        found = []
        for file in self.reports.rglob("measurements.jsonl"):
            found += [json.loads(line) for line in file.read_bytes().split(b"\n")[:-1]]
        return found

    def check(self, before: list[dict[str, object]]) -> list[dict[str, object]]:
        """Compare the lines with those before the round; count what is lost or doubled."""
        after = self.lines()
        self.lost += sum(line not in after for line in before)
        parts = ("kind", "cell", "block", "replica", "attempt", "round")
        keys = Counter(tuple(line.get(part) for part in parts) for line in after)
        self.doubled += sum(count - 1 for count in keys.values())
        self.measured += len(after) - len(before)
        return after

    def left(self) -> list[str]:
        """List what dead runners have left."""
        files = (set(MEMORY.glob("raybench.*")) | set(MEMORY.glob("sem.loky-*"))) - self.known
        return [
            *(f"process {process.pid}" for process in process_tree.list_orphans()),
            *map(str, files),
            *map(str, self.temporary.iterdir()),
        ]


def main() -> int:
    """Run the storm; return 1 where something was lost, doubled or left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--longest", type=float, default=10.0, help="seconds from a start to its kill, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--backends", default="[sequential,joblib,ray_tasks]")
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    with tempfile.TemporaryDirectory(prefix="storm-") as place:
        storm = Storm(place=Path(place), blocks=8, backends=asked.backends)
        storm.temporary.mkdir()
        while storm.kills < asked.rounds:
            one_round(storm, rng.uniform(0.5, asked.longest))
        before = storm.lines()
        last = storm.start().wait(timeout=GIVE_UP_S)
        storm.check(before)
        left = [*storm.left(), *map(str, list_folders())]
    print(
        f"{storm.kills} kills, {storm.measured} lines in {storm.study + 1} studies: {storm.lost} lost, "
        f"{storm.doubled} doubled, {len(left)} left after the next start; its exit code: {last}"
    )
    for name in left:
        print(f"left: {name}")
    return int(bool(storm.lost or storm.doubled or left or last))


def one_round(storm: Storm, seconds: float) -> None:
    """Start, kill after so many seconds unless it ends before, compare the lines.

    The seconds of a new run count from its first line.
    """
    before = storm.lines()
    process = storm.start()
    while not (before or storm.lines() or process.poll() is not None):  # a new run looks at the machine first
        pause(0.1)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        storm.kills += 1
    after = storm.check(before)
    print(f"{storm.kills}: {seconds:.1f} s, {len(after)} lines, exit {process.returncode}", flush=True)
    if process.returncode == 0:
        storm.study += 1


if __name__ == "__main__":
    sys.exit(main())
