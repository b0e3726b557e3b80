"""What the documents show to a newcomer works as it stands there."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from checkout import ROOT
from raybench.analysis.analyze import analyse
from raybench.claims.reading import read_file
from raybench.report import build
from raybench.report.plots.canvas import svg
from report import made_run

BLOCK = re.compile(r"^```(?:python|yaml)\n# (?P<path>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)#:]+)(?:#[^)]*)?\)")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "METHODOLOGY.md", "CHANGELOG.md")


def unpack(document: str, folder: Path) -> set[str]:
    """Write every file that a document shows, by the path in its first line."""
    blocks = list(BLOCK.finditer((ROOT / document).read_text(encoding="utf-8")))
    for block in blocks:
        path = folder / block["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block["text"], encoding="utf-8")
    return {block["path"] for block in blocks}


def cell(*words: str, modules: Path) -> dict[str, object]:
    """Take one measurement through the command line."""
    path = os.pathsep.join([str(modules), str(ROOT / "src")])
    done = subprocess.run(
        [sys.executable, "-m", "raybench", "cell", "study=smoke", "cpus=[1]", *words],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_the_readme_s_own_function_runs_and_is_checked(tmp_path: Path) -> None:
    assert unpack("README.md", tmp_path) == {"work.py", "mine/collatz.py", "mine/conf/workload/collatz.yaml"}

    found = cell(
        "--conf", f"{tmp_path}/mine/conf", "workloads=[collatz]", "backends=[sequential]", modules=tmp_path / "mine"
    )

    assert found["status"] == "ok"


def test_the_recipes_workload_runs_on_the_recipes_backend(tmp_path: Path) -> None:
    """Outside the package, where `raybench.workloads` cannot take new modules, the targets are named without it."""
    unpack("CONTRIBUTING.md", tmp_path)
    for kind, name in (("workload", "collatz"), ("backend", "process_pool")):
        yaml = tmp_path / "conf" / kind / f"{name}.yaml"
        yaml.write_text(yaml.read_text(encoding="utf-8").replace(f"raybench.{kind}s.", ""), encoding="utf-8")
        (tmp_path / f"{name}.py").write_text(
            (tmp_path / "src" / "raybench" / f"{kind}s" / f"{name}.py").read_text(encoding="utf-8"), encoding="utf-8"
        )

    found = cell("--conf", f"{tmp_path}/conf", "workloads=[collatz]", "backends=[process_pool]", modules=tmp_path)

    assert found["status"] == "ok"
    assert len(found["workers_seen"]) == 1  # type: ignore[arg-type]


def test_the_recipes_plot_draws_the_peaks_of_a_run(tmp_path: Path) -> None:
    unpack("CONTRIBUTING.md", tmp_path)
    recipe = runpy.run_path(str(tmp_path / "src" / "raybench" / "report" / "plots" / "memory.py"))
    reports = tmp_path / "reports"
    findings = analyse(build.read(made_run.write(reports), reports))

    data = recipe["series"](findings)

    assert len(data.rows) == sum(row.peak_rss is not None for row in findings.rows) > 0
    assert "MiB" in svg(recipe["PLOT"], data)


def test_the_recipes_claim_is_read(tmp_path: Path) -> None:
    unpack("CONTRIBUTING.md", tmp_path)

    claim = read_file(tmp_path / "conf" / "claim" / "c13.yaml")

    assert claim.statement == "compute-bound work keeps an efficiency of 0.7-0.8"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_within_the_project_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    generated = {"RESULTS.md"}  # written by the first run
    targets = {match["target"] for match in LINK.finditer(text)} - generated

    assert [target for target in targets if not (ROOT / target).exists()] == []
