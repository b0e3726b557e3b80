"""What runs in a trial's actor: the class that pulls a rung per step, and the function of the tutorials."""

from raybench.backends.ray_tune_loading import LOADING  # the stamp comes first

# isort: split
import os
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ray import tune

from raybench.backends.base import finish_task
from raybench.backends.worker_side import Bundle, failed_result, prepare_once
from raybench.model.clock import now, pause
from raybench.model.errors import BackendFailed
from raybench.model.measurement import Point, Progress, Task, TaskResult, WorkerSeen
from raybench.system.kernel import THIS

LOADED = now()

GATE_S = 5.0  # actors of one fit were up within 0.2 s of each other on two quiet cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Bag:
    """What a trial actor is given once, through the object store or with the trainable's code."""

    bundle: Bundle
    tasks: tuple[Task, ...]
    every_rung: bool  # report at each rung, else only at the end of a trial
    gate: str = ""  # folder in which the actors wait for each other; '' where they do not
    actors: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """Stamps of how an actor came up, in seconds of `clock.now`; None where the kernel does not say."""

    process: float | None
    loading: float
    loaded: float
    setup: float
    ready: float


class Trial(tune.Trainable):
    """One task as a trial: a step pulls the workload's generator to its next rung.

    The actor may live through many trials; data are prepared with its first one. Each report carries the result so
    far, so that a trial stopped early leaves its points, and how the actor came up.
    """

    _progress: Generator[Progress, None, None]
    _began: float | None
    _seen: WorkerSeen | None

    def setup(self, config: dict[str, Any], bag: Bag) -> None:
        setup = now()
        self._bag = bag
        self._begin(config)
        if bag.gate:
            wait_for_others(Path(bag.gate), bag.actors)
        self._coming = Coming(process=process_began(), loading=LOADING, loaded=LOADED, setup=setup, ready=now())

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._progress.close()
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        began = self._began if self._began is not None else now()
        self._began = began
        try:
            outcome = self._pull(began)
        except Exception as error:  # noqa: BLE001  a task may raise anything; `failed` raises unless that is data
            outcome = failed_result(self._workload, self._task, error, started=began)
        self._seen = self._seen or outcome.seen
        outcome = replace(outcome, seen=self._seen)
        whole = self._task.steps is None or outcome.steps >= self._task.steps or bool(outcome.error)
        return {
            "steps": outcome.steps,
            "loss": outcome.loss,
            "outcome": outcome,
            "coming": self._coming,
            "done": whole,
        }

    def cleanup(self) -> None:
        self._progress.close()

    def _begin(self, config: dict[str, Any]) -> None:
        self._task = self._bag.tasks[config["index"]]
        self._workload = self._bag.bundle.workload
        self._progress = self._run()
        self._points: list[Point] = []
        self._began = None
        self._seen = None

    def _run(self) -> Generator[Progress, None, None]:
        yield from self._workload.run(self._task, prepare_once(self._bag.bundle))

    def _pull(self, began: float) -> TaskResult:
        for progress in self._progress:
            self._points.append(Point(steps=progress.steps, loss=progress.loss, at=now()))
            if self._bag.every_rung:
                break
        else:
            if not self._points or self._bag.every_rung:
                raise BackendFailed(f"task {self._task.index} ended before its full budget of {self._task.steps} steps")
        return finish_task(self._task, progress, self._points, started=began)


def train(config: dict[str, Any], bag: Bag) -> None:
    """Run one task as the tutorials do: prepare its data, report whenever there is something to report."""
    started = now()
    task, workload = bag.tasks[config["index"]], bag.bundle.workload
    points: list[Point] = []
    for progress in workload.run(task, workload.prepare(bag.bundle.data)):
        points.append(Point(steps=progress.steps, loss=progress.loss, at=now()))
        outcome = finish_task(task, progress, points, started=started)
        tune.report({"steps": outcome.steps, "loss": outcome.loss, "outcome": outcome})


def by_reference(kind: str, bag: Bag) -> Any:
    """Build the trainable, `class` or `function`, that fetches its bag from the object store."""
    return tune.with_parameters(Trial if kind == "class" else train, bag=bag)


def with_its_bag(kind: str, bag: Bag) -> type[Trial] | Callable[[dict[str, Any]], None]:
    """Build the trainable, `class` or `function`, that captures its bag: it travels with the code to each actor."""

    class Carrying(Trial):
        def setup(self, config: dict[str, Any]) -> None:  # type: ignore[override]
            super().setup(config, bag=bag)

    def objective(config: dict[str, Any]) -> None:
        train(config, bag)

    return Carrying if kind == "class" else objective


def wait_for_others(gate: Path, actors: int) -> None:
    """Hold this actor until all have started, at most GATE_S.

    Else the first one up runs all of a short bag alone, while the fit waits for the others' start all the same.
    """
    (gate / f"up-{os.getpid()}").touch()
    until = now() + GATE_S
    while len(list(gate.glob("up-*"))) < actors and now() < until:
        pause(0.005)


def process_began() -> float | None:
    """Return the stamp at which the kernel started this process, to 10 ms; None where it does not say."""
    stat, uptime = THIS.text("/proc/self/stat"), THIS.text("/proc/uptime")
    if not stat or not uptime:
        return None
    ticks = int(stat.rpartition(")")[2].split()[19])  # field 22, counted from the one after the name in brackets
    age_s = float(uptime.split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
    return now() - age_s if age_s >= 0 else None  # below 0: the uptime is a container's, the start the machine's
