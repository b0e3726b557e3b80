"""Sessions. `nox -s bench` measures this machine; `nox` alone checks a change (lint, types, tests, report)."""

import hashlib
import os
import platform
import re
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"  # installing from a lock again costs a second, a new environment a minute
nox.options.sessions = ["lint", "types", "tests", "report"]

ROOT = Path(__file__).parent
LOCKS = ("run", "peers", "tests", "tracking", "lint", "types", "asv")
EVERY_CHANGE = "not slow and not cluster and not mlflow and not browser"  # markers of the tests that every change runs
MOST_AT_ONCE = 8  # processes of pytest: each of them imports what a study imports
EXTRAS = {"peers": ("dask", "optuna"), "tests": ("dask", "optuna"), "tracking": ("mlflow", "tensorboard")}
# lock -> dependency group of pyproject.toml
GROUPS = {"tests": "tests", "tracking": "tests", "lint": "lint", "types": "types", "asv": "asv"}
HELD_BACK = {"tracking": ("pyarrow",)}  # packages that a lock cannot have in the version of run.lock


def install(session: nox.Session, lock: str, *, package: bool = True) -> None:
    """Install one lock by its hashes, then raybench itself from this checkout."""
    # uv, unlike pip, leaves bytecode to the first import: it would be compiled within a cold start, and again
    # in every process where PYTHONDONTWRITEBYTECODE is set
    session.install("--require-hashes", "-r", f"requirements/{lock}.lock", env={"UV_COMPILE_BYTECODE": "1"})
    if package:
        session.install("--no-deps", "-e", ".")


def environment() -> dict[str, str | None]:
    """Keep Ray's workers in this virtual environment: under `uv run` Ray starts each through uv again, with a copy."""
    return {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}


def generated() -> dict[str, str]:
    """Hash every file that `raybench report` may write."""
    files = [*ROOT.glob("*.md"), *(path for path in (ROOT / "reports").rglob("*") if path.is_file())]
    return {str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the quick study on this machine and write RESULTS.md; overrides go behind `--`."""
    install(session, "run")
    named = any(word.startswith("study=") for word in session.posargs)
    session.run("raybench", "run", *(() if named else ("study=quick",)), *session.posargs, env=environment())


@nox.session
def peers(session: nox.Session) -> None:
    """Measure every backend and variant side by side, tuned and as documented; writes reports/PEERS.md."""
    install(session, "peers")
    words = ("--no-report", "--conf", "benchmarks/peers/conf", "study=peers", *session.posargs)
    session.run("raybench", "run", *words, env=environment() | {"PYTHONPATH": "benchmarks"})
    session.run("python", "benchmarks/peers", env=environment())


@nox.session(name="tracking-cost")
def tracking_cost(session: nox.Session) -> None:
    """Measure what logging every trial to MLflow costs, in the environment with MLflow; writes reports/PEERS.md."""
    install(session, "tracking")
    words = ("--no-report", "--conf", "benchmarks/peers/conf", "study=tracking", *session.posargs)
    session.run("raybench", "run", *words, env=environment() | {"PYTHONPATH": "benchmarks"})
    session.run("python", "benchmarks/peers", env=environment())


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, some at a time; arguments of pytest go behind `--`, another choice with `-m` as well."""
    install(session, "tests")
    at_once = str(min(MOST_AT_ONCE, len(os.sched_getaffinity(0))))
    words = ("-n", at_once, "--dist", "loadgroup", "-m", EVERY_CHANGE, *session.posargs)
    session.run("pytest", *words, env=environment())


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and spelling."""
    install(session, "lint", package=False)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    tracked = session.run("git", "ls-files", external=True, silent=True) or ""
    session.run("codespell", *tracked.split(), silent=False)


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of src, the gate and the peers."""
    install(session, "types")
    session.run("mypy", *session.posargs)


@nox.session
def report(session: nox.Session) -> None:
    """Rebuild the report from committed raw data: not a byte may change, every sentence and every rule must hold."""
    install(session, "tests")
    before = generated()
    session.run("raybench", "report", env=environment())
    if any((ROOT / "reports" / "raw").glob("*/peers")):
        session.run("python", "benchmarks/peers", env=environment())
    changed = sorted({path for path, _ in before.items() ^ generated().items()})
    if changed:
        session.error(f"not what the raw data give, commit what was written now: {', '.join(changed)}")
    session.run("raybench", "check", env=environment())
    session.run(
        "pytest", "checks", "--reports=reports", env=environment()
    )  # the rules that only a recorded study can show to be kept


@nox.session
def tracking(session: nox.Session) -> None:
    """Run the tests that need MLflow or TensorBoard, in an environment of their own: MLflow holds pyarrow back."""
    install(session, "tracking")
    session.run("pytest", "-m", "mlflow", *session.posargs, env=environment())


def constraints(session: nox.Session, name: str) -> str:
    """Return the file with the versions that a study uses, less those that this lock cannot have."""
    blocks = re.split(r"\n(?=\S)", (ROOT / "requirements" / "run.lock").read_text(encoding="utf-8"))
    kept = [block for block in blocks if block.partition("==")[0] not in HELD_BACK.get(name, ())]
    path = Path(session.create_tmp()) / f"{name}.txt"
    path.write_text("\n".join(kept), encoding="utf-8")
    return str(path)


@nox.session
def lock(session: nox.Session) -> None:
    """Write requirements/*.lock from pyproject.toml; `-- --upgrade` takes newer versions."""
    session.install("uv")
    style = ["--universal", "--python-version=3.11", "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"]
    for name in LOCKS:
        words = ["pyproject.toml"] if name not in ("lint", "asv") else []  # those two: their tools alone
        words += [f"--extra={extra}" for extra in EXTRAS.get(name, ())]
        words += ["--group", GROUPS[name]] if name in GROUPS else []
        words += ["-c", constraints(session, name)] if name != "run" else []
        words += [*style, "--no-header", "--no-annotate", "-q", *session.posargs]
        session.run("uv", "pip", "compile", *words, "-o", f"requirements/{name}.lock")


@nox.session
def asv(session: nox.Session) -> None:
    """Compare this commit with its parent, interleaved; another command of asv goes behind `--`."""
    install(session, "asv", package=False)
    session.install("uv")
    name = f"{platform.machine()}-{os.cpu_count()}c"  # not the host's name: results are public
    session.run("asv", "machine", "--yes", "--machine", name)
    words = session.posargs or ("continuous", "--interleave-rounds", "--show-stderr", "HEAD^", "HEAD")
    here = ("--machine", name) if words[0] in ("run", "continuous") else ()
    # with that variable every process of a benchmark would compile what it imports
    session.run("asv", words[0], *here, *words[1:], env=environment() | {"PYTHONDONTWRITEBYTECODE": None})


@nox.session(name="asv-publish")
def asv_publish(session: nox.Session) -> None:
    """Write the site with the history of all recorded commits to build/asv."""
    install(session, "asv", package=False)
    session.run("asv", "publish", *session.posargs)


@nox.session
def gate(session: nox.Session) -> None:
    """Stop a regression: ratios of this tree to its parent, taken in one run; `-- --short` for CI."""
    install(session, "run", package=False)  # each side brings its own raybench
    session.run("python", "benchmarks/gate", *session.posargs, env=environment())


@nox.session
def calibration(session: nox.Session) -> None:
    """Replay the recorded runs of the gate and write reports/gate/calibration.md; fails where a promise is missed."""
    install(session, "run")
    session.run("python", "benchmarks/gate", "--calibrate", env=environment())
