"""A whole trial on this machine: measured beside the baseline, saved into a study, interrupted, and refused."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import raybench
from raybench import cli
from raybench.execution.sandbox import Home
from raybench.model.errors import BadSettings
from raybench.system import process_tree
from raybench.trial import calibrate, target
from raybench.trial.look import Look
from raybench.trial.measure import Effort, subset
from raybench.trial.save import save
from raybench.trial.trial import Trial, Wish
from raybench.trial.verdict import Verdict
from raybench.trial.work import Step
from trial.conftest import COSTS
from trial.made_looks import made

PROCESSES = Wish(backends=("threads", "joblib"), budget_s=20)


def offset(x: int) -> int:
    return sum(i % 7 for i in range(20_000)) + x


def test_a_function_of_the_callers_is_measured_compared_and_shown(calibrated: Any) -> None:
    tried: Trial = raybench.try_(offset, range(400), wish=PROCESSES)

    assert {one.backend for one in tried.rows.backends} <= {"joblib_threads", "joblib"}
    for one in tried.rows.backends:
        assert one.reason == ""
        assert one.answers == "equal"
        assert one.low < one.speedup < one.high
        assert one.high / one.speedup >= 1.0199
    assert tried.verdict.use in ("sequential", "joblib_threads", "joblib")
    assert not process_tree.list_tagged("raybench.")
    assert tried._repr_html_().startswith("<p><strong>")
    assert "<td>sequential</td>" in tried._repr_html_()
    assert json.loads(json.dumps(tried.json()))["look"]["count"] == 400


def test_the_command_line_tries_saves_and_the_study_verifies(
    users: Path, calibrated: Any, certain: None, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["work.py:compute", "--inputs", "range(50)", "--backends", "joblib", "--budget", "5s", "--on", "25"]
    code = cli.main(["try", *words, "--save", "mine"])

    said = capsys.readouterr().out
    assert code == 0, said
    assert "On 25 CPUs" in said
    assert 'raybench run --conf mine/conf study=quick "workloads=[compute]"' in said
    verify = ["verify", "--conf", "mine/conf", "workloads=[compute]", "backends=[sequential]"]
    done = subprocess.run(
        [sys.executable, "-m", "raybench", *verify],
        env={**os.environ, "PYTHONPATH": "mine"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    again = Trial(look=Look(name="compute", count=50, cpus=2), verdict=Verdict(use="", cpus=1, sentences=()))
    with pytest.raises(BadSettings, match="already there"):
        save(Path("mine"), again, function="work.py:compute", setup="", spec="range(50)", star=False)


def test_json_is_all_that_standard_output_holds(
    users: Path, calibrated: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.main(["try", "work.py:tiny", "--inputs", "range(20)", "--backends", "joblib", "--json"])

    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert found["verdict"]["use"] == "sequential"
    assert "too short" in found["verdict"]["sentences"][0]


def test_a_function_that_fails_gives_one_sentence_and_exit_code_1(
    users: Path, calibrated: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.main(["try", "work.py:raise_on_six", "--inputs", "range(20)"])

    assert code == 1
    assert "Cannot tell: raise_on_six raises ValueError: planted on item 6" in capsys.readouterr().out


def test_an_item_that_fails_in_the_baseline_only_is_named_as_the_item_it_is(
    users: Path, calibrated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raybench.trial.look.MOST_SAMPLED", 1)
    (users / "late.py").write_text("def f(x):\n    if x == 3: raise ValueError('late')\n    return sum(range(10**6))\n")
    found = raybench.try_(target.find("late.py:f").function, [0, 1, 2, 3] * 10, wish=PROCESSES)

    assert found.verdict.use == ""
    assert "the sequential baseline fails" in found.verdict.sentences[0]


def test_one_item_and_none_need_no_backend() -> None:
    assert raybench.try_(offset, iter([7])).verdict.sentences == ("Do not distribute: there is one item, so one task.",)
    with pytest.raises(BadSettings, match="no items"):
        raybench.try_(offset, iter([]))


def test_a_generator_is_read_once(calibrated: Any) -> None:
    found = raybench.try_(offset, (i for i in range(30)), wish=PROCESSES)

    assert found.look.count == 30
    assert found.verdict.use


def test_few_large_results_are_measured_where_all_of_them_would_fill_the_memory() -> None:
    found = subset(made(seconds=0.1, sizes=(10, 500 * 2**20)), range(200), 2, Effort(budget_s=60))

    assert len(found) == 2


def test_ctrl_c_gives_what_is_known_so_far(calibrated: Any) -> None:
    def interrupt(step: Step) -> None:
        if step.text.startswith("measuring: round 2"):
            raise KeyboardInterrupt

    found = raybench.try_(offset, range(400), wish=PROCESSES, observe=interrupt)

    assert found.rows.interrupted
    assert found.stopped.startswith("interrupted")
    assert found.predictions
    assert not process_tree.list_tagged("raybench.")


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (Wish(cpus=(4000,)), "cores are usable here"),
        (Wish(elsewhere=(0,)), "--on"),
        (Wish(budget_s=0), "--budget"),
        (Wish(backends=("joblob",)), "joblib"),
    ],
)
def test_a_bad_wish_is_refused_before_anything_starts(wish: Wish, told: str) -> None:
    with pytest.raises(BadSettings, match=told):
        raybench.try_(offset, [1, 2], wish=wish)


@pytest.mark.ray
def test_ray_is_calibrated_and_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYBENCH_CACHE", str(tmp_path))

    found = raybench.try_(offset, range(200), wish=Wish(backends=("joblib", "ray", "ray_batched"), budget_s=40))

    assert {one.backend for one in found.predictions} == {"joblib", "ray_tasks", "ray_batched"}
    assert list(tmp_path.glob("calibration-*.json"))
    assert all(one.reason == "" for one in found.rows.backends)


def test_a_calibration_in_which_a_backend_failed_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYBENCH_CACHE", str(tmp_path))
    found = [replace(COSTS, failed={"ray_tasks": "no answer"}), COSTS]
    monkeypatch.setattr(calibrate, "measure", lambda home, observe: found.pop(0))

    with Home() as home:
        assert calibrate.calibration(home, print).failed
        assert not list(tmp_path.glob("calibration-*"))
        assert not calibrate.calibration(home, print).failed
        assert calibrate.calibration(home, print).cached
