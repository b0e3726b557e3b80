"""What each backend costs on tasks that do nothing, and what the runner adds; measured once per commit."""

from itertools import pairwise
from statistics import median

from raybench.model.measurement import Measurement
from suites.measured import measure, own_cost_s, per_task_s

BACKENDS = ["sequential", "joblib", "ray_tasks", "ray_tasks_cold"]
BLOCKS = 2
LADDER = tuple(f"workload.granularity.{size}" for size in ("work=524288", "tasks_per_bag=40", "halvings=9"))  # 0.12 s
TRIALS = ("workload.xgb_hpo_friedman.configurations=12",)
Found = dict[str, list[Measurement]]


class Backend:
    """Figures from one small study: all cores, two blocks, the least of them."""

    params = BACKENDS
    param_names = ["backend"]
    timeout = 900

    def setup_cache(self) -> Found:
        return measure(["noop"], BACKENDS, blocks=BLOCKS)

    def track_dispatch(self, found: Found, backend: str) -> float:
        return 1e6 * per_task_s(found[f"noop {backend}"])

    def track_start_up(self, found: Found, backend: str) -> float:
        return min(line.phases.start_up for line in found[f"noop {backend}"])

    def track_warm_up(self, found: Found, backend: str) -> float:
        return min(line.phases.warm_up for line in found[f"noop {backend}"])

    def track_shutdown(self, found: Found, backend: str) -> float:
        return min(line.phases.shutdown for line in found[f"noop {backend}"])

    def track_peak_memory(self, found: Found, backend: str) -> float:
        peaks = [line.peak_rss_bytes for line in found[f"noop {backend}"]]
        return min(peak for peak in peaks if peak is not None) / 2**20

    track_dispatch.unit = "us/task"
    track_start_up.unit = "seconds"
    track_warm_up.unit = "seconds"
    track_shutdown.unit = "seconds"
    track_peak_memory.unit = "MiB"


class Runner:
    """Seconds that the runner adds to a measurement, beyond all phases of its child."""

    timeout = 300

    def track_own_cost(self) -> float:
        return own_cost_s(measure(["noop"], ["sequential"], blocks=6)["noop sequential"])

    track_own_cost.unit = "s/measurement"


def gaps(line: Measurement) -> list[float]:
    """List the seconds between a worker's consecutive tasks."""
    by_worker: dict[int, list[tuple[float, float]]] = {}
    for task in sorted(line.tasks, key=lambda task: task.started):
        by_worker.setdefault(task.worker, []).append((task.started, task.ended))
    return [after[0] - before[1] for spans in by_worker.values() for before, after in pairwise(spans)]


class Tune:
    """Ray Tune on a tiny search: until the first trial works, and what a worker waits for the next one."""

    timeout = 600

    def setup_cache(self) -> Found:
        return measure(["xgb_hpo_friedman"], ["ray_tune_fifo"], blocks=2, sizes=TRIALS)

    def track_time_to_first_trial(self, found: Found) -> float:
        return min(min(task.started for task in line.tasks) for line in found["xgb_hpo_friedman ray_tune_fifo"])

    def track_cost_per_trial(self, found: Found) -> float:
        return min(median(gaps(line)) for line in found["xgb_hpo_friedman ray_tune_fifo"])

    track_time_to_first_trial.unit = "seconds"
    track_cost_per_trial.unit = "s/trial"


class Efficiency:
    """Efficiency at fixed task lengths, from one ladder per backend: the neighbourhood of METG."""

    params = [["joblib", "ray_tasks"], [0.001, 0.01, 0.1]]
    param_names = ["backend", "task length (s)"]
    timeout = 900

    def setup_cache(self) -> Found:
        return measure(["granularity"], self.params[0], blocks=1, sizes=LADDER)

    def track_efficiency(self, found: Found, backend: str, length_s: float) -> float:
        (line,) = found[f"granularity {backend}"]
        point = min(line.sweep, key=lambda p: abs(p.busy_s / p.tasks - length_s))
        return point.busy_s / (point.wall_s * point.workers)

    track_efficiency.unit = "busy share"
