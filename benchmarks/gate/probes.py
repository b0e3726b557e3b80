"""What the gate compares: each probe gives named costs (the smaller the better) of the code on PYTHONPATH.

Run as `python probes.py NAME`; prints JSON, and where raybench lies. Whatever takes milliseconds is the least of a
few repetitions in one fresh process: the least is what the code costs, the rest is what the machine adds.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import raybench
from raybench.analysis.dataset import Dataset
from raybench.model.clock import now

if TYPE_CHECKING:
    from raybench.model.measurement import Measurement

SIZE = 200  # measurements of the made run


def least(work: Callable[[], object], times: int) -> float:
    """Return the shortest of so many repetitions, in seconds."""

    def once() -> float:
        began = now()
        work()
        return now() - began

    return min(once() for _ in range(times))


def command_line() -> dict[str, float]:
    from suites.measured import raybench

    return {"raybench --help": min(raybench("--help") for _ in range(3))}


def analysis() -> dict[str, float]:
    from raybench.analysis import speedup
    from raybench.store.store import Store
    from suites import made_run

    made = made_run.made_plan(SIZE)
    lines = list(made_run.made_measurements(made))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "measurements.jsonl"

        def write() -> None:
            path.unlink(missing_ok=True)
            store = Store(path)
            for line in lines:
                store.append(line)

        return {
            f"planning of {SIZE} measurements": least(lambda: made_run.made_plan(SIZE), 5),
            f"store: {SIZE} appended": least(write, 3),
            f"store: {SIZE} loaded": least(lambda: Store(path).load(), 5),
            f"rows of {SIZE} measurements": least(lambda: speedup.rows(Dataset(made, lines)), 3),
        }


def runner() -> dict[str, float]:
    began = now()
    from raybench.config import settings
    from raybench.execution import run_folder

    run_folder.plan_study(settings.load(["study=quick"]))
    planned_s = now() - began
    found, own_s = measure("sequential", "joblib")
    (joblib,) = [line for line in found if len(line.workers_seen) > 1]
    return {
        "quick study: imports and plan": planned_s,
        "runner: own cost per measurement": own_s,
        "joblib: dispatch per task": joblib.phases.makespan / len(joblib.tasks),
        "joblib: start-up": joblib.phases.start_up,
        "joblib: warm-up": joblib.phases.warm_up,
    }


def ray() -> dict[str, float]:
    (line,), _ = measure("ray_tasks")
    return {
        "ray_tasks: dispatch per task": line.phases.makespan / len(line.tasks),
        "ray_tasks: start-up": line.phases.start_up,
        "ray_tasks: warm-up": line.phases.warm_up,
    }


def measure(*backends: str) -> tuple[list["Measurement"], float]:
    """Measure tasks that do nothing, once on all cores; with the runner's own seconds per measurement.

    No fingerprint of the machine is taken: it costs more than the measurements do, and is not what is asked.
    """
    from raybench.config import settings
    from raybench.execution import run_folder
    from raybench.execution.budget import Budget
    from raybench.execution.runner import Runner, jobs_in_order
    from suites.measured import good, inside_s

    words = ["study=smoke", "workloads=[noop]", f"backends=[{','.join(backends)}]"]
    jobs = jobs_in_order(run_folder.plan_study(settings.load(words)))
    with tempfile.TemporaryDirectory(prefix="raybench-gate-") as folder:
        began = now()
        with Runner(Path(folder), observe=lambda event: None) as runner:
            runner.run(jobs, Budget(seconds=600))
        wall_s = now() - began
        lines = good(Path(folder) / "measurements.jsonl")
    return lines, (wall_s - sum(inside_s(line) for line in lines)) / len(lines)


PROBES: dict[str, Callable[[], dict[str, float]]] = {
    "command_line": command_line,
    "analysis": analysis,
    "runner": runner,
    "ray": ray,
}

if __name__ == "__main__":
    print(json.dumps({"raybench": raybench.__file__, "seconds": PROBES[sys.argv[1]]()}))
