"""`raybench view`: the program that shows a run, as the command to type or started here; it listens on loopback only.

MLflow, TensorBoard and Ray are started as programs of their own; none of them is imported.
"""

import importlib.util
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import psutil

from raybench.backends.tune_logs import holds_logs
from raybench.execution.environment import COMMON, LOOPBACK
from raybench.execution.run_folder import LOGS_FOLDER
from raybench.model.errors import BadSettings, RaybenchError
from raybench.planning.planner import say_missing
from raybench.report.read_run import find_run
from raybench.store import store
from raybench.store.tracking_file import TRACKING

HOST = "127.0.0.1"
DEFAULT_STORE = "sqlite:///mlflow.db"
SQLITE = "sqlite:///"
HEAD_PORT = 6379  # Ray's own default
MLFLOW = MappingProxyType(  # no telemetry, and no runner of jobs beside the server
    {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
)
END_S = 10.0  # for a program to end when it is asked to


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be shown. port : of loopback, where the program listens; 0 is its own default."""

    run: Path
    tracking_uri: str = DEFAULT_STORE
    port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How to look at a run. words : the program's command line; () where nothing is to be started here.

    page : where it then shows itself. module : the program under this Python. told : what a reader must do or know.
    """

    page: str
    words: tuple[str, ...] = ()
    module: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    told: str = ""

    def sentences(self) -> Iterator[str]:
        """Yield the command as a shell takes it, the page, and what else is to be known."""
        if self.words:
            yield " ".join([*(f"{name}={value}" for name, value in self.variables.items()), shlex.join(self.words)])
            yield f"then open {self.page}"
        if self.told:
            yield self.told


def of_mlflow(asked: Asked) -> View:
    """Show the tracking store: MLflow's server over a local one, or the page of the server that there is."""
    if not (asked.run / TRACKING).is_file():
        raise BadSettings(f"{asked.run}: not in a tracking store yet; log it with `raybench track`")
    uri, port = asked.tracking_uri, asked.port or 5000
    if uri.startswith(("http://", "https://")):
        return View(page=uri, told=f"the store is a server that runs already: open {uri}")
    _require("mlflow")
    if uri.startswith(SQLITE) and not os.path.isfile(uri.removeprefix(SQLITE)):
        raise BadSettings(f"{uri}: no store there; go where `raybench track` ran, or give its --tracking-uri")
    return View(
        page=f"http://{HOST}:{port}",
        words=("mlflow", "server", *_listen(port), "--workers", "1", "--backend-store-uri", uri),
        module="mlflow",
        variables=MLFLOW,
    )


def of_tensorboard(asked: Asked) -> View:
    """Show what Ray Tune's loggers wrote in a run that kept it."""
    logs, port = asked.run / LOGS_FOLDER, asked.port or 6006
    if not holds_logs(logs):
        raise BadSettings(
            f"{asked.run}: no logs were kept; measure with `raybench run --keep-logs` and a backend whose loggers are "
            "on, such as ray_tune_asha_documented"
        )
    _require("tensorboard")
    return View(
        page=f"http://{HOST}:{port}",
        words=("tensorboard", *_listen(port), "--logdir", str(logs)),
        module="tensorboard.main",
    )


def of_ray(asked: Asked) -> View:
    """Show Ray's dashboard: of a new head, on which the run's command is then repeated."""
    plan, port = store.read_plan(asked.run), asked.port or 8265
    page = f"http://{HOST}:{port}"
    if any(job.cluster.address for job in plan.jobs):
        reach = f"ssh -L {port}:{HOST}:8265 HEAD"
        return View(page=page, told=f"it ran on a cluster with a dashboard of its own; `{reach}` shows that at {page}")
    again = f"{store.read_environment(asked.run).command} cluster=existing cluster.address={HOST}:{HEAD_PORT}"
    return View(
        page=page,
        words=(
            *("ray", "start", "--head", "--block", "--disable-usage-stats", "--node-ip-address", HOST),
            *("--port", str(HEAD_PORT), "--num-cpus", str(plan.usable_cpus), "--include-dashboard", "true"),
            *("--dashboard-host", HOST, "--dashboard-port", str(port)),
        ),
        module="ray.scripts.scripts",
        variables=LOOPBACK,
        told=f"the heads of a measurement have no dashboard and end with it; on this one, run it again: {again}",
    )


VIEWS: Mapping[str, Callable[[Asked], View]] = MappingProxyType(
    {"mlflow": of_mlflow, "tensorboard": of_tensorboard, "ray": of_ray}
)


def choose(words: Sequence[str], *, tracking_uri: str = DEFAULT_STORE, port: int = 0) -> View:
    """Return the view that the words ask for: its name, then a run's folder, or none for the current run."""
    what, run = [*words, "", ""][:2]
    if what not in VIEWS or len(words) > 2:
        raise BadSettings(f"{' '.join(words) or 'nothing'} asked for; expected {', '.join(VIEWS)}, then a run's folder")
    if not 0 <= port < 2**16:
        raise BadSettings(f"--port {port} does not exist; choose one from 1 to 65535")
    return VIEWS[what](Asked(run=find_run(Path(run)), tracking_uri=tracking_uri, port=port))


def start(view: View) -> None:
    """Run the program here until it ends, or Ctrl-C ends it; whatever happens, nothing of it stays.

    Raises BadSettings where nothing is to be started or the port is taken, RaybenchError where the program fails.
    """
    if not view.words:
        raise BadSettings("there is nothing to start here; see above")
    port = int(view.page.rpartition(":")[2])
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection that has just ended is no server
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise BadSettings(f"port {port} of {HOST}: {error.strerror}; give another one with --port") from error
    environment = os.environ | COMMON | dict(view.variables)
    process = subprocess.Popen([sys.executable, "-m", view.module, *view.words[1:]], env=environment)
    try:
        code = process.wait()
    except KeyboardInterrupt:  # the way to end it
        code = 0
    finally:
        _end(process.pid)
    if code:
        raise RaybenchError(f"{view.words[0]} ended with exit code {code}; what it says stands above")


def _end(pid: int) -> None:
    """End a program with all that it started, if it still runs."""
    try:
        program = psutil.Process(pid)
        members = [*program.children(recursive=True), program]
    except psutil.NoSuchProcess:
        return
    for process in members:
        process.terminate()
    for process in psutil.wait_procs(members, timeout=END_S)[1]:
        process.kill()


def _listen(port: int) -> tuple[str, ...]:
    return ("--host", HOST, "--port", str(port))


def _require(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise BadSettings(say_missing(package))
