"""RESULTS.md is a pure function of raw data: every planned cell, every number traceable, the same bytes each time."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from raybench.report import build, stale
from report import made_run
from report.read_back import page_table, results


@pytest.fixture
def made(reported):
    return reported.root, reported.folder, reported.changed


def raw(folder) -> pd.DataFrame:
    """Read good raw lines with nothing but json and pandas."""
    cells = json.loads((folder / "plan.json").read_text())["cells"]
    lines = [json.loads(line) for line in (folder / "measurements.jsonl").read_text().splitlines()]
    return pd.DataFrame(
        {
            "workload": cells[m["cell"]]["workload"]["name"],
            "backend": cells[m["cell"]]["backend"]["name"],
            "cpus": cells[m["cell"]]["workers"] * cells[m["cell"]]["cpus_per_task"],
            "block": m["block"],
            "replica": m["replica"],
            "makespan": m["phases"]["makespan"],
            "cold": sum(
                m["phases"][p] for p in ("interpreter", "imports", "start_up", "warm_up", "makespan", "shutdown")
            ),
        }
        for m in lines
        if m["status"] == "ok"
    )


def geometric_ratio(base: pd.DataFrame, mine: pd.DataFrame, name: str) -> float:
    """Return the mean log ratio over blocks as a ratio; both replicas of the baseline count."""
    logs = [np.log(of.groupby("block")[name].apply(lambda s: np.exp(np.log(s).mean()))) for of in (base, mine)]
    return float(np.exp((logs[0] - logs[1]).mean()))


@pytest.mark.rule(48)
def test_the_same_raw_data_give_the_same_bytes_and_touch_nothing(made):
    root, folder, changed = made
    assert root / "RESULTS.md" in changed
    assert build.rebuild(root / "reports", folder, root) == []


@pytest.mark.rule(48)
def test_another_process_with_another_hash_seed_writes_the_same_bytes(made, tmp_path):
    root, folder, _ = made
    again = tmp_path / "again"
    shutil.copytree(root, again)
    (again / "RESULTS.md").unlink()
    shutil.rmtree(again / "reports" / "figures")
    code = (
        "import sys, pathlib; from raybench.report import build\n"
        "root = pathlib.Path(sys.argv[1]); build.rebuild(root / 'reports', pathlib.Path(sys.argv[2]), root)"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(again), str(again / folder.relative_to(root))],
        check=True,
        env={
            "PYTHONPATH": ":".join(filter(None, sys.path)),
            "PYTHONHASHSEED": "7",
            "PATH": "/usr/bin:/bin",
            "TZ": "Asia/Tokyo",
        },
    )
    for path in [root / "RESULTS.md", root / "reports" / "index.html", *(root / "reports" / "figures").glob("*.svg")]:
        assert (again / path.relative_to(root)).read_bytes() == path.read_bytes(), path.name


@pytest.mark.rule("HB2")
def test_every_planned_cell_is_in_the_table(made):
    root, _, _ = made
    shown = page_table(root, "warm")
    planned = made_run.plan()
    for cell in planned.cells:
        mine = shown[(shown["workload"] == cell.workload.name) & (shown["backend"] == cell.backend.name)]
        assert mine["P"].str.startswith(str(cell.cpus)).any(), cell


def test_failed_and_skipped_cells_say_why(made):
    root, _, _ = made
    notes = page_table(root, "warm")["notes"]
    assert notes.str.contains("6 failed: 6 x Traceback").any()
    assert notes.str.contains("6 timed out").any()
    assert notes.str.contains("skipped: asks for 1 GPU; this machine has 0").any()


@pytest.mark.rule("HB1", 3)
def test_every_ratio_has_the_seconds_and_the_kind_of_its_base(made):
    root, _, _ = made
    shown = page_table(root, "warm")
    ratios = shown[shown["speedup"] != "–"]
    assert len(ratios) == 5
    assert (ratios["base"] == "sequential, 1 thread").all()
    assert ratios["base time"].str.match(r"[\d.]+ m?s \[").all()


def test_every_number_of_the_cells_comes_from_raw_lines(made):
    root, folder, _ = made
    lines = raw(folder)
    shown = page_table(root, "warm")
    checked = 0
    for _, row in shown[(shown["workload"] == "friedman") & (shown["n"] == "6")].iterrows():
        cpus = int(row["P"].split(",")[0])
        mine = lines[(lines.workload == "friedman") & (lines.backend == row["backend"]) & (lines.cpus == cpus)]
        mine = mine[mine.replica == 1]
        base = lines[(lines.workload == "friedman") & (lines.backend == "sequential")]
        assert len(mine) == int(row["n"])
        assert float(row["time"].split(" ")[0]) == pytest.approx(mine.makespan.median(), abs=0.005)
        if row["speedup"] != "–":
            speedup = geometric_ratio(base, mine, "makespan")
            assert float(row["speedup"].split("x")[0]) == pytest.approx(speedup, abs=0.006)
            assert float(row["efficiency"].split(" ")[0]) == pytest.approx(speedup / cpus, abs=0.0006)
            checked += 1
    assert checked == 5


def test_cold_speedups_count_all_that_a_user_waits_for(made):
    root, folder, _ = made
    lines = raw(folder)
    shown = page_table(root, "cold").set_index(["backend", "P"])
    friedman = lines[lines.workload == "friedman"]
    ray = friedman[(friedman.backend == "ray_tasks") & (friedman.cpus == 2)]
    expected = geometric_ratio(friedman[friedman.backend == "sequential"], ray, "cold")
    assert float(shown.loc[("ray_tasks", "2"), "speedup, cold"].split("x")[0]) == pytest.approx(expected, abs=0.0006)


def test_an_interval_contains_its_point_and_the_law_of_the_made_run(made):
    root, _, _ = made
    shown = page_table(root, "warm")
    shown = shown[shown["workload"] == "friedman"].set_index(["backend", "P"])
    for key, law in {
        ("joblib", "2"): 1.9,
        ("ray_tasks", "2"): 1.5,
        ("sequential_threads", "2, 1 worker"): 1.25,
    }.items():
        point, low, high = map(float, re.findall(r"[\d.]+", shown.loc[key, "speedup"]))
        assert low <= point <= high
        assert low - 0.03 <= law <= high + 0.03


def test_fewer_steps_are_never_called_a_speedup(made):
    root, _, _ = made
    row = page_table(root, "warm").set_index("backend").loc["ray_tune_asha"]
    assert row["speedup"] == row["efficiency"] == "–"
    assert "a time to score, no speedup" in row["notes"]
    ended = page_table(root, "time to score").iloc[0]
    assert ended["steps done"] == "70 %"  # 4 tasks of 100 steps and 4 of 40: 560 of 800


def test_gain_and_relative_speedup_stand_in_tables_of_their_own(made):
    root, _, _ = made
    gain = page_table(root, "gain").set_index("backend")
    assert float(gain.loc["joblib", "gain"].split("x")[0]) == pytest.approx(1.9 / 1.25, rel=0.02)
    relative = page_table(root, "S_rel").set_index("backend")
    assert float(relative.loc["ray_tasks", "S_rel"].split("x")[0]) == pytest.approx(1.5 / 0.95, rel=0.02)


def test_metg_is_that_of_the_law(made):
    """2 ms of overhead per task: efficiency e at work w = w / (w + 2 ms), so METG_work(e) = 2 ms x e / (1 - e)."""
    root, _, _ = made
    shown = page_table(root, "METG").set_index("efficiency")
    seconds = np.array([float(shown.loc[f"{e} %", "task length (work)"].split(" ")[0]) for e in (50, 70, 80)])
    drift = 1.05  # the median block runs 5 % slow, in work and in overhead alike
    assert seconds == pytest.approx(drift * np.array([2.0, 2.0 * 0.7 / 0.3, 8.0]), rel=0.01)


def test_text_from_raw_data_is_no_markup(made):
    root, _, _ = made
    text = results(root)
    outside = re.sub(r"(`+)[^`].*?\1", "", text)
    assert "<script>" not in outside
    assert "<b>" not in outside
    assert "](javascript" not in text


def test_a_study_whose_controls_fail_is_not_trusted_at_the_very_top(made, tmp_path):
    _, folder, _ = made
    root = tmp_path
    shutil.copytree(folder, again := root / "reports" / folder.parent.parent.name / folder.parent.name / folder.name)
    (root / "README.md").write_text("<!-- raybench:headline -->\n<!-- /raybench:headline -->\n")
    lines = [json.loads(line) for line in (again / "measurements.jsonl").read_text().splitlines()]
    for line in lines:
        line["phases"]["makespan"] *= 1.2 if line["replica"] == 2 else 1.0
    (again / "measurements.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    build.rebuild(root / "reports", again, root)

    assert "NOT TRUSTED: A/A 0.8" in "\n".join((root / "RESULTS.md").read_text().splitlines()[:6])
    assert "NOT TRUSTED" in (root / "README.md").read_text()


def test_the_headline_is_spliced_and_the_rest_of_readme_stays(made):
    root, _, _ = made
    text = (root / "README.md").read_text()
    assert text.startswith("# r\n\n<!-- raybench:headline -->\n")
    assert text.endswith("<!-- /raybench:headline -->\n\nend\n")
    assert "before" not in text
    assert "| `friedman` |" in text


def test_the_report_names_command_run_and_commit_of_the_measurement(made):
    root, folder, _ = made
    head = results(root)[:2000]
    assert "raybench run study=made" in head
    assert folder.name in head
    assert made_run.environment().facts["code"]["commit"] in head
    assert "20260131T120000Z" in head


def test_the_report_stays_within_its_markers(made):
    root, _, _ = made
    lines = results(root).splitlines()
    assert (lines[0], lines[-1]) == ("<!-- raybench:results -->", "<!-- /raybench:results -->")


@pytest.mark.rule(50)
def test_threats_are_told_with_the_actual_limits(made):
    root, _, _ = made
    text = results(root)
    for heading in ("Internal", "Construct", "Statistical", "External", "Extrapolation"):
        assert f"- {heading}: " in text
    assert "2 usable cores" in text
    assert "n = 6 blocks per cell" in text


def test_unchanged_raw_data_are_recognised(made, tmp_path):
    root, folder, _ = made
    assert stale.is_unchanged(root / "reports", folder, root)
    other = made_run.write(tmp_path / "reports", keep=slice(0, 12))
    assert not stale.is_unchanged(tmp_path / "reports", other, root)


def test_a_figure_of_an_earlier_run_is_removed(made):
    root, folder, _ = made
    stale = root / "reports" / "figures" / "gone.svg"
    stale.write_text("<svg/>")
    assert build.rebuild(root / "reports", folder, root) == [stale]
    assert not stale.exists()


def test_other_runs_are_linked(made, tmp_path):
    folder = made_run.write(tmp_path / "reports")
    other = tmp_path / "reports" / "raw" / "other-machine" / "quick" / "r9"
    shutil.copytree(folder, other)
    build.rebuild(tmp_path / "reports", folder, tmp_path)
    assert "[raw/other-machine/quick/r9](reports/raw/other-machine/quick/r9)" in results(tmp_path)
