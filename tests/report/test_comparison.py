"""`raybench compare` as a reader and a script see it: exit codes, the three formats, and what --only-changed leaves."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from raybench import cli
from raybench.store import store
from report import made_run


def write(reports: Path, *, slower: float = 1.0, backend: str = "joblib", machine: str = "") -> Path:
    """Write the made run, one of its backends `slower` times as slow on two cores, maybe on another machine."""
    folder = reports / "raw" / "made" / "made" / reports.name
    changed = {cell.key for cell in made_run.cells() if cell.backend.name == backend and cell.cpus == 2}
    store.write_plan(folder, made_run.plan())
    store.write_environment(folder, replace(made_run.environment(), machine=machine or "made-2c-8g-000000"))
    writer = store.Store(folder / store.MEASUREMENTS)
    for index, job in enumerate(made_run.plan().jobs):
        line = made_run.measurement(job, index)
        if line.cell in changed:
            line = replace(line, phases=replace(line.phases, makespan=line.phases.makespan * slower))
        writer.append(line)
    store.set_current(reports, folder)
    return folder


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, str]:
    """Write a run and one in which joblib takes 1.5 times as long."""
    return str(write(tmp_path / "a")), str(write(tmp_path / "b", slower=1.5))


def shown(capsys: pytest.CaptureFixture[str], *words: str, code: int) -> str:
    assert cli.main(["compare", *words]) == code
    return capsys.readouterr().out


def test_a_slower_backend_is_worse_and_exits_1(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, *two, code=1)

    assert re.search(r"^friedman *$\n(  .*\n)*  joblib P=2 +1\.9\S*x +1\.2\S*x +-33\S* % .* WORSE", text, re.MULTILINE)
    assert text.rstrip().endswith("Verdict: WORSE")


def test_the_mirror_image_is_better_and_exits_0(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, *reversed(two), code=0)
    assert "BETTER" in text
    assert "WORSE" not in text


def test_strict_wants_everything_decided(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = str(write(tmp_path / "a")), str(write(tmp_path / "b"))
    text = shown(capsys, a, b, "--same", "1%", code=0)

    assert "Verdict: UNDECIDED" in text
    assert "half of these comparisons find changes only from" in text
    shown(capsys, a, b, "--same", "1%", "--strict", code=1)
    assert "Verdict: SAME" in shown(capsys, a, b, "--strict", code=0)


def test_only_changed_leaves_what_is_better_or_worse(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, *two, "--only-changed", code=1)
    rows = [line for line in text.splitlines() if " P=" in line]

    assert rows
    assert all("WORSE" in row or "BETTER" in row for row in rows)
    assert "4 worse and 25 same" in text  # what is not shown is counted


def test_json_holds_every_comparison(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(shown(capsys, *two, "--format", "json", code=1))
    worse = {(c["cell"]["backend"], c["quantity"]) for c in found["changes"] if c["outcome"] == "WORSE"}

    assert found["outcome"] == "WORSE"
    assert ("joblib", "speedup") in worse
    assert {backend for backend, _ in worse} == {"joblib"}
    assert found["same"] == 0.05


def test_markdown_is_a_table_per_quantity(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, *two, "--format", "md", code=1)

    assert "**speedup**" in text
    assert re.search(r"^\| `friedman` \| `joblib` \| 2 \| .* \| WORSE \| \d+ % \|$", text, re.MULTILINE)
    assert "`` pipe\\|name<script>" in text  # harmless: a code span


def test_another_machine_is_compared_by_ratios(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = str(write(tmp_path / "a")), str(write(tmp_path / "b", slower=1.5, machine="other-2c"))
    text = shown(capsys, a, b, code=1)

    assert "Comparable in ratios only" in text
    assert "time (not judged)" in text
    assert "Different: machine made-2c-8g-000000 -> other-2c." in text


def test_folders_of_reports_mean_their_current_runs(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    whole = [str(Path(run).parents[3]) for run in two]
    assert shown(capsys, *whole, code=1) == shown(capsys, *two, code=1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["."], "1 runs given; expected two"),
        ([".", "nowhere"], "holds no plan.json and names no current run"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["compare", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_damaged_run_is_named_whichever_of_the_two_it_is(
    two: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    (Path(two[1]) / "plan.json").write_text("{}", encoding="utf-8")
    for words in (two, tuple(reversed(two))):
        assert cli.main(["compare", *words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{two[1]}/plan.json" in line


def test_runs_without_a_common_cell_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, empty = write(tmp_path / "a"), tmp_path / "empty"
    store.write_plan(empty, made_run.plan())
    store.write_environment(empty, made_run.environment())
    assert cli.main(["compare", str(a), str(empty)]) == 2
    assert "no cell was measured in both runs" in capsys.readouterr().err


@pytest.mark.parametrize("same", ["0%", "5 percent", "120%", "nan"])
def test_a_band_that_is_none_is_refused(same: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", "a", "b", "--same", same]) == 2
    assert "expected a number above 0 % and below 100 %" in capsys.readouterr().err
