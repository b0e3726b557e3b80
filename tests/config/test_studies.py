"""What the studies of conf/study promise, once planned for a made machine."""

import inspect

import pytest

from raybench.backends.joblib_loky import JoblibLoky
from raybench.config import settings
from raybench.planning.planner import Machine, plan


def machine(cpus: int, gpus: int = 0) -> Machine:
    return Machine(
        usable_cpus=cpus,
        cpus_for=lambda count: tuple(range(count)),
        gpus=gpus,
        missing_data=lambda name: "",
        missing_package=lambda name: False,
    )


@pytest.mark.rule(5)
def test_the_full_study_scales_over_one_core_powers_of_two_and_all_usable_cores() -> None:
    """Of the full study's scaling row; six usable cores are no power of two."""
    study = settings.load(["study=full"]).study
    (scaled,) = [row for row in study.grid if "powers" in row.cpus]
    made = plan(study, machine(6))
    parallel = [name for name in scaled.backends if "parallel" in study.backends[name].tags]
    assert len(parallel) >= 4
    for name in parallel:
        found = {c.cpus for c in made.cells if c.backend.name == name and c.workload.name in scaled.workloads}
        assert found == {1, 2, 4, 6}, name


@pytest.mark.rule(34)
def test_joblib_runs_with_its_own_batches_and_with_batches_of_one() -> None:
    study = settings.load(["study=metg"]).study
    backends = {c.backend.name: c.backend for c in plan(study, machine(2)).cells if c.workload.name == "granularity"}
    assert inspect.signature(JoblibLoky).parameters["batch_size"].default == "auto"
    assert "batch_size" not in backends["joblib"].params
    assert backends["joblib_b1"].params["batch_size"] == 1
    assert backends["joblib"].target == backends["joblib_b1"].target


def test_the_gpu_study_measures_none_shares_and_a_whole_gpu_and_says_what_is_missing_without_one() -> None:
    study = settings.load(["study=gpu"]).study
    with_one, without = plan(study, machine(2, gpus=1)), plan(study, machine(2))
    assert {c.gpus for c in with_one.cells if c.workload.name == "xgb_hpo_cuda"} == {0, 0.5, 1}
    assert {
        c.workload.params["gpus_per_task"] for c in with_one.cells if c.workload.name.startswith("gpu_queue_cuda")
    } == {1, 0.5}
    assert with_one.skips == ()
    skipped = {(s.cell.workload.name, s.cell.gpus, s.reason) for s in without.skips}
    assert skipped == {
        ("xgb_hpo_cuda", 0.5, "asks for 0.5 GPU, this machine has 0"),
        ("xgb_hpo_cuda", 1, "asks for 1 GPU, this machine has 0"),
        ("gpu_queue_cuda", 1, "asks for 1 GPU, this machine has 0"),
        ("gpu_queue_cuda_half", 1, "asks for 1 GPU, this machine has 0"),
    }
