"""The report of the benchmark of peers, from made runs."""

from dataclasses import replace
from pathlib import Path

import pytest

from made_study import CEILING, POOL, cell, planned, series, stamps
from peers import report as peers_report
from raybench.model.measurement import Details
from raybench.model.plan import Requires, Role, Skip, Spec
from raybench.store import store
from report import made_run
from report.read_back import table

FOUR = stamps([(1, 0.0, 1.0), (1, 1.0, 2.0), (2, 0.0, 1.0), (2, 1.0, 2.0)])
HALF = Spec(name="granularity_half_second", target="x:Work", tags=("compute",))


def peers(reports: Path, *, seconds: float, run: str, machine: str) -> Path:
    """Write a run: bare processes 2 s, the tuned variant `seconds`, the documented one ten times that."""
    tuned = cell(replace(POOL, name="ray_tasks"), 2, workload=HALF)
    documented = cell(
        replace(POOL, name="ray_tasks_documented", role=Role.DOCUMENTED, variant_of="ray_tasks"), 2, workload=HALF
    )
    bare = cell(CEILING, 2, workload=HALF)
    lines = series(bare, [4.0] * 6, details=Details(copies_s=(4.0, 4.0)), tasks=FOUR)
    for where, took in ((tuned, seconds), (documented, 10 * seconds)):
        lines += series(where, [took] * 6, tasks=FOUR)
    folder = reports / "raw" / machine / "peers" / run
    folder.mkdir(parents=True)
    store.write_plan(folder, replace(planned([bare, tuned, documented], blocks=6), study="peers"))
    store.write_environment(folder, replace(made_run.environment(), machine=machine))
    kept = store.Store(folder / store.MEASUREMENTS)
    for line in lines:
        kept.append(line)
    return folder


def told(root: Path) -> str:
    assert peers_report.main(root) == 0
    return (root / "reports" / "PEERS.md").read_text(encoding="utf-8")


def test_without_a_run_the_script_says_how_to_take_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert peers_report.main(tmp_path) == 2

    assert "take one with `nox -s peers`" in capsys.readouterr().err
    assert not (tmp_path / "reports").exists()


def test_the_newest_run_is_told_with_the_same_bytes_from_the_same_data(tmp_path: Path):
    machine = made_run.environment().machine
    peers(tmp_path / "reports", seconds=4.0, run="20260101T000000Z-a", machine="another")
    peers(tmp_path / "reports", seconds=2.5, run="20260102T000000Z-b", machine=machine)

    text = told(tmp_path)

    sides = table(text, "Ideal: bare processes").set_index("backend")
    assert sides.loc["ray_tasks", "ideal / time"].startswith("0.8")
    assert sides.loc["ray_tasks_documented", "ideal / time"].startswith("0.08")
    gains = table(text, "takes one setting away").set_index("tuned variant")
    assert gains.loc["ray_tasks", "without"] == "all of them: as documented"
    assert gains.loc["ray_tasks", "time without / with"].startswith("10.0")
    assert "20260102T000000Z-b" in text and "20260101T000000Z-a" not in text
    assert told(tmp_path) == text


def test_targets_are_judged_like_claims(tmp_path: Path):
    peers(tmp_path / "reports", seconds=2.5, run="20260101T000000Z-a", machine=made_run.environment().machine)

    targets = table(told(tmp_path), "What tuned backends should reach").set_index("id")

    assert targets.loc["T1", "verdict"] == "REFUTED"
    assert targets.loc["T1", "measured"].startswith("0.8")
    assert targets.loc["T2", "verdict"] == "UNTESTABLE"
    assert "joblib" in targets.loc["T2", "note"]


PLAIN = cell(POOL, 2)
TRACKED = cell(
    replace(POOL, name="pool_mlflow", variant_of=POOL.name, role=Role.PEER, requires=Requires(packages=("mlflow",))), 2
)


def tracking(reports: Path, *, skipped: str = "") -> None:
    """Write a run of the study of tracking: 2 s without, 3 s with it; or one in which the tracked cell was skipped."""
    folder = reports / "raw" / "made" / "tracking" / "20260103T000000Z-c"
    folder.mkdir(parents=True)
    skips = (Skip(cell=TRACKED, reason=skipped),) if skipped else ()
    plan = planned([PLAIN] if skipped else [PLAIN, TRACKED], blocks=6, skipped=skips)
    store.write_plan(folder, replace(plan, study="tracking", verdicts=False))
    store.write_environment(folder, replace(made_run.environment(), machine="made"))
    kept = store.Store(folder / store.MEASUREMENTS)
    lines = series(PLAIN, [2.0] * 6, tasks=FOUR) + ([] if skipped else series(TRACKED, [3.0] * 6, tasks=FOUR))
    for line in lines:
        kept.append(line)


def test_what_tracking_costs_stands_there_by_the_newest_run_with_it(tmp_path: Path):
    peers(tmp_path / "reports", seconds=2.5, run="20260101T000000Z-a", machine="made")
    tracking(tmp_path / "reports")

    text = told(tmp_path)

    row = table(text, "Cost per trial").set_index("tracked variant").loc["pool_mlflow"]
    assert row["with / without"].startswith("1.5")
    assert row["cost per trial"].startswith("250 ms")
    assert "20260103T000000Z-c" in text


def test_without_mlflow_the_report_says_what_to_install(tmp_path: Path):
    peers(tmp_path / "reports", seconds=2.5, run="20260101T000000Z-a", machine="made")
    assert "take one with `nox -s tracking-cost`" in told(tmp_path)

    tracking(tmp_path / "reports", skipped="package mlflow is not installed; pip install 'raybench[mlflow]'")
    assert "is not measured: package mlflow is not installed; pip install" in told(tmp_path)
