"""Reports of unusual runs: partial, torn, empty, of many cells, with claims, with a quality pass."""

import dataclasses

import pytest

from raybench.analysis.results import ClaimLine
from raybench.model.estimate import Estimate, VerdictKind
from raybench.model.measurement import Quality
from raybench.model.plan import Plan
from raybench.report import build, stale
from raybench.store import store
from report import made_run
from report.read_back import page_table, results, table


def test_a_partial_study_says_what_is_missing(tmp_path):
    folder = made_run.write(tmp_path / "reports", keep=slice(0, 20))
    build.rebuild(tmp_path / "reports", folder, tmp_path)
    text = results(tmp_path)
    jobs = made_run.plan().jobs
    begun = {job.block for job in jobs[:20]}
    planned = sum(job.block in begun for job in jobs)
    assert f"Partial run: {len(begun)} of {len({job.block for job in jobs})} planned blocks." in text
    assert planned > 20  # the last block is cut off
    assert f"Incomplete: {planned - 20} of {planned} measurements of" in text
    assert "[no interval]" in text  # one or two blocks give no interval, and no error


def test_a_torn_last_line_is_told(tmp_path):
    folder = made_run.write(tmp_path / "reports")
    with (folder / "measurements.jsonl").open("a") as file:
        file.write('{"kind":"measu')
    build.rebuild(tmp_path / "reports", folder, tmp_path)
    assert "The last raw line was cut off" in results(tmp_path)


@pytest.mark.parametrize("empty", ["no lines", "no jobs"])
def test_an_empty_study_gives_a_report_that_says_so(tmp_path, empty):
    folder = made_run.write(tmp_path / "reports", keep=slice(0, 0))
    if empty == "no jobs":
        plan: Plan = dataclasses.replace(made_run.plan(), jobs=(), controls=False, verdicts=False)
        store.write_plan(folder, plan)
    build.rebuild(tmp_path / "reports", folder, tmp_path)
    text = results(tmp_path)
    assert "Nothing to show: no parallel cell has a speedup yet." in text
    assert "| kind of work |" not in text
    assert ("Partial run: 0 of 6 planned blocks." in text) == (empty == "no lines")
    assert ("No controls" in text) == (empty == "no jobs")


def test_a_study_of_many_cells_stays_readable_and_complete(tmp_path):
    """60 workloads: RESULTS.md keeps its length, and every cell is in the HTML report."""
    plan = made_run.plan(1)
    jobs = []
    for index in range(60):
        for job in plan.jobs[:8]:
            workload = dataclasses.replace(job.cell.workload, name=f"w{index}")
            jobs.append(dataclasses.replace(job, cell=dataclasses.replace(job.cell, workload=workload)))
    folder = made_run.write(tmp_path / "reports", keep=slice(0, 0))
    store.write_plan(folder, dataclasses.replace(plan, jobs=tuple(jobs)))
    writer = store.Store(folder / store.MEASUREMENTS)
    for index, job in enumerate(jobs):
        made_job = dataclasses.replace(job, cell=plan.jobs[index % 8].cell)
        writer.append(dataclasses.replace(made_run.measurement(made_job, index), cell=job.cell.key))
    build.rebuild(tmp_path / "reports", folder, tmp_path)
    assert results(tmp_path).count("\n") < 150
    shown = page_table(tmp_path, "warm")
    assert len(shown) == len({cell.key for cell in store.read_plan(folder).cells})
    assert shown[shown["workload"] == "w59"].set_index("backend").loc["joblib", "speedup"].iloc[-1].startswith("1.")


