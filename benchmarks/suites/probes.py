"""What the gate compares: each probe gives named costs (the smaller the better) of the code on PYTHONPATH.

Run as `python probes.py NAME`; prints JSON. Each value is the least of a few repetitions in one fresh process:
the least is what the code costs, the rest is what the machine adds.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from raybench.clock import now


def least(work: Callable[[], object], times: int) -> float:
    """Give the shortest of so many repetitions, in seconds."""

    def once() -> float:
        began = now()
        work()
        return now() - began

    return min(once() for _ in range(times))


def command_line() -> dict[str, float]:
    from suites.measured import raybench

    return {
        "raybench --help": min(raybench("--help") for _ in range(5)),
        "raybench plan": min(raybench("plan", "study=quick") for _ in range(3)),
    }


def analysis() -> dict[str, float]:
    from raybench import scaling
    from raybench.store import Store
    from suites import made_run

    made = made_run.made_plan(600)
    lines = list(made_run.made_measurements(made))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "measurements.jsonl"

        def write() -> None:
            path.unlink(missing_ok=True)
            store = Store(path)
            for line in lines:
                store.append(line)

        return {
            "planning of 600 measurements": least(lambda: made_run.made_plan(600), 5),
            "store: 600 appended": least(write, 3),
            "store: 600 loaded": least(lambda: Store(path).load(), 5),
            "rows of 600 measurements": least(lambda: scaling.rows(made, lines), 3),
        }


def runner() -> dict[str, float]:
    from suites.measured import measure, own_cost_s, per_task_s

    found = measure(["noop"], ["sequential", "joblib"], blocks=3)
    joblib = found["noop joblib"]
    return {
        "runner: own cost per measurement": own_cost_s([line for lines in found.values() for line in lines]),
        "joblib: dispatch per task": per_task_s(joblib),
        "joblib: start-up and warm-up": min(line.phases.start_up + line.phases.warm_up for line in joblib),
    }


def ray() -> dict[str, float]:
    from suites.measured import measure, per_task_s

    lines = measure(["noop"], ["ray_tasks"], blocks=2)["noop ray_tasks"]
    return {"ray_tasks: dispatch per task": per_task_s(lines)}


PROBES: dict[str, Callable[[], dict[str, float]]] = {
    "command_line": command_line,
    "analysis": analysis,
    "runner": runner,
    "ray": ray,
}

if __name__ == "__main__":
    print(json.dumps(PROBES[sys.argv[1]]()))
