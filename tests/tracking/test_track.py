"""`raybench track`, `promote` and serving, with a real SQLite store, a real server and real models."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from checkout import RECORDED, ROOT
from raybench.model.clock import now, pause
from raybench.model.plan import Role
from raybench.model.tracking import TrackingCheck
from raybench.store import store
from raybench.store.tracking_file import read_tracking

pytestmark = [pytest.mark.mlflow, pytest.mark.filterwarnings("ignore")]  # MLflow warns of its own parts
mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed here; run `nox -s tracking`")

SEARCH = "xgb_hpo_friedman"
UP_S = 240  # for a server to answer, on a busy machine too


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a copy of the recorded run."""
    (folder,) = store.runs(RECORDED)
    return Path(shutil.copytree(folder, tmp_path / "reports" / folder.relative_to(RECORDED)))


def raybench(*words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "raybench", *words],
        cwd=folder, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def client(folder: Path) -> "mlflow.MlflowClient":
    return mlflow.MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")


def tracked(folder: Path, study: str) -> list["mlflow.entities.Run"]:
    found = client(folder)
    experiment = found.get_experiment_by_name(f"raybench-{study}")
    return list(found.search_runs([experiment.experiment_id], max_results=1000))


def checked(run: Path) -> TrackingCheck:
    found = read_tracking(run)
    assert found is not None
    return found


@pytest.mark.timeout(600)
def test_a_run_its_cells_and_its_trials_are_in_the_store_once_and_the_raw_data_stay(run: Path, tmp_path: Path) -> None:
    raw = (run / store.MEASUREMENTS).read_bytes()
    first = raybench("track", str(run), folder=tmp_path)
    assert first.returncode == 0, first.stderr
    plan, loaded = store.read_run(run)
    cells = [cell for cell in plan.cells if any(m.cell == cell.key for m in loaded.measurements)]
    trials = {
        cell.key: len(next(m for m in loaded.measurements if m.cell == cell.key and m.tasks).tasks)
        for cell in cells
        if cell.workload.name == SEARCH and cell.backend.role is not Role.CEILING  # it answers for no task of its own
    }
    found = tracked(tmp_path, plan.study)
    kinds = Counter(
        "run" if "mlflow.parentRunId" not in one.data.tags else one.data.tags.get("raybench.cell", "?") for one in found
    )
    assert kinds.pop("run") == 1
    assert kinds == {cell.key: 1 + trials.get(cell.key, 0) for cell in cells}
    assert all(one.info.status == "FINISHED" for one in found)
    assert (run / store.MEASUREMENTS).read_bytes() == raw
    assert all(count.share == 1.0 for count in checked(run).counted)

    again = raybench("track", str(run), folder=tmp_path)
    assert again.returncode == 0, again.stderr
    assert f"0 new, 0 completed, {len(found)} unchanged" in again.stdout
    assert len(tracked(tmp_path, plan.study)) == len(found)

    missing = found[0].info.run_id  # as an interruption leaves it
    client(tmp_path).delete_run(missing)
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("update runs set status = 'RUNNING' where run_uuid = ?", (found[1].info.run_id,))
    repaired = raybench("track", str(run), folder=tmp_path)
    assert repaired.returncode == 0, repaired.stderr
    assert len([one for one in tracked(tmp_path, plan.study) if one.info.status == "FINISHED"]) == len(found)


@pytest.mark.timeout(600)
def test_the_best_model_becomes_champion_loads_by_its_uri_and_is_served(run: Path, tmp_path: Path) -> None:
    first = raybench("promote", SEARCH, "--run", str(run), folder=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "champion now, the first one" in first.stdout
    again = raybench("promote", SEARCH, "--run", str(run), folder=tmp_path)
    assert again.returncode == 0
    assert "it is the champion already" in again.stdout
    loaded = checked(run).loaded
    assert [(one.workload, one.better, one.equal) for one in loaded] == [(SEARCH, 0, loaded[0].rows)]

    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    mlflow.set_registry_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    name = f"models:/{SEARCH}@champion"
    model = mlflow.pyfunc.load_model(name)
    example = model.input_example if model.input_example is not None else model.metadata.load_input_example()
    expected = model.predict(example)
    with served(name, tmp_path) as address:
        body = json.dumps({"dataframe_split": example.to_dict(orient="split")}).encode()
        asked = urllib.request.Request(f"{address}/invocations", body, {"Content-Type": "application/json"})
        answer = json.loads(direct().open(asked, timeout=60).read())
    assert np.allclose(answer["predictions"], expected)


@contextmanager
def served(name: str, folder: Path) -> Iterator[str]:
    """Serve a model as README shows it, on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    words = ["models", "serve", "-m", name, "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    store_uri = f"sqlite:///{folder / 'mlflow.db'}"
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words],
        cwd=folder, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ
        | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}  # as in an activated environment
        | {"MLFLOW_TRACKING_URI": store_uri, "MLFLOW_REGISTRY_URI": store_uri},
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        until = now() + UP_S
        while True:
            try:
                direct().open(f"{address}/ping", timeout=5)
                break
            except OSError:
                assert process.poll() is None, "the server has ended"
                assert now() < until, "the server does not answer"
                pause(0.5)
        yield address
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=60)


def direct() -> urllib.request.OpenerDirector:
    """Return an opener that takes no proxy."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("http://127.0.0.1:9", "no server answers there; start it with `mlflow server`"),
        ("ftp://somewhere", "no tracking store; expected sqlite:///FILE"),
        ("sqlite:///no/such/folder/mlflow.db", "no folder no/such/folder"),
        ("sqlite:///notes.txt", "is no SQLite database"),
    ],
)
def test_a_store_that_cannot_be_used_is_one_sentence(run: Path, tmp_path: Path, uri: str, said: str) -> None:
    (tmp_path / "notes.txt").write_text("these are notes and no database\n")
    found = raybench("track", str(run), "--tracking-uri", uri, folder=tmp_path)
    assert found.returncode == 2
    assert said in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert not (run / "tracking.json").exists()


def test_what_cannot_be_promoted_is_one_sentence(run: Path, tmp_path: Path) -> None:
    unknown = raybench("promote", "nothing", "--run", str(run), folder=tmp_path)
    assert unknown.returncode == 2
    assert "has no workload 'nothing'" in unknown.stderr
    without = raybench("promote", "sleep", "--run", str(run), folder=tmp_path)
    assert without.returncode == 2
    assert "trains no model" in without.stderr
