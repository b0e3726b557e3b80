"""The variants that lack one setting of a tuned variant: what they lack, and that they still give right answers."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import task_sets
import yaml
from ray_heads import head

from checkout import ROOT
from raybench.backends.base import Backend, Resources
from raybench.backends.ray_tasks import RayTasks
from raybench.backends.ray_tune import RayTune, TuneSettings
from raybench.backends.ray_tune_documented import RayTuneDocumented
from raybench.backends.ray_tune_trial import process_began
from raybench.config.settings import load
from raybench.execution.measure import load_backend
from raybench.model.clock import now
from raybench.model.errors import BackendFailed
from raybench.model.measurement import TaskResult
from raybench.model.plan import Cluster, Spec

WORD = "_without_"
SPECS = load(conf=[ROOT / "benchmarks" / "peers" / "conf"]).study.backends


def read(path: Path) -> dict[str, Any]:
    """Return a backend's file, its flags spelled out."""
    return yaml.safe_load(path.read_text()) | {"flags": SPECS[path.stem].params["flags"]}


VARIANT = {
    path.stem: read(path)
    for path in sorted((ROOT / "benchmarks" / "peers" / "conf" / "backend").glob(f"*{WORD}*.yaml"))
}
TUNED = {
    name: read(ROOT / "conf" / "backend" / f"{name}.yaml")
    for name in {variant.partition(WORD)[0] for variant in VARIANT}
}
PARTS = ["tuner", "process", "interpreter", "imports", "setup", "wait for the other actors", "first step"]


def settings(variant: Mapping[str, Any]) -> dict[str, Any]:
    """Spell out what a variant chooses: its parameters, defaults of the class included, and its flags."""
    backend = built(variant, "made", Resources(workers=2))
    chosen = {key: value for key, value in vars(backend).items() if isinstance(value, (bool, int, float, str))}
    if isinstance(backend, RayTune):
        chosen |= {field: getattr(backend.settings, field) for field in TuneSettings.__slots__}
    return {
        "code": variant["_target_"],
        "stepped": variant.get("stepped"),
        "tags": variant["tags"],
        **chosen,
        **variant["flags"],
    }


def built(variant: Mapping[str, Any], name: str, resources: Resources) -> Backend:
    return load_backend(Spec(name=name, target=variant["_target_"], params=variant.get("params") or {}), resources)


