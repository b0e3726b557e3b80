"""Tasks that ask for GPUs and queue for those there are; the stamps prove that they did queue."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost

from raybench.model.clock import pause
from raybench.model.errors import BadSettings, WrongAnswer
from raybench.model.measurement import Details, GpuUse, Progress, Task, TaskResult
from raybench.workloads.answers import demand_equal
from raybench.workloads.base import Workload, spawn_seeds, threads

DEVICES = ("logical", "cuda", "cpu")  # cpu: the code of `cuda` where there is no GPU, for its tests
LEVELS = 64  # values of a feature: fewer than bins, so that both devices bin alike
FEATURES = 8
TEST_ROWS = 64
TOLERANCE = 0.5  # between devices, in standard deviations of the target: sums of floats differ in order


@dataclass(frozen=True, kw_only=True)
class GpuQueue(Workload):
    """Run `count` tasks of which each holds `gpus_per_task` of `gpus` GPUs; a fraction shares one.

    device : `logical`: the GPUs are numbers in the scheduler's books, a task waits `task_s` and squares its number;
        `cuda`: a task fits XGBoost on the GPU it was given.
    A backend that grants GPUs reads `gpus_per_task`. `gpus` must be what the cell grants.
    """

    gpus: int
    gpus_per_task: float
    count: int
    device: str = "logical"
    task_s: float = 0.05
    rows: int = 10_000
    rounds: int = 50

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise BadSettings(f"gpu_queue: device {self.device!r} does not exist; choose from {', '.join(DEVICES)}")
        if not 0 < self.gpus_per_task <= self.gpus:
            raise BadSettings(f"gpu_queue: a task asks for {self.gpus_per_task} GPUs, the cell has {self.gpus}")

    def tasks(self, seed: int) -> list[Task]:
        return [Task(index=i, params={"number": i, "learning_rate": 0.1 + 0.01 * i}) for i in range(self.count)]

    def data(self, seed: int) -> dict[str, npt.NDArray[np.float32]]:
        """Draw a table of whole-numbered features; none for logical GPUs. x : (rows, 8), y : (rows,) float32."""
        if self.device == "logical":
            return {}
        rng = np.random.default_rng(spawn_seeds(seed, 1, stream=2)[0])
        x = rng.integers(0, LEVELS, size=(self.rows + TEST_ROWS, FEATURES)).astype(np.float32)
        y = ((x[:, 0] * x[:, 1] / LEVELS + x[:, 2] - x[:, 3]) / 30.0).astype(np.float32)
        return {"x": x[: self.rows], "y": y[: self.rows], "x_test": x[self.rows :]}

    def run(self, task: Task, context: Mapping[str, npt.NDArray[np.float32]]) -> Iterator[Progress]:
        if self.device == "logical":
            pause(self.task_s)
            yield Progress(answer=task.params["number"] ** 2)
        else:
            yield Progress(answer=self._fit(task, context, self.device))

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Compare the answers (cuda: with a fit on the CPU), then prove from the stamps that the tasks queued."""
        if self.device == "logical":
            demand_equal("gpu_queue", results, [t.params["number"] ** 2 for t in tasks])
        else:
            data = self.data(seed)
            for task, result in zip(tasks, results, strict=True):
                off = _distance(result.answer, self._fit(task, data, "cpu"))
                if not off <= TOLERANCE:
                    raise WrongAnswer(f"gpu_queue: task {task.index} predicts {off:.3g} away from the CPU's fit")
        slots = int(self.gpus / self.gpus_per_task + 1e-9)
        if most_at_once(results) > slots:
            raise WrongAnswer(
                f"gpu_queue: {most_at_once(results)} tasks ran at once, {self.gpus} GPUs allow {slots} tasks of"
                f" {self.gpus_per_task}; choose a backend that grants GPUs"
            )

    def warm_up(self, seed: int) -> list[Task]:
        return self.tasks(seed)[:1]

    def details(self, tasks: Sequence[Task], results: Sequence[TaskResult]) -> Details:
        """Name most tasks at once and the kind of GPU; the nodes stand in the measurement itself."""
        devices = "LOGICAL" if self.device == "logical" else self.device
        return Details(gpu=GpuUse(devices=devices, most_at_once=most_at_once(results)))

    def _fit(self, task: Task, data: Mapping[str, npt.NDArray[np.float32]], device: str) -> npt.NDArray[np.float32]:
        """Fit and predict the test rows. (64,) float32."""
        params = {
            "device": device,
            "tree_method": "hist",
            "max_depth": 4,
            "learning_rate": task.params["learning_rate"],
            "nthread": threads(),
        }
        model = xgboost.train(params, xgboost.DMatrix(data["x"], data["y"]), num_boost_round=self.rounds)
        return np.asarray(model.predict(xgboost.DMatrix(data["x_test"])), dtype=np.float32)


def most_at_once(results: Sequence[TaskResult]) -> int:
    """Count the most tasks that ran at the same time; one that ends as another starts is not at the same time."""
    events = sorted([(r.started, 1) for r in results] + [(r.ended, -1) for r in results])
    return int(np.max(np.cumsum([step for _, step in events]), initial=0))


def _distance(answer: Any, right: npt.NDArray[np.float32]) -> float:
    """Return the largest difference; infinite where the answer is no array of the same shape."""
    if not isinstance(answer, np.ndarray) or answer.shape != right.shape:
        return float("inf")
    return float(np.max(np.abs(answer - right)))
