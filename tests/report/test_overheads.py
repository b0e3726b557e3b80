"""The benchmark of peers as a section of whatever run the report shows."""

from dataclasses import replace
from pathlib import Path

import pytest

from made_study import CEILING, POOL, cell, planned, series, stamps
from raybench.model.measurement import Details
from raybench.model.plan import Role, Spec
from raybench.report import build
from raybench.store import store
from report import made_run
from report.read_back import results, table

FOUR = stamps([(1, 0.0, 1.0), (1, 1.0, 2.0), (2, 0.0, 1.0), (2, 1.0, 2.0)])
HALF = Spec(name="granularity_half_second", target="x:Work", tags=("compute",))


def peers(reports: Path, *, seconds: float, run: str, machine: str) -> Path:
    """Write a run of the benchmark: bare processes take 2 s, the tuned arm `seconds`, the documented one ten times."""
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


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made_run.write(tmp_path / "reports")
    return tmp_path


def rebuilt(root: Path) -> str:
    folder = next(path for path in store.runs(root / "reports") if path.parent.name != "peers")
    build.rebuild(root / "reports", folder, root)
    return results(root)


def test_without_a_run_of_the_benchmark_the_report_says_how_to_take_one(root: Path):
    assert "take one with `nox -s peers`" in rebuilt(root)


def test_the_newest_run_on_the_same_machine_stands_in_the_report(root: Path):
    machine = made_run.environment().machine
    peers(root / "reports", seconds=4.0, run="20260101T000000Z-a", machine=machine)
    peers(root / "reports", seconds=2.5, run="20260102T000000Z-b", machine=machine)
    peers(root / "reports", seconds=9.0, run="20260103T000000Z-c", machine="another")

    text = rebuilt(root)

    sides = table(text, "What does each backend cost").set_index("backend")
    assert sides.loc["ray_tasks", "ideal / time"].startswith("0.8")
    assert sides.loc["ray_tasks_documented", "ideal / time"].startswith("0.08")
    gains = table(text, "Each line withdraws one setting").set_index("tuned arm")
    assert gains.loc["ray_tasks", "without"] == "all of them: as documented"
    assert gains.loc["ray_tasks", "time without / with"].startswith("10.0")
    assert "20260102T000000Z-b" in text[text.index("What does each backend cost") :]


def test_targets_are_judged_like_claims(root: Path):
    peers(root / "reports", seconds=2.5, run="20260101T000000Z-a", machine=made_run.environment().machine)

    targets = table(rebuilt(root), "What tuned backends should reach").set_index("id")

    assert targets.loc["T1", "verdict"] == "REFUTED"
    assert targets.loc["T1", "measured"].startswith("0.8")
    assert targets.loc["T2", "verdict"] == "UNTESTABLE"
    assert "joblib" in targets.loc["T2", "note"]
