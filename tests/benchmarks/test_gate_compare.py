"""The gate's script: plants fit today's code, sides are apart, records become the calibration's page."""

import ast
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from checkout import ROOT
from gate import calibration, compare, planted, trees
from gate.judge import Outcome, Rounds, judge
from raybench.model.errors import RaybenchError

RUNNER = "src/raybench/execution/runner.py"
PROBES = {"harness": 6, "other": 6}


@pytest.mark.parametrize("name", sorted(planted.PLANTS))
def test_every_plant_fits_todays_code(name: str, tmp_path: Path) -> None:
    plant = planted.PLANTS[name]
    copy = tmp_path / plant.path
    copy.parent.mkdir(parents=True)
    before = (ROOT / plant.path).read_text(encoding="utf-8")
    copy.write_text(before, encoding="utf-8")

    plant.into(tmp_path)

    after = copy.read_text(encoding="utf-8")
    assert after != before and ast.parse(after)


@pytest.mark.parametrize("name", sorted(planted.PLANTS))
def test_every_plant_names_a_benchmark_that_the_short_gate_takes(name: str) -> None:
    probes = (ROOT / "benchmarks" / "gate" / "probes.py").read_text(encoding="utf-8")

    assert f'"{planted.PLANTS[name].named}"' in probes


def test_a_plant_that_no_longer_fits_is_an_error(tmp_path: Path) -> None:
    plant = planted.PLANTS["sleep"]
    (tmp_path / plant.path).parent.mkdir(parents=True)
    (tmp_path / plant.path).write_text("nothing of the kind\n", encoding="utf-8")

    with pytest.raises(RaybenchError, match="holds 0 times"):
        plant.into(tmp_path)


def test_only_the_candidate_gets_the_plant() -> None:
    with trees.lay_out("", "sleep") as laid:
        texts = {side: (tree / RUNNER).read_text(encoding="utf-8") for side, tree in laid.items()}

    assert texts["reference"] == texts["twin"] == (ROOT / RUNNER).read_text(encoding="utf-8")
    assert texts["candidate"] != texts["reference"]


def test_a_probe_imports_its_own_trees_raybench_and_keeps_bytecode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    environment = compare.environment(tmp_path)

    assert environment["PYTHONPATH"].startswith(str(tmp_path / "src"))
    assert "PYTHONDONTWRITEBYTECODE" not in environment


def test_a_probe_that_measured_another_raybench_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "probes.py"
    fake.write_text('print(\'{"raybench": "/elsewhere/raybench/__init__.py", "seconds": {}}\')\n')
    monkeypatch.setattr(compare, "PROBES", fake)

    with pytest.raises(SystemExit, match="measured /elsewhere"):
        compare.run_probe("harness", tmp_path)


class Machine:
    """Stands in for the probes: seconds by side, with noise; counts what was asked, fails where told."""

    def __init__(self, slower: float = 1.0) -> None:
        self.rng = np.random.default_rng(3)
        self.slower = slower
        self.asked: list[str] = []
        self.failures: list[tuple[str, str]] = []  # probe, side: each fails once

    def run_probe(self, probe: str, tree: Path) -> compare.Seconds:
        self.asked.append(probe)
        if (probe, tree.name) in self.failures:
            self.failures.remove((probe, tree.name))
            return "broken"
        slower = self.slower if probe == "harness" and tree.name == "candidate" else 1.0
        return {f"{probe}: cost": slower * float(np.exp(self.rng.normal(0, 0.01)))}


@pytest.fixture
def laid(tmp_path: Path) -> dict[str, Path]:
    return {side: tmp_path / side for side in trees.SIDES}


