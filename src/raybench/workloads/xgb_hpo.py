"""Tune XGBoost: one task trains one drawn configuration on the insurance data, or on a made table.

A configuration's n_estimators is its budget in steps; the rungs are boosting rounds common to all.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost as xgb
from sklearn.datasets import make_friedman1

from raybench.model.errors import BackendFailed, BadSettings
from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads import files, tuning
from raybench.workloads.base import Workload, granted_device, spawn_seeds, threads
from raybench.workloads.tuning import Answer, Floats, Rows, Split

INSURANCE = "insurance.csv"
CODED = ("sex", "smoker", "region")  # label-encoded in alphabetical order, as the source system does
NUMERIC = ("age", "bmi", "children")
TARGET = "charges"
MADE_SEED = 1991  # a made table is one table, whatever the study's seed
MADE_ROWS = 1338  # as many as the insurance table has
FRIEDMAN_COLUMNS = 10  # of make_friedman1

# The source system's baseline, its published best configuration, and the library's own defaults.
BASELINE = MappingProxyType({"n_estimators": 300, "learning_rate": 0.05, "max_depth": 5, "subsample": 1.0})
DOCUMENTED = MappingProxyType({"n_estimators": 100, "learning_rate": 0.01, "max_depth": 3, "subsample": 0.8})
DEFAULT = MappingProxyType({"n_estimators": 100, "learning_rate": 0.3, "max_depth": 6, "subsample": 1.0})


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrices:
    """What a worker keeps for all its tasks; the labels are those of the validation rows."""

    train: xgb.QuantileDMatrix
    validation: xgb.QuantileDMatrix
    test: xgb.DMatrix
    y_validation: Floats


@dataclass(frozen=True, kw_only=True)
class XgbHpo(Workload):
    """Train `configurations` drawn configurations and choose by validation error.

    source : `insurance`; `made`, a table of its schema; or `friedman`, of which `rows`, `noise` and `test_rows` (upper
        limit) are.
    space : bounds of n_estimators, max_depth (whole), learning_rate (log-uniform) and subsample (uniform).
    device : `cpu`, or `granted`: a GPU where the cell grants one, else the CPU.
    """

    configurations: int
    space: Mapping[str, Sequence[float]]
    rungs: Sequence[int]
    source: str = "insurance"
    rows: int = 0
    noise: float = 1.0
    test_rows: int | None = None
    max_bin: int = 256
    resplits: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.device not in ("cpu", "granted"):
            raise BadSettings(f"xgb_hpo: device {self.device!r} does not exist; choose cpu or granted")
        if self.source not in ("insurance", "made", "friedman"):
            raise BadSettings(f"xgb_hpo: source {self.source!r} does not exist; choose insurance, made or friedman")

    def tasks(self, seed: int) -> list[Task]:
        return [self._drawn(i, child) for i, child in enumerate(spawn_seeds(seed, self.configurations))]

    def data(self, seed: int) -> Rows:
        return self.split(seed).rows

    def prepare(self, data: Rows) -> Matrices:
        options = {"max_bin": self.max_bin, "nthread": threads()}
        train = xgb.QuantileDMatrix(data.x_train, data.y_train, **options)
        return Matrices(
            train=train,
            validation=xgb.QuantileDMatrix(data.x_validation, ref=train, **options),
            test=xgb.DMatrix(data.x_test, nthread=threads()),
            y_validation=data.y_validation,
        )

    def run(self, task: Task, context: Matrices) -> Iterator[Progress]:
        assert task.steps is not None
        options = self._options(task)
        booster = xgb.Booster(options, [context.train, context.validation])
        done = 0
        for stop in tuning.stops(self.rungs, task.steps):
            for step in range(done, stop):
                booster.update(context.train, step)  # the running number: restarting at 0 would grow other trees
            if not done:
                _demand_device(booster, options)
            done = stop
            validation = booster.predict(context.validation)  # cached: adds the new trees only
            loss = tuning.rmse(context.y_validation, validation)
            last = done == task.steps
            answer = {"validation": validation, "test": booster.predict(context.test)} if last else None
            yield Progress(steps=done, loss=loss, answer=answer)

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        tuning.check(self, tasks, results, seed)

    def score(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> dict[str, float]:
        return tuning.score(self, tasks, results, seed)

    def warm_up(self, seed: int) -> list[Task]:
        return [_task(0, {**BASELINE, "n_estimators": 2, "max_depth": 2}, spawn_seeds(seed, 1)[0])]

    def baseline(self, seed: int) -> Task:
        return _task(0, BASELINE, spawn_seeds(seed, 1, stream=tuning.BASELINE)[0])

    def parts(self, seed: int) -> dict[str, tuple[Floats, Floats]]:
        return tuning.parts(self.split(seed))

    def row_errors(self, answer: Answer, seed: int) -> npt.NDArray[np.float64]:
        return tuning.row_errors(self, answer, seed)

    def reference_models(self, seed: int) -> dict[str, Task]:
        children = spawn_seeds(seed, 3, stream=tuning.BASELINE)
        models = {"default": _task(0, DEFAULT, children[1])}
        if self.source == "insurance":
            models["documented"] = _task(0, DOCUMENTED, children[2])
        return models

    def split(self, seed: int) -> Split:
        if self.source == "insurance":
            return tuning.divide(*insurance(), seed)
        if self.source == "made":
            return tuning.divide(*made_insurance(), seed)
        x, y = make_friedman1(n_samples=self.rows, noise=self.noise, random_state=MADE_SEED)
        return tuning.divide(x, y, seed, test_rows=self.test_rows)

    def fit(self, task: Task, x: Any, y: Floats) -> xgb.Booster:
        train = xgb.QuantileDMatrix(x, y, max_bin=self.max_bin, nthread=threads())
        return xgb.train(self._options(task), train, num_boost_round=task.steps)

    def columns(self) -> list[str]:
        return [f"x{i}" for i in range(FRIEDMAN_COLUMNS)] if self.source == "friedman" else [*NUMERIC, *CODED]

    def train_at_once(self, task: Task, rows: Rows) -> Answer:
        booster = self.fit(task, rows.x_train, rows.y_train)
        parts = {"validation": rows.x_validation, "test": rows.x_test}
        return {part: booster.predict(xgb.DMatrix(x, nthread=threads())) for part, x in parts.items()}

    def _drawn(self, index: int, child: np.random.SeedSequence) -> Task:
        rng = np.random.default_rng(child)
        drawn: dict[str, Any] = {
            "n_estimators": tuning.whole(rng, self.space["n_estimators"]),
            "max_depth": tuning.whole(rng, self.space["max_depth"]),
            "learning_rate": tuning.log_between(rng, self.space["learning_rate"]),
            "subsample": tuning.between(rng, self.space["subsample"]),
        }
        return Task(index=index, params={**drawn, "seed": tuning.model_seed(rng)}, steps=drawn["n_estimators"])

    def _options(self, task: Task) -> dict[str, Any]:
        """Turn a task into XGBoost's parameters.

        seed_per_iteration: XGBoost's random stream otherwise belongs to the thread, not to the booster. A trial that
        is paused between others, or goes on in another thread, would then draw other rows (seen with 3.2).
        """
        return {
            "device": granted_device() if self.device == "granted" else "cpu",
            "tree_method": "hist",
            "max_bin": self.max_bin,
            "nthread": threads(),
            "seed_per_iteration": True,
            **{name: task.params[name] for name in ("max_depth", "learning_rate", "subsample", "seed")},
        }


def _demand_device(booster: xgb.Booster, options: Mapping[str, Any]) -> None:
    """Raise BackendFailed where XGBoost, with a warning only, computes elsewhere than it was told."""
    if options["device"] != "cpu":
        used = json.loads(booster.save_config())["learner"]["generic_param"]["device"]
        if not used.startswith(options["device"]):
            raise BackendFailed(f"XGBoost was to fit on {options['device']} and fits on {used}; is a GPU visible here?")


def insurance() -> tuple[Floats, Floats]:
    """Read the insurance table: x (rows, 6) float64, words as codes in alphabetical order; y the charges."""
    table = np.genfromtxt(files.path(INSURANCE), delimiter=",", names=True, dtype=None, encoding="utf-8")
    columns = [table[name].astype(np.float64) for name in NUMERIC]
    columns += [np.unique(table[name], return_inverse=True)[1].astype(np.float64) for name in CODED]
    return np.column_stack(columns), table[TARGET].astype(np.float64)


def made_insurance() -> tuple[Floats, Floats]:
    """Make a table with the insurance table's columns and size, of the same kind of work: nobody's real charges.

    Smokers pay several times as much, the more so above a BMI of 30; the noise is multiplicative.
    """
    rng = np.random.default_rng(MADE_SEED)
    age, bmi = rng.integers(18, 65, MADE_ROWS), np.clip(rng.normal(30, 6, MADE_ROWS), 15, 55)
    children, sex = rng.poisson(1.1, MADE_ROWS), rng.integers(0, 2, MADE_ROWS)
    smoker, region = rng.random(MADE_ROWS) < 0.2, rng.integers(0, 4, MADE_ROWS)
    base = 250 * age + 500 * children + 300 * region
    charges = (base + smoker * (12_000 + 18_000 * (bmi > 30))) * np.exp(0.25 * rng.normal(size=MADE_ROWS))
    return np.column_stack([age, bmi, children, sex, smoker, region]).astype(np.float64), charges.astype(np.float64)


def _task(index: int, model: Mapping[str, Any], child: np.random.SeedSequence) -> Task:
    params = {**model, "seed": tuning.model_seed(np.random.default_rng(child))}
    return Task(index=index, params=params, steps=model["n_estimators"])
