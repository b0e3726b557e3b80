"""`raybench view`: the right command for each program, on loopback; one sentence where there is nothing to see."""

import importlib.util
import socket
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from raybench import cli
from raybench.model.errors import BadSettings, RaybenchError
from raybench.model.plan import Cluster
from raybench.store import store
from raybench.store.tracking_file import record_counts
from raybench.tracking import view
from report import made_run

EVENTS = "logs/friedman/ray_tune_asha_documented-P2/block-0-1-1/fit-0/train_0/events.out.tfevents.1.here"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a run that is tracked, in a store beside it, and that has kept logs; every program is there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    folder = made_run.write(tmp_path / "reports")
    store.set_current(tmp_path / "reports", folder)
    record_counts(folder, (), checked="20261201T000000Z", tracker="mlflow 3.17.0")
    (tmp_path / "mlflow.db").touch()
    (folder / EVENTS).parent.mkdir(parents=True)
    (folder / EVENTS).touch()
    return folder


@pytest.mark.parametrize(
    ("what", "begins", "page"),
    [
        (
            "mlflow",
            "MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow server",
            "http://127.0.0.1:5000",
        ),
        ("tensorboard", "tensorboard --host 127.0.0.1", "http://127.0.0.1:6006"),
        ("ray", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 ray start --head", "http://127.0.0.1:8265"),
    ],
)
def test_the_command_is_printed_and_starts_nothing(
    run: Path, capsys: pytest.CaptureFixture[str], what: str, begins: str, page: str
):
    assert cli.main(["view", what]) == 0

    command, where, *_ = capsys.readouterr().out.splitlines()
    assert command.startswith(begins)
    assert where == f"then open {page}"


@pytest.mark.parametrize("what", view.VIEWS)
def test_every_address_in_a_command_is_loopback(run: Path, what: str):
    words = view.choose([what, str(run)]).words

    hosts = [value for option, value in pairwise(words) if option.endswith(("host", "address"))]
    assert hosts
    assert set(hosts) == {"127.0.0.1"}


def test_the_store_and_the_logs_are_those_of_the_run(run: Path):
    assert view.choose(["mlflow", str(run)]).words[-2:] == ("--backend-store-uri", "sqlite:///mlflow.db")
    assert view.choose(["tensorboard", str(run)]).words[-1] == str(run / "logs")


def test_ray_s_dashboard_shows_the_run_s_command_on_a_new_head(run: Path):
    told = view.choose(["ray", str(run)], port=8300)

    assert ("--dashboard-port", "8300") in pairwise(told.words)
    assert store.read_environment(run).command in told.told
    assert "cluster.address=127.0.0.1:6379" in told.told


def test_a_run_on_a_cluster_has_its_dashboard_there(run: Path):
    plan = store.read_plan(run)
    there = tuple(replace(job, cluster=Cluster(name="existing", address="10.0.0.5:6379")) for job in plan.jobs)
    store.write_plan(run, replace(plan, jobs=there))

    told = view.choose(["ray", str(run)])

    assert told.words == ()
    assert "ssh -L 8265:127.0.0.1:8265 HEAD" in told.told
    with pytest.raises(BadSettings, match="nothing to start"):
        view.start(told)


def test_a_server_by_uri_is_opened_not_started(run: Path):
    told = view.choose(["mlflow", str(run)], tracking_uri="http://127.0.0.1:5001")

    assert (told.words, told.page) == ((), "http://127.0.0.1:5001")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing asked for; expected mlflow, tensorboard, ray"),
        (["wandb"], "wandb asked for; expected mlflow, tensorboard, ray"),
        (["ray", "nosuch"], "nosuch: holds no plan.json"),
        (["ray", ".", "more"], "ray . more asked for"),
        (["mlflow", "--tracking-uri", "sqlite:///other.db"], "sqlite:///other.db: no store there"),
        (["ray", "--port", "70000"], "--port 70000 does not exist"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(
    run: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
):
    assert cli.main(["view", *words]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_run_that_was_not_tracked_says_so(run: Path):
    (run / "tracking.json").unlink()

    with pytest.raises(BadSettings, match="log it with `raybench track`"):
        view.choose(["mlflow", str(run)])


def test_a_run_without_logs_says_how_they_are_kept(run: Path):
    (run / EVENTS).unlink()

    with pytest.raises(BadSettings, match="no logs were kept; measure with `raybench run --keep-logs`"):
        view.choose(["tensorboard", str(run)])


@pytest.mark.parametrize("what", ["mlflow", "tensorboard"])
def test_a_missing_program_names_its_extra(run: Path, monkeypatch: pytest.MonkeyPatch, what: str):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(BadSettings) as refused:
        view.choose([what, str(run)])
    assert str(refused.value) == f"package {what} is not installed; pip install 'raybench[{what}]'"


def test_a_port_that_is_taken_is_named(run: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadSettings, match=f"port {port} of 127.0.0.1: .*; give another one with --port"):
            view.start(view.choose(["tensorboard", str(run)], port=port))


def test_a_program_that_fails_is_named_with_its_exit_code(run: Path):
    told = replace(view.choose(["tensorboard", str(run)], port=free_port()), module="raybench.nosuch")

    with pytest.raises(RaybenchError, match="tensorboard ended with exit code 1"):
        view.start(told)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
