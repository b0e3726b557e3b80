"""scikit-learn's HalvingRandomSearchCV over the given configurations, its fits in joblib's loky processes.

Halving is synchronous, and each iteration fits its survivors anew, from their first step: that is this peer's price.
"""

import functools
import math
import os
import pickle
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import joblib
import numpy as np
import sklearn
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.base import BaseEstimator
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  without it the next import fails
from sklearn.model_selection import HalvingRandomSearchCV

from raybench.backends.asha import run_trial, rungs_of
from raybench.backends.base import Backend, Resources, in_order
from raybench.backends.joblib_loky import Loky, load_bundle
from raybench.backends.worker_side import Brought, prepare_once
from raybench.model.errors import BackendFailed
from raybench.model.measurement import Details, Point, SearchWork, Task, TaskResult
from raybench.workloads.base import Workload

ROWS = np.zeros((2, 1))  # a search must have rows and a split of them; the tasks bring their own data
ONE_SPLIT = [([0], [1])]
WORST = -sys.float_info.max  # of a fit with no loss, or NaN: last, and finite, as scikit-learn warns of all else


@dataclass(frozen=True, slots=True, kw_only=True)
class Bag:
    """What a fit must know beside its configuration. path : of the bundle; last : the last iteration's resource."""

    path: str
    tasks: tuple[Task, ...]
    rungs: tuple[int, ...]
    last: int


@functools.lru_cache(maxsize=1)
def open_bundle(folder: str) -> Bag:
    """Read the bag that the driver wrote, once in this process."""
    bag: Bag = pickle.loads((Path(folder) / "bag").read_bytes())
    return bag


class Trial(BaseEstimator):
    """A task as scikit-learn sees it: `fit` runs it from its first step, `score` is its loss, to be made large.

    folder : of the bag; place : of the task in it; resource : steps to run, in the last iteration the full budget.
    The result is too large for a score: it is left in the folder.
    """

    def __init__(self, folder: str = "", place: int = 0, resource: int = 1) -> None:
        self.folder = folder
        self.place = place
        self.resource = resource

    def fit(self, X: Any, y: Any = None) -> Self:
        bag = open_bundle(self.folder)
        bundle = load_bundle(bag.path)
        goes_on = functools.partial(_goes_on, resource=self.resource, last=bag.last)
        result = run_trial(bundle.workload, bag.tasks[self.place], prepare_once(bundle), goes_on, bag.rungs)
        fit_file(self.folder, self.place, self.resource).write_bytes(pickle.dumps(result))
        self.score_ = WORST if result.loss is None or math.isnan(result.loss) else -result.loss
        return self

    def score(self, X: Any, y: Any = None) -> float:
        return self.score_


def _goes_on(rung: int, _loss: float, *, resource: int, last: int) -> bool:
    return rung < resource or resource == last


def fit_file(folder: str, place: int, resource: int) -> Path:
    """Name the file of a fit's result."""
    return Path(folder) / f"{place}-{resource}"


