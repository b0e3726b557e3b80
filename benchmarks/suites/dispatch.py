"""What a Ray task costs that does nothing: our dispatch beside Ray's own benchmark loop, warm, in alternating rounds.

PYTHONPATH=benchmarks python -m suites.dispatch [ROUNDS]    prints milliseconds per task of each variant
"""

import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median

import yaml

from raybench.execution.environment import COMMON, LOOPBACK, THREAD_VARIABLES, flags_for
from raybench.model.clock import now

TASKS = 3000
AT_ONCE = 1000  # as `ray microbenchmark` submits them (single client tasks async)
ROUNDS = 5
CONFIG = Path(__file__).resolve().parents[2] / "conf" / "config.yaml"
OURS, UNBOUNDED, RAYS, BARE = "ray_tasks", "ray_tasks unbounded", "Ray's loop", "Ray's loop without arguments"
Seconds = dict[str, list[float]]


def measure(rounds: int) -> Seconds:
    """Return the seconds per task by variant, one for each round; each round has an order of its own."""
    cores = len(os.sched_getaffinity(0))
    flags = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["ray_flags"]
    os.environ.update(COMMON | LOOPBACK | dict.fromkeys(THREAD_VARIABLES, "1") | flags_for(flags, cores))
    found: Seconds = {}
    draw = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="rb-", dir="/tmp") as folder:  # short: Ray's sockets lie in it
        os.environ["RAY_TMPDIR"] = folder
        for number, variants in enumerate(_rounds(rounds + 1, cores)):
            for name in draw.sample(sorted(variants), len(variants)):
                began = now()
                variants[name]()
                if number:  # the first warms up
                    found.setdefault(name, []).append((now() - began) / TASKS)
    return found


def _rounds(count: int, cores: int) -> Iterator[Mapping[str, Callable[[], object]]]:
    """Yield the variants `count` times, on one head with its workers warm."""
    import ray

    from raybench.backends.base import Resources
    from raybench.backends.packing import pack_result, pack_task
    from raybench.backends.ray_tasks import RayTasks
    from raybench.workloads.noop import Noop

    workload = Noop(n=TASKS)
    tasks, data = workload.tasks(0), workload.data(0)
    with RayTasks(Resources(workers=cores)) as ours:
        unbounded = RayTasks(Resources(workers=cores), window="none")
        unbounded._brought = ours._brought  # one bundle: a worker holds the last one only
        results = [*ours.warm(workload, tasks[:1], data), *unbounded.warm(workload, tasks[:1], data)]
        size = len(pack_result(results[-1]))
        same_size = ray.remote(max_calls=0)(lambda asked: bytes(size))
        bare = ray.remote(max_calls=0)(lambda: b"ok")
        token = "0" * 32

        def rays_loop(submit: Callable[[int], object]) -> Callable[[], object]:
            return lambda: [ray.get([submit(i) for i in range(at, at + AT_ONCE)]) for at in range(0, TASKS, AT_ONCE)]

        for _ in range(count):
            yield {
                OURS: lambda: ours.run(workload, tasks, data),
                UNBOUNDED: lambda: unbounded.run(workload, tasks, data),
                RAYS: rays_loop(lambda i: same_size.remote(pack_task(token, tasks[i], None))),
                BARE: rays_loop(lambda i: bare.remote()),
            }


class Dispatch:
    """Milliseconds per empty task, and times what Ray's own loop takes with our arguments and result size."""

    timeout = 600
    params = [OURS, UNBOUNDED, RAYS, BARE]
    param_names = ["variant"]

    def setup_cache(self) -> Seconds:
        return measure(ROUNDS)

    def track_per_task(self, found: Seconds, variant: str) -> float:
        return 1e3 * min(found[variant])

    def track_of_rays_loop(self, found: Seconds, variant: str) -> float:
        return ratio(found, variant)

    track_per_task.unit = "ms/task"
    track_of_rays_loop.unit = "times Ray's loop"


def ratio(found: Seconds, variant: str) -> float:
    """Return the median over rounds of a variant's time by that of Ray's loop in the same round."""
    return median(mine / its for mine, its in zip(found[variant], found[RAYS], strict=True))


if __name__ == "__main__":
    measured = measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
    for name, seconds in measured.items():
        rounds = " ".join(f"{1e3 * of:.2f}" for of in seconds)
        print(f"{name:30} {1e3 * median(seconds):.2f} ms  {ratio(measured, name):.2f} x Ray's loop  rounds: {rounds}")
