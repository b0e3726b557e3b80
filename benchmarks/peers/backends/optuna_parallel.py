"""Optuna: one study over the given configurations, its own successive-halving pruner, threads as workers."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import optuna

from raybench.backends.asha import rungs_of
from raybench.backends.base import Backend, Resources, in_order
from raybench.backends.worker_session import TaskRun, WorkerSession
from raybench.backends.worker_side import Brought, Bundle, failed_result, prepare_once
from raybench.model.errors import RaybenchError
from raybench.model.measurement import Task, TaskResult
from raybench.workloads.base import Workload


class OptunaParallel(Backend):
    """Run each configuration as a trial of `study.optimize(n_jobs=P)`; the pruner stops the worse ones at rungs.

    Workers are threads of the driver, named by their thread ids; data are prepared once.
    """

    def __init__(self, resources: Resources, *, reduction_factor: int = 3) -> None:
        super().__init__(resources)
        self.reduction_factor = reduction_factor
        self._brought = Brought[Bundle](lambda bundle: bundle)
        self._session = WorkerSession(by_thread=True)
        optuna.logging.set_verbosity(optuna.logging.WARNING)

    def version(self) -> str:
        return f"optuna {optuna.__version__}"

    def warm(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        """Prepare and run tiny trials; the threads are new in every study, so none of them is kept warm."""
        return self.run(workload, tasks, data)

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        if not tasks:
            return []
        context = prepare_once(self._brought(workload, data))
        rungs = rungs_of(workload, tasks, reduction_factor=self.reduction_factor)
        pruner = (
            optuna.pruners.SuccessiveHalvingPruner(min_resource=rungs[0], reduction_factor=self.reduction_factor)
            if rungs
            else optuna.pruners.NopPruner()
        )
        study = optuna.create_study(direction="minimize", sampler=optuna.samplers.RandomSampler(seed=0), pruner=pruner)
        for place in range(len(tasks)):
            study.enqueue_trial({"place": place})
        results: dict[int, TaskResult] = {}
        failures: list[RaybenchError] = []  # an error in a thread of Optuna's would be logged and lost

        def objective(trial: optuna.Trial) -> float:
            task = tasks[trial.suggest_int("place", 0, max(1, len(tasks) - 1))]
            try:
                result = run_until_pruned(workload, TaskRun(task, self._session), context, trial)
            except RaybenchError as error:
                failures.append(error)
                study.stop()
                raise optuna.TrialPruned from error
            results[task.index] = result
            if task.steps is not None and result.steps < task.steps and not result.error:
                raise optuna.TrialPruned
            return float("inf") if result.loss is None else result.loss

        study.optimize(objective, n_trials=len(tasks), n_jobs=self.resources.workers)
        if failures:
            raise failures[0]
        return in_order(tasks, results)


def run_until_pruned(workload: Workload, run: TaskRun, context: Any, trial: optuna.Trial) -> TaskResult:
    """Run a trial until the pruner stops it, or to its full budget; what it raises is named, or collected."""
    budget = run.task.steps
    try:
        with closing(run.reports(workload, context)) as reports:
            for last in reports:
                if last.loss is not None:
                    trial.report(last.loss, last.steps)
                if (budget is None or last.steps < budget) and trial.should_prune():
                    break
            return run.result()
    except BaseException as error:  # noqa: BLE001  a task may raise anything, and that is data
        failure = error
    return failed_result(workload, run, failure)