class LentLoky(Loky):
    """The pool of `joblib_loky`, lent to the Parallel that scikit-learn makes for itself."""

    @property
    def n_jobs(self) -> int:
        """Jobs to ask for; one would be replaced by a loop, see `LokyPool`."""
        return max(2, self.workers)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let a Parallel made within the block run on these workers; BackendFailed where one is lost."""
        try:
            # Settings other than those of `open` would start other workers.
            with joblib.parallel_config(backend=self._pool, temp_folder=self.folder, mmap_mode="r"):
                yield
        except TerminatedWorkerError as error:
            raise BackendFailed(f"a loky worker was lost: {' '.join(str(error).split())}") from error


class SklearnHalving(Backend):
    """Let HalvingRandomSearchCV draw each configuration once and halve the bag from rung to rung.

    Resources are the workload's rungs, from the first on. There are as many iterations as leave fewer than
    `reduction_factor` candidates; those of the last one run to their full budgets, so that a winner is fully trained.
    `details.search` has what all fits together ran: the results' own steps do not count what was run again.
    """

    def __init__(self, resources: Resources, *, reduction_factor: int = 3) -> None:
        super().__init__(resources)
        self.reduction_factor = reduction_factor
        self._loky = LentLoky(resources.workers, batch_size="auto")
        self._brought = Brought[str](self._loky.write)

    def version(self) -> str:
        return f"scikit-learn {sklearn.__version__} HalvingRandomSearchCV, joblib {joblib.__version__} loky"

    def __enter__(self) -> Self:
        self._loky.open(self.start_parts)
        return self

    def run(self, workload: Workload, tasks: Sequence[Task], data: Any) -> list[TaskResult]:
        if not tasks:
            return []
        path = self._brought(workload, data)
        rungs = rungs_of(workload, tasks, reduction_factor=self.reduction_factor)
        first = rungs[0] if rungs else 1
        last = first * self.reduction_factor ** (iterations(rungs, tasks, reduction_factor=self.reduction_factor) - 1)
        folder = tempfile.mkdtemp(dir=self._loky.folder)
        bag = Bag(path=path, tasks=tuple(tasks), rungs=rungs, last=last)
        (Path(folder) / "bag").write_bytes(pickle.dumps(bag))
        search = HalvingRandomSearchCV(
            Trial(folder=folder),
            {"place": list(range(len(tasks)))},  # of a list it draws without replacement
            n_candidates=len(tasks),
            factor=self.reduction_factor,
            resource="resource",
            min_resources=first,
            max_resources=last,
            cv=ONE_SPLIT,
            refit=False,
            error_score="raise",
            return_train_score=False,
            random_state=0,
            n_jobs=self._loky.n_jobs,
        )
        with self._loky.lent():
            search.fit(ROWS)
        if search.n_resources_[-1] != last:
            raise BackendFailed(f"scikit-learn ended at {search.n_resources_[-1]} steps, the last rung here is {last}")
        return self._joined(tasks, folder, search.cv_results_["params"])

    def _joined(self, tasks: Sequence[Task], folder: str, ran: Sequence[dict[str, int]]) -> list[TaskResult]:
        """Read the fits that the search says it ran, and join those of each task."""
        fits: dict[int, list[TaskResult]] = {}
        for candidate in ran:
            file = fit_file(folder, candidate["place"], candidate["resource"])
            if not file.exists():
                raise BackendFailed(f"no result was left by task {tasks[candidate['place']].index}")
            result: TaskResult = pickle.loads(file.read_bytes())
            if result.pid == os.getpid():
                raise BackendFailed("asked for loky, scikit-learn ran its fits in the driver")
            fits.setdefault(result.index, []).append(result)
        every = [fit for of in fits.values() for fit in of]
        whole = {index: join_fits(of) for index, of in fits.items()}
        steps_run = sum(fit.steps for fit in every)
        search = SearchWork(
            fits=len(every),
            steps_run=steps_run,
            steps_repeated=steps_run - sum(result.steps for result in whole.values()),
            busy_s=sum(fit.ended - fit.started for fit in every),
        )
        self.details = Details(search=search)
        seen = [fit.seen for fit in every if fit.seen is not None]  # two fits of one task may be two workers' first
        return [replace(result, seen=seen.pop(0) if seen else None) for result in in_order(tasks, whole)]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loky.close(error)


def iterations(rungs: Sequence[int], tasks: Sequence[Task], *, reduction_factor: int) -> int:
    """Count the iterations: as many as scikit-learn wants, but at most one per rung and one for the full budget."""
    top = max(task.steps or 0 for task in tasks)
    levels = 1 + sum(rung < top for rung in rungs)
    return min(levels, 1 + math.floor(math.log(len(tasks), reduction_factor)))  # rounded as scikit-learn rounds it


def join_fits(fits: Sequence[TaskResult]) -> TaskResult:
    """Join the fits of one task, in their order: the last one's result, from the first one's start on.

    A step count that several fits reached is reported where it was first known. tries : the number of fits.
    """
    points: dict[int, Point] = {}
    for fit in fits:
        for point in fit.points:
            points.setdefault(point.steps, point)
    return replace(fits[-1], started=fits[0].started, points=tuple(points.values()), tries=len(fits))
