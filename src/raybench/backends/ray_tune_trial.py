"""What runs in a trial's actor: the class that pulls a rung per step, and the function of the tutorials."""

from raybench.backends.ray_tune_loading import LOADING  # the stamp comes first

# isort: split
import os
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune

from raybench.backends.worker_session import TaskRun
from raybench.backends.worker_side import Bundle, failed_result, prepare_once, refuse
from raybench.model.clock import now, pause
from raybench.model.errors import BackendFailed, raised_by
from raybench.model.measurement import Progress, Task, TaskResult
from raybench.system.kernel import THIS

LOADED = now()

GATE_S = 5.0  # actors of one fit were up within 0.2 s of each other on two quiet cores


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTasks:
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

    _reports: Generator[Progress]
    _run: TaskRun | None

    def setup(self, config: dict[str, Any], tasks: TrialTasks) -> None:
        setup = now()
        self._tasks = tasks
        self._begin(config)
        if tasks.gate:
            wait_for_others(Path(tasks.gate), tasks.actors)
        self._coming = Coming(process=process_began(), loading=LOADING, loaded=LOADED, setup=setup, ready=now())

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._reports.close()
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        run = self._run = self._run or TaskRun(self._task)
        try:
            outcome = self._pull(run)
        except BaseException as error:  # noqa: BLE001  a task may raise anything; only its line leaves the actor
            failure = error
        else:
            return self._report(outcome)
        return self._report(failed_result(self._workload, run, failure))

    def _report(self, outcome: TaskResult) -> dict[str, Any]:
        whole = self._task.steps is None or outcome.steps >= self._task.steps or bool(outcome.error)
        return {
            "steps": outcome.steps,
            "loss": outcome.loss,
            "outcome": outcome,
            "coming": self._coming,
            "done": whole,
        }

    def cleanup(self) -> None:
        self._reports.close()

    def _begin(self, config: dict[str, Any]) -> None:
        self._task = self._tasks.tasks[config["index"]]
        self._workload = self._tasks.bundle.workload
        self._run = None
        self._reports = self._report_all()

    def _report_all(self) -> Generator[Progress]:
        assert self._run is not None
        yield from self._run.reports(self._workload, prepare_once(self._tasks.bundle))

    def _pull(self, run: TaskRun) -> TaskResult:
        for _ in self._reports:
            if self._tasks.every_rung:
                break
        else:
            if self._tasks.every_rung:
                raise BackendFailed(f"task {self._task.index} ended before its full budget of {self._task.steps} steps")
        return run.result()


def train(config: dict[str, Any], tasks: TrialTasks) -> None:
    """Run one task as the tutorials do: prepare its data, report whenever there is something to report."""
    task, workload = tasks.tasks[config["index"]], tasks.bundle.workload
    run = TaskRun(task)
    with raised_by("`prepare`"):
        context = workload.prepare(tasks.bundle.data)
    reports = run.reports(workload, context)
    while goes_on(task, reports):  # apart from `report`, by which Tune itself ends a function
        outcome = run.result()
        tune.report({"steps": outcome.steps, "loss": outcome.loss, "outcome": outcome})


def goes_on(task: Task, reports: Generator[Progress]) -> bool:
    """Pull the next report and return whether there is one; what the task raises leaves the actor as a line."""
    try:
        return next(reports, None) is not None
    except BaseException as error:  # noqa: BLE001  a task may raise anything
        failure = error
    refuse(task, failure)


def by_reference(kind: str, tasks: TrialTasks) -> Any:
    """Build the trainable, `class` or `function`, that fetches its tasks from the object store."""
    return tune.with_parameters(Trial if kind == "class" else train, tasks=tasks)


def with_its_tasks(kind: str, tasks: TrialTasks) -> type[Trial] | Callable[[dict[str, Any]], None]:
    """Build the trainable, `class` or `function`, that captures its tasks: they travel with the code to each actor."""

    class Carrying(Trial):
        def setup(self, config: dict[str, Any]) -> None:  # type: ignore[override]
            super().setup(config, tasks=tasks)

    def objective(config: dict[str, Any]) -> None:
        train(config, tasks)

    return Carrying if kind == "class" else objective


def wait_for_others(gate: Path, actors: int) -> None:
    """Hold this actor until all have started, at most GATE_S.

    Else the first one up runs all of a few short tasks alone, while the fit waits for the others' start all the same.
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
