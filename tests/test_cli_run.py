"""`raybench run` from outside: the table at its end, JSON for scripts, the summary page, and what Ctrl-C leaves."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from checkout import TOYS
from raybench.store import store

ENV = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def command(folder: Path, *words: str) -> list[str]:
    run = [sys.executable, "-m", "raybench", "run", "--conf", str(TOYS), "--root", str(folder), "study=smoke"]
    return [*run, f"reports={folder / 'reports'}", "workloads=[toy_none]", "backends=[sequential,joblib]", *words]


def test_json_is_all_of_standard_output_and_the_summary_page_gets_the_table(tmp_path: Path) -> None:
    page = tmp_path / "summary.md"
    done = subprocess.run(
        command(tmp_path, "--json"),
        env=ENV | {"GITHUB_STEP_SUMMARY": str(page)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (workload,) = json.loads(done.stdout)["workloads"]

    assert (workload["workload"], workload["baseline"]) == ("toy_none", "sequential")
    assert [line["backend"] for line in workload["lines"]] == ["joblib"]
    assert "provisional: 1 block so far" in done.stderr
    assert page.read_text(encoding="utf-8").startswith("```text\ntoy_none")


@pytest.mark.slow
def test_ctrl_c_prints_the_table_so_far_writes_the_report_and_exits_130(tmp_path: Path) -> None:
    words = ("blocks=500", "budget_min=10", "study.verdicts=true")
    child = subprocess.Popen(
        command(tmp_path, *words), env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        for line in child.stdout:
            if line.startswith("provisional: "):
                child.send_signal(signal.SIGINT)
                break
        said, errors = child.communicate(timeout=120)
    finally:
        child.kill()

    assert child.returncode == 130, errors
    assert "toy_none   " in said
    assert "interrupted; everything measured so far is kept" in errors
    assert "Partial run: 1 of 500 planned blocks" in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert store.current(tmp_path / "reports")
