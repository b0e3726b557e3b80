"""Settings: overrides reach the Study, and a mistake is one line that names what is meant."""

from pathlib import Path

import pytest

from checkout import PEERS, TOYS
from raybench.config import hydra_compose, settings
from raybench.model import paths
from raybench.model.errors import BadSettings
from raybench.model.plan import Spec


def load(*overrides: str) -> settings.Settings:
    return settings.load(["study=smoke", "workloads=[toy_none]", *overrides], conf=[TOYS])


def toy(*overrides: str) -> Spec:
    return load(*overrides).study.workloads["toy_none"]


def test_axes_given_on_the_command_line_replace_those_of_every_grid_row():
    grid = load("backends=[sequential,joblib]", "cpus=[1,2]", "gpus=[0,1]").study.grid

    assert {(r.workloads, r.backends, r.cpus, r.gpus) for r in grid} == {
        (("toy_none",), ("sequential", "joblib"), (1, 2), (0, 1))
    }


def test_a_parameter_can_be_overridden_without_saying_params():
    assert toy("workload.toy_none.n=9").params["n"] == 9
    assert toy("workload.toy_none.params.n=9").params["n"] == 9


def test_a_named_size_overlays_the_parameters_but_not_what_was_asked_for(tmp_path: Path):
    (tmp_path / "workload").mkdir()
    (tmp_path / "workload" / "sized.yaml").write_text(
        "_target_: toys.workloads.Cubes\nparams: {n: 4, seconds: 0.0}\nsizes:\n  tiny: {n: 2, seconds: 0.5}\n"
    )
    overrides = ["study=smoke", "workloads=[sized]", "workload.sized.n=7"]

    spec = settings.load(overrides, conf=[tmp_path]).study.workloads["sized"]

    assert spec.params == {"n": 7, "seconds": 0.5}


def test_flags_of_a_backend_are_changes_to_the_tuned_ones_as_text(tmp_path: Path):
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "flagged.yaml").write_text(
        "_target_: x.Y\nflags: {RAY_worker_niceness: 3, RAY_AIR_NEW_OUTPUT: null}\n"
    )
    overrides = ["study=smoke", "backends=[flagged]"]

    backends = settings.load(overrides, conf=[tmp_path]).study.backends

    tuned = dict(backends["ray_tasks"].params["flags"])
    assert tuned.pop("RAY_AIR_NEW_OUTPUT") == "0"
    assert backends["flagged"].params == {"flags": tuned | {"RAY_worker_niceness": "3"}}


def test_a_users_folder_comes_before_the_projects_own(tmp_path: Path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.yaml").write_text(
        "about: mine\nsize: tiny\nblocks: 2\nbudget_min: 3\ncontrols: false\nverdicts: false\nquality_pairs: 0\n"
        "target_half_width: 0.1\ngrid:\n  - {workloads: [noop], backends: [sequential], cpus: [all]}\n"
    )

    study = settings.load(["study=mine"], conf=[tmp_path]).study

    assert (study.name, study.blocks, study.budget_min) == ("mine", 2, 3.0)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("study=quik", "did you mean 'quick'?"),
        ("backends=[ray_task]", "did you mean 'ray_tasks'?"),
        ("workloads=[toy_nne]", "did you mean 'toy_none'?"),
        ("bocks=3", "did you mean 'blocks'?"),
        ("workload.toy_none.m=9", "toy_none.yaml has no parameter 'm'"),
        ("workload.toy_nne.n=9", "did you mean 'toy_none'?"),
        ("study.blcks=3", "study.blcks=3"),
        ("cluster=existing", "cluster.address=... must be given too"),
        ("cpus=[0]", "expected a positive number"),
        ("cpus=[1,2", "cpus=[1,2"),
        ("retry=all", "expected `failed`"),
        ("blocks=0", "expected a whole number of at least 1"),
        ("budget_min=-1", "expected a number above 0"),
        ("limits.background_share=5", "expected a share from 0 to 1"),
        ("seed=abc", "seed=abc"),
        ("=3", "=3"),
        ("study.grid=[]", "grid"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(override: str, said: str):
    with pytest.raises(BadSettings) as caught:
        load(override)

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_broken_file_is_named_with_its_line(tmp_path: Path):
    (tmp_path / "workload").mkdir()
    (tmp_path / "workload" / "broken.yaml").write_text("_target_: a.B\nabout: one: two\n")

    with pytest.raises(BadSettings, match=r"broken\.yaml:2: not YAML"):
        settings.load(["study=smoke"], conf=[tmp_path])


def test_an_unknown_key_in_a_file_names_the_nearest_right_one(tmp_path: Path):
    (tmp_path / "workload").mkdir()
    (tmp_path / "workload" / "odd.yaml").write_text("_target_: a.B\nparam: {n: 1}\n")

    with pytest.raises(BadSettings, match=r"odd\.yaml:2: param: unknown key 'param'; did you mean 'params'"):
        settings.load(["study=smoke"], conf=[tmp_path])


def test_every_study_names_workloads_and_backends_that_exist():
    for name in hydra_compose.files_of([paths.own_conf()], "study"):
        study = settings.load([f"study={name}"]).study
        assert study.grid
        assert study.about


@pytest.mark.parametrize("word", ["backends=[dask_distributed]", "backend.dask_distributed.x=1"])
def test_a_backend_that_moved_to_the_peers_is_found_there(word: str):
    with pytest.raises(BadSettings, match=r"is one of the peers; add `--conf benchmarks/peers/conf`"):
        settings.load(["study=smoke", word])

    assert set(hydra_compose.PEERS) <= set(hydra_compose.files_of([PEERS], "backend"))
    found = settings.load(["study=smoke", "backends=[dask_distributed]"], conf=[PEERS]).study.backends
    assert found["dask_distributed"].target.startswith("peers.backends.")