def test_claims_are_listed_with_verdict_value_and_note(tmp_path, monkeypatch):
    lines = (
        ClaimLine(
            id="C01",
            source="S0",
            statement="distributing is 2.1x faster | <b>really</b>",
            band="at least 2.1x",
            verdict=VerdictKind.REFUTED,
            value=Estimate(point=1.5, low=1.4, high=1.6, n=6),
            unit="x",
        ),
        ClaimLine(
            id="C08", source="S1", statement="s", band="b", verdict=VerdictKind.UNTESTABLE, note="selects no cell"
        ),
    )
    folder = made_run.write(tmp_path / "reports")
    asked = []
    monkeypatch.setattr(build, "judge", lambda run, findings, conf: asked.append((run.plan.study, list(conf))) or lines)
    build.rebuild(tmp_path / "reports", folder, tmp_path, conf=[tmp_path])
    assert asked == [("made", [tmp_path])]
    shown = page_table(tmp_path, "all claims").set_index("id")
    assert shown.loc["C01", "measured"] == "1.50x [1.40, 1.60], n=6"
    assert shown.loc["C01", "verdict"] == "REFUTED"
    assert shown.loc["C01", "claim"] == "distributing is 2.1x faster | <b>really</b>"
    assert (shown.loc["C08", "measured"], shown.loc["C08", "note"]) == ("–", "selects no cell")
    text = results(tmp_path)
    (tested,) = table(text, "SUPPORTED: the whole interval").to_dict("records")
    assert tested["claim"] == "C01: distributing is 2.1x faster \\| &lt;b&gt;really&lt;/b&gt;"
    assert (tested["source"], tested["verdict"]) == ("[S0](#sources)", "REFUTED")
    assert "1 further claims are not tested by this study. C08: selects no cell." in text


def test_the_quality_pass_becomes_a_table_and_a_forest(tmp_path):
    """12 pairs with baseline 2.0 and tuned about 1.8: 10 % lower; the documented value stands beside it."""
    folder = made_run.write(tmp_path / "reports", keep=slice(0, 0))
    writer = store.Store(folder / store.MEASUREMENTS)
    for pair in range(12):
        tuned = 1.8 + 0.01 * (pair % 3 - 1)
        writer.append(
            Quality(
                workload="friedman", variant="tuned", pair=pair, metric="rmse", baseline="named", baseline_test=2.0,
                tuned_validation=tuned - 0.1, tuned_test=tuned,
            )
        )  # fmt: skip
    build.rebuild(tmp_path / "reports", folder, tmp_path)
    row = page_table(tmp_path, "RMSE deltas").iloc[0]
    assert row["delta"].startswith("+10.00 %") or row["delta"].startswith("+10.0 %")
    assert row["delta"].endswith("n=12")
    assert row["optimism"].startswith("0.100")
    assert "rmse-delta.svg" in results(tmp_path)


@pytest.mark.parametrize("reports", ["elsewhere", "../beside"])
def test_a_reports_folder_elsewhere_gets_the_whole_report_and_the_root_stays_as_it_is(tmp_path, reports):
    root = tmp_path / "root"
    root.mkdir()
    (root / "README.md").write_text("<!-- raybench:headline -->\n<!-- /raybench:headline -->\n")
    before = sorted(root.rglob("*"))
    reports = tmp_path / "elsewhere" if reports == "elsewhere" else root / reports
    folder = made_run.write(reports)
    build.rebuild(reports, folder, root)
    assert sorted(root.rglob("*")) == before
    assert "](./index.html)" in (reports / "RESULTS.md").read_text()
    assert (reports / "index.html").is_file()
    assert stale.is_unchanged(reports, folder, root)
    assert build.rebuild(reports, folder, root) == []


def test_a_name_cannot_steer_the_terminal_or_turn_the_text(tmp_path):
    """Red by an escape sequence, a bell, and U+202E, which would print the rest backwards."""
    name = "\x1b[31mred\x07\u202eexe"
    plan = made_run.plan(1)
    jobs = tuple(
        dataclasses.replace(
            job,
            cell=dataclasses.replace(job.cell, workload=dataclasses.replace(job.cell.workload, name=name, about=name)),
        )
        for job in plan.jobs
    )
    folder = made_run.write(tmp_path / "reports", keep=slice(0, 0))
    store.write_plan(folder, dataclasses.replace(plan, jobs=jobs))
    written = build.rebuild(tmp_path / "reports", folder, tmp_path)
    texts = [path.read_text() for path in written]
    assert "red\ufffd\ufffdexe" in set(page_table(tmp_path, "warm")["workload"])
    assert not [c for text in texts for c in text if c in "\x1b\x07\u202e"]
    assert "\\u202e" not in (tmp_path / "reports" / "index.html").read_text()
