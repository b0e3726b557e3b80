"""The report of the benchmark of peers, from made runs."""

from dataclasses import replace
from pathlib import Path

import pytest

from made_study import CEILING, POOL, cell, planned, series, stamps
from peers import report as peers_report
from raybench.model.measurement import Details
from raybench.model.plan import Role, Spec
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