def environment(flags: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with exactly these flags."""
    others = {flag for variant in TUNED.values() for flag in variant["flags"]}
    return {key: value for key, value in os.environ.items() if key not in others} | dict(flags)


@pytest.fixture
def address(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return a head with the flags of the variant that the test names, and this driver those flags too."""
    flags = VARIANT[request.param]["flags"]
    tuned = TUNED[request.param.partition(WORD)[0]]["flags"]
    for flag in tuned.keys() - flags.keys():
        monkeypatch.delenv(flag)
    if flags == tuned:
        yield request.getfixturevalue("ray_head")
    else:
        with head(environment(flags)) as own:
            yield own


def variants(kind: type[Backend]) -> list[Any]:
    """List the variants of a class, each as the argument of `address` and of the test."""
    named = {name for name, variant in VARIANT.items() if variant["_target_"].endswith(f".{kind.__name__}")}
    return [pytest.param(name, name, id=name) for name in sorted(named)]


def all_but_one_slow(params: list[Any]) -> list[Any]:
    """Leave one fit to every change and the others to the night: each takes some ten seconds."""
    return [params[0], *(pytest.param(*param.values, id=param.id, marks=pytest.mark.slow) for param in params[1:])]


@pytest.mark.parametrize("name", VARIANT)
def test_a_variant_without_a_setting_differs_from_its_tuned_variant_in_exactly_that_one(name: str) -> None:
    withdrawn, tuned = settings(VARIANT[name]), settings(TUNED[name.partition(WORD)[0]])
    assert len({key for key in withdrawn.keys() | tuned.keys() if withdrawn.get(key) != tuned.get(key)}) == 1
    assert VARIANT[name].keys() - TUNED[name.partition(WORD)[0]].keys() <= {"params", "variant_of", "disables"}


def test_no_setting_is_withdrawn_twice() -> None:
    assert len({json.dumps(settings(variant), sort_keys=True) for variant in VARIANT.values()}) == len(VARIANT)


@pytest.mark.ray
@pytest.mark.parametrize(("address", "name"), all_but_one_slow(variants(RayTune)), indirect=["address"])
def test_a_fit_without_a_setting_gives_the_right_answers(address: str, name: str, tmp_path: Path) -> None:
    workload = task_sets.Steps(n=4, folder=str(tmp_path), seconds=0.1)
    tasks, data = workload.tasks(0), workload.data(0)
    with built(VARIANT[name], name, Resources(workers=2, cluster=Cluster(address=address))) as backend:
        assert backend.warm(workload, workload.warm_up(0), data) == []
        results = backend.run(workload, tasks, data)
    workload.check(tasks, results, 0)
    assert [r.index for r in results] == [0, 1, 2, 3]
    assert results[0].steps == tasks[0].steps, "the best trial is never stopped"
    assert_workers_are_as_the_variant_says(name, results)
    assert_the_parts_of_the_start_add_up(backend)


def assert_workers_are_as_the_variant_says(name: str, results: list[TaskResult]) -> None:
    assert len({r.pid for r in results}) == 4 if name.endswith("actor_reuse") else len({r.pid for r in results}) <= 2
    nice = {r.seen.nice for r in results if r.seen is not None}
    assert nice == {os.nice(0) + 15 if name.endswith("nice_0") else os.nice(0)}


def assert_the_parts_of_the_start_add_up(backend: Backend) -> None:
    fit = backend.details.fit
    assert fit is not None
    assert list(fit.start_parts) == PARTS
    assert all(seconds >= 0 for name, seconds in fit.start_parts.items() if name != "process")  # good to 10 ms
    assert sum(fit.start_parts.values()) == pytest.approx(fmean(fit.workers_first_start_s))


@pytest.mark.ray
@pytest.mark.parametrize(("address", "name"), variants(RayTasks), indirect=["address"])
def test_tasks_without_a_setting_give_the_right_answers(address: str, name: str, tmp_path: Path) -> None:
    workload = task_sets.Squares(n=12, folder=str(tmp_path), seconds=0.01)
    tasks, data = workload.tasks(0), workload.data(0)
    with built(VARIANT[name], name, Resources(workers=2, cluster=Cluster(address=address))) as backend:
        warm = backend.warm(workload, workload.warm_up(0), data)
        results = backend.run(workload, tasks, data)
        assert backend.run(workload, [], data) == []
    workload.check(tasks, results, 0)
    answered = warm + results
    nice = {r.seen.nice for r in answered if r.seen is not None}
    assert nice == {os.nice(0) + 15 if name.endswith("nice_0") else os.nice(0)}
    prepared = len(list(tmp_path.glob("prepared-*")))
    assert prepared == (len(answered) if name.endswith("data_by_reference") else 2)


@pytest.mark.ray
def test_without_a_window_a_failing_task_still_names_itself_or_is_a_result(ray_head: str, tmp_path: Path) -> None:
    raises, collects = (task_sets.Raises(folder=str(tmp_path), collect=collect) for collect in (False, True))
    with RayTasks(Resources(workers=2, cluster=Cluster(address=ray_head)), window="none") as backend:
        with pytest.raises(BackendFailed, match="task 3 raised ValueError: planted failure"):
            backend.run(raises, raises.tasks(0), raises.data(0))
        results = backend.run(collects, collects.tasks(0), collects.data(0))
    assert [bool(r.error) for r in results] == [i == 3 for i in range(8)]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"storage": "tape"}, "ray_tune has no storage 'tape'; choose memory or disk"),
        ({"data": "value"}, "ray_tune has no data 'value'; choose reference or captured"),
        ({"scheduler": "median"}, "ray_tune has no scheduler 'median'; choose fifo or asha"),
    ],
)
def test_a_setting_that_does_not_exist_is_named_with_those_that_do(wrong: dict[str, str], sentence: str) -> None:
    with pytest.raises(BackendFailed) as caught:
        RayTune(Resources(workers=2), **wrong)
    assert str(caught.value) == sentence


def test_the_documented_variant_withdraws_every_setting() -> None:
    tuned, documented = TuneSettings(), RayTuneDocumented(Resources(workers=2)).settings
    assert [f for f in TuneSettings.__slots__ if getattr(tuned, f) == getattr(documented, f)] == []


def test_a_process_began_before_it_asks() -> None:
    began = process_began()
    assert began is None or began < now()