def test_a_regression_is_measured_again_by_its_probe_alone_and_named(
    laid: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(slower=1.3)
    monkeypatch.setattr(compare, "run_probe", machine.run_probe)

    outcome, _, again = compare.compare(PROBES, laid, seed=1)

    assert outcome.failed == ("harness: cost",)
    assert again is not None and [one.benchmark for one in again.rounds] == ["harness: cost"]
    assert machine.asked.count("harness") == 2 * machine.asked.count("other")


def test_a_failure_that_does_not_come_again_is_no_regression(
    laid: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine()
    machine.failures = [("harness", "candidate"), ("other", "twin")]
    monkeypatch.setattr(compare, "run_probe", machine.run_probe)

    taken = compare.take(PROBES, laid, seed=1)

    assert not taken.left_out
    assert {len(one.candidate) for one in taken.rounds} == {6}


def test_what_only_the_candidate_cannot_run_is_a_regression(
    laid: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine()
    machine.failures = [("harness", "candidate")] * 2
    monkeypatch.setattr(compare, "run_probe", machine.run_probe)

    with pytest.raises(SystemExit, match="harness runs on the reference and not on this tree: broken"):
        compare.take(PROBES, laid, seed=1)


def test_a_probe_that_its_reference_cannot_run_is_left_out_with_the_reason(
    laid: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine()
    machine.failures = [("harness", "reference"), ("harness", "twin")] * 2
    monkeypatch.setattr(compare, "run_probe", machine.run_probe)

    taken = compare.take(PROBES, laid, seed=1)

    assert taken.left_out == {"harness": "broken"}
    assert [one.benchmark for one in taken.rounds] == ["other: cost"]


def record(folder: Path, name: str, *, plant: str = "", seed: int = 1) -> None:
    """Write a made record: three benchmarks, the plant's own slower by half and failed."""
    rng = np.random.default_rng(seed)
    found = []
    for benchmark in (one.named for one in planted.PLANTS.values()):
        slow = bool(plant) and benchmark == planted.PLANTS[plant].named
        reference, twin, candidate = np.exp(rng.normal(0, 0.02, (3, 6))).tolist()
        candidate = [1.5 * value if slow else value for value in candidate]
        found.append(
            Rounds(
                benchmark=benchmark, unit="s", reference=tuple(reference), twin=tuple(twin), candidate=tuple(candidate)
            )
        )
    first = tuple(judge(one) for one in found)
    outcome = Outcome(first=first, again=tuple(j for j in first if j.suspected and plant))
    told = {
        "plant": plant,
        "failed": outcome.failed,
        "first": [asdict(j) for j in outcome.first],
        "again": [asdict(j) for j in outcome.again],
        "rounds": [asdict(one) for one in found],
    }
    (folder / f"{name}.json").write_text(json.dumps(told), encoding="utf-8")


def test_the_page_is_written_from_the_records_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "RESAMPLES", 60)
    for number in range(1, 6):
        record(tmp_path, f"aa{number}", seed=number)
    record(tmp_path, "confirm1", seed=9)
    for name in planted.PLANTS:
        record(tmp_path, f"plant-{name}", plant=name)

    text, good = calibration.page(tmp_path)

    assert good and "Everything as promised: yes." in text
    assert "60 resamples of 5 recorded runs" in text
    assert text.count("| passes |") == 6 and text.count("| found |") == len(planted.PLANTS)


def test_a_missed_plant_is_not_as_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "RESAMPLES", 20)
    for number in range(1, 6):
        record(tmp_path, f"aa{number}", seed=number)

    _, good = calibration.page(tmp_path)

    assert not good


@pytest.mark.parametrize("case", ["no history", "not the owner's"])
def test_where_git_does_not_answer_the_gate_says_so_in_one_line(case: str, tmp_path: Path) -> None:
    env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path)}
    shutil.copytree(ROOT / "benchmarks", tmp_path / "tree" / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tree" / "src").symlink_to(ROOT / "src")
    if case == "not the owner's":
        subprocess.run(["git", "init", "-q", str(tmp_path / "tree")], check=True)
        env |= {
            "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
        }

    done = subprocess.run(
        [sys.executable, str(tmp_path / "tree" / "benchmarks" / "gate"), "--short"],
        env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert ("not a git repository" if case == "no history" else "safe.directory") in line
