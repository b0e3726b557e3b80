"""A report beside a run of another machine, and the page on which two runs are compared."""

import re
import shutil
from pathlib import Path

import pytest

from raybench import cli
from raybench.report import replay
from raybench.store import store
from report import made_run


def copy(reports: Path, machine: str, study: str, run: str) -> None:
    source = made_run.write(reports.parent / f"made-{machine}-{study}-{run}")
    shutil.copytree(source, reports / "raw" / machine / study / run)


def test_the_newest_run_of_another_machine_is_taken_of_the_same_study_first(tmp_path: Path) -> None:
    for place in [("here", "quick", "3"), ("there", "quick", "1"), ("there", "quick", "2"), ("there", "full", "9")]:
        copy(tmp_path, *place)
    found = {
        run: replay.other_machine(tmp_path, run) for run in ("raw/here/quick/3", "raw/here/full/1", "raw/there/quick/2")
    }

    assert {run: "/".join(path.parts[-3:]) for run, path in found.items()} == {
        "raw/here/quick/3": "there/quick/2",
        "raw/here/full/1": "there/full/9",
        "raw/there/quick/2": "here/quick/3",
    }
    assert replay.other_machine(tmp_path, "of-somewhere-else") is None


def test_a_report_says_how_many_verdicts_another_machine_gives_too(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    for place in [("here", "made", "3"), ("there", "made", "2")]:
        copy(reports, *place)
    store.set_current(reports, reports / "raw" / "here" / "made" / "3")
    assert cli.main(["report", "--root", str(tmp_path)]) == 0

    results, page = (tmp_path / "RESULTS.md").read_text(), (reports / "replay.html").read_text()
    kept, total = map(int, re.search(r"\(there, study made\), (\d+) of the (\d+) claims", results).groups())
    assert kept == total == page.count('<td class="text">yes</td>') > 0
    assert "(reports/replay.html)" in results
    assert 'href="replay.html"' in (reports / "index.html").read_text()
    assert cli.main(["check", "--root", str(tmp_path)]) == 0


def test_a_run_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    for place in [("here", "made", "3"), ("there", "made", "2")]:
        copy(reports, *place)
    (reports / "raw" / "there" / "made" / "2" / store.ENVIRONMENT).write_text("{")
    store.set_current(reports, reports / "raw" / "here" / "made" / "3")
    assert cli.main(["report", "--root", str(tmp_path)]) == 0
    assert "(raw/there/made/2) cannot be compared: " in (tmp_path / "RESULTS.md").read_text()
    assert not (reports / "replay.html").exists()


def test_the_comparison_as_a_page_needs_no_network_and_shows_each_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made_run.write(tmp_path / "reports")
    assert cli.main(["compare", str(folder), str(folder), "--format", "html"]) == 0
    text = capsys.readouterr().out

    assert text.startswith("<!doctype html>") or text.lstrip().startswith("<!doctype html>")
    assert "http" not in re.sub(r"http-equiv", "", text)
    assert "<script" not in text
    assert re.search(r"<td class=\"verdict open\">SAME</td>", text)
