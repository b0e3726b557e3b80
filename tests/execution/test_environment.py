"""What a measured process finds in its environment: an allow-list, and exactly the threads that its cell grants."""

import os

import pytest

from raybench.config import settings
from raybench.execution.environment import THREAD_VARIABLES, environment, flags_for
from raybench.model.plan import Cell, Cluster, Job, Role, Spec

BACKEND = Spec(name="b", target="x.B", params={"flags": {"RAY_worker_niceness": 0}})


def job(**changes: object) -> Job:
    cell = Cell(workload=Spec(name="w", target="x.W"), backend=BACKEND, workers=1)
    return Job(**({"cell": cell, "block": 0, "order": 0, "seed": 1, "hash_seed": 7, "padding": 3} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        *("GOMP_CPU_AFFINITY", "OMP_PROC_BIND", "KMP_AFFINITY", "PYTHONWARNINGS", "PYTHONMALLOC", "PYTHONOPTIMIZE"),
        *("MALLOC_PERTURB_", "LD_PRELOAD", "MPLCONFIGDIR", "MATPLOTLIBRC", "http_proxy", "HTTPS_PROXY", "all_proxy"),
        *("RAY_ADDRESS", "RAY_AUTH_TOKEN", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "JOBLIB_MULTIPROCESSING"),
        *("LOKY_MAX_CPU_COUNT", "AWS_SECRET_ACCESS_KEY", "PYTHONDONTWRITEBYTECODE", "SOMETHING_ELSE"),
    ],
)
def test_what_the_users_shell_sets_does_not_reach_a_measured_process(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "of the shell")
    assert environment(BACKEND, threads=1, job=job()).get(name) != "of the shell"


def test_every_native_pool_has_the_threads_that_the_cell_grants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYON_NUM_THREADS", "64")
    found = environment(BACKEND, threads=2)
    assert {found[name] for name in THREAD_VARIABLES} == {"2"}
    assert {"RAYON_NUM_THREADS", "POLARS_MAX_THREADS", "TBB_NUM_THREADS", "TORCH_NUM_INTEROP_THREADS"} <= set(found)
    assert {"NUMEXPR_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"} <= set(found)


def test_what_the_configuration_names_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_MODEL", "small")
    assert environment(BACKEND, threads=1, job=job(environment=("MY_MODEL", "NOT_SET")))["MY_MODEL"] == "small"
    assert environment(BACKEND, threads=1, named=["MY_MODEL"])["MY_MODEL"] == "small"
    assert "NOT_SET" not in environment(BACKEND, threads=1, job=job(environment=("MY_MODEL", "NOT_SET")))


def test_a_cluster_that_is_joined_gets_its_token_and_its_own_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    joined = environment(BACKEND, threads=1, job=job(cluster=Cluster(name="existing", address="10.0.0.1:6379")))
    own = environment(BACKEND, threads=1, job=job())
    assert (joined["RAY_AUTH_MODE"], joined["RAY_AUTH_TOKEN"]) == ("token", "secret")
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in joined
    assert own["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"


def test_flags_of_the_backend_and_what_a_block_draws_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    found = environment(BACKEND, threads=1, job=job())
    assert found["RAY_worker_niceness"] == "0"
    assert (found["PYTHONHASHSEED"], found["RAYBENCH_PADDING"], found["CUDA_VISIBLE_DEVICES"]) == ("7", "xxx", "")
    assert found["PATH"] == os.environ["PATH"]


def test_a_flag_may_grow_with_the_cores_of_its_cell() -> None:
    assert flags_for({"A": "2P", "B": 10000, "C": "2Px"}, 8) == {"A": "16", "B": "10000", "C": "2Px"}
    spec = Spec(name="b", target="x.B", params={"flags": {"A": "2P"}})
    cell = Cell(workload=Spec(name="w", target="x.W"), backend=spec, workers=4, cpus_per_task=2)
    assert environment(spec, threads=2, job=job(cell=cell))["A"] == "16"
    assert environment(spec, threads=2, cpus=3)["A"] == "6"


def test_tuned_variants_keep_leases_and_the_documented_ones_have_rays_own() -> None:
    backends = settings.load(["study=everything"]).study.backends
    tuned, documented = (
        {
            name
            for name, spec in backends.items()
            if (spec.role is Role.DOCUMENTED) is told and "ray" in spec.requires.packages
        }
        for told in (False, True)
    )
    flags = {"RAY_worker_lease_timeout_milliseconds", "TUNE_MAX_PENDING_TRIALS_PG"}
    assert tuned and all(flags <= backends[name].params["flags"].keys() for name in tuned)
    assert documented and not any(flags & backends[name].params.get("flags", {}).keys() for name in documented)
