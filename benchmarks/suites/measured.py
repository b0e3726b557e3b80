"""Real measurements in a folder of their own, taken through the command line, as a user would take them."""

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from raybench.model.clock import now
from raybench.model.measurement import Measurement
from raybench.model.plan import Status
from raybench.store.store import MEASUREMENTS, Store

LIMIT_S = 600


def cached(environment: Mapping[str, str]) -> dict[str, str]:
    """Let processes keep bytecode: else each of them would compile all it imports, and that would be timed."""
    return {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}


def raybench(*words: str) -> float:
    """Run a verb in a fresh process and give the seconds that its user waits."""
    began = now()
    done = subprocess.run(
        [sys.executable, "-m", "raybench.cli", *words],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        cwd=tempfile.gettempdir(),
        env=cached(os.environ) | {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"},
    )
    if done.returncode:
        raise RuntimeError(f"raybench {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return now() - began


def study(
    reports: Path, workloads: Sequence[str], backends: Sequence[str], *, blocks: int, sizes: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the words that measure these cells, all cores, tiny sizes but for `sizes`, without a report."""
    return (
        "run",
        "study=smoke",
        f"workloads=[{','.join(workloads)}]",
        f"backends=[{','.join(backends)}]",
        f"blocks={blocks}",
        "budget_min=30",
        f"reports={reports}",
        "--no-report",
        *sizes,
    )


def measurements(reports: Path) -> list[Measurement]:
    """Read what was measured there."""
    (path,) = reports.glob(f"raw/*/*/*/{MEASUREMENTS}")
    return good(path)


def good(path: Path) -> list[Measurement]:
    """Read a file of measurements; a failed one is an error here."""
    found = Store(path).load().measurements
    for line in found:
        if line.status not in (Status.OK, Status.DISTURBED):
            raise RuntimeError(f"cell {line.cell}: {line.status}: {line.reason}")
    return list(found)


def measure(
    workloads: Sequence[str], backends: Sequence[str], *, blocks: int, sizes: Sequence[str] = ()
) -> dict[str, list[Measurement]]:
    """Measure and give the lines by `workload backend`. sizes : overrides of tiny ones."""
    from raybench.store.store import read_plan

    with tempfile.TemporaryDirectory(prefix="raybench-asv-") as folder:
        raybench(*study(Path(folder), workloads, backends, blocks=blocks, sizes=sizes))
        (run,) = Path(folder).glob("raw/*/*/*")
        names = {cell.key: f"{cell.workload.name} {cell.backend.name}" for cell in read_plan(run).cells}
        found: dict[str, list[Measurement]] = {}
        for line in measurements(Path(folder)):
            found.setdefault(names[line.cell], []).append(line)
    return found


def own_cost_s(lines: Sequence[Measurement]) -> float:
    """Return the runner's own seconds per measurement: from one start to the next, less the child's phases."""
    in_order = sorted(lines, key=lambda line: line.index)
    return median(b.began - a.began - inside_s(a) for a, b in itertools.pairwise(in_order))


def inside_s(line: Measurement) -> float:
    """Sum up all phases of a child."""
    return line.phases.cold + line.phases.data + line.phases.check


def per_task_s(lines: Sequence[Measurement]) -> float:
    """Return the smallest makespan per task: what is left when nothing else disturbed it."""
    return min(line.phases.makespan / len(line.tasks) for line in lines)
