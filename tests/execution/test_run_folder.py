"""Which run goes on and which begins anew, and what is said about it."""

import errno
import fcntl
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from checkout import TOYS
from raybench.config import settings
from raybench.config.settings import Settings
from raybench.execution import run_folder
from raybench.execution.run_folder import Run, known_seconds, note_stop, open_run, plan_study, why_finished
from raybench.model.errors import BadStore, StoreInUse
from raybench.model.measurement import Environment
from raybench.store import store
from raybench.system import machine


@pytest.fixture
def asked(tmp_path: Path) -> Settings:
    return settings.load(
        ["study=smoke", f"reports={tmp_path}", "cpus=[1]", "backends=[sequential]", "workloads=[toy_none]"], conf=[TOYS]
    )


def opened(asked: Settings) -> Run:
    def collect(identity: Mapping[str, str], command: str) -> Environment:
        """Stand in for the fingerprint, which takes seconds."""
        began = f"run{len(list(asked.reports.rglob('plan.json')))}"
        return Environment(machine="toy", identity=identity, began=began, facts={}, command=command)

    return open_run(asked, plan_study(asked), command="test", collect=collect)


@pytest.mark.rule(47)
def test_the_same_identity_goes_on_and_another_one_begins_anew_with_the_reason(asked: Settings) -> None:
    first = opened(asked)
    again = opened(asked)
    assert (again.folder, again.resumed, again.note) == (first.folder, True, f"continuing {first.folder.name}")

    blocks = replace(asked, study=replace(asked.study, blocks=asked.study.blocks + 1))
    other = opened(blocks)
    assert not other.resumed
    assert other.note == (f"changed since {first.folder.name}: the plan (study, overrides or sizes); a new run begins")


def test_switches_that_reach_a_measured_process_begin_a_new_run(
    asked: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(asked)
    monkeypatch.setattr(run_folder, "environment", lambda *_, **__: {"PYTHONMALLOC": "debug"})
    assert "switches: none -> PYTHONMALLOC=debug" in opened(asked).note


def test_a_second_one_that_begins_at_the_same_moment_is_refused_and_leaves_no_run(asked: Settings) -> None:
    study = asked.reports / "raw" / machine.machine_key() / asked.study.name
    with store.lock(study), pytest.raises(StoreInUse, match="another raybench run"):
        opened(asked)
    assert list(study.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EBADF, errno.ENOSYS, errno.ENOLCK])
def test_a_file_system_without_locks_is_one_line_and_no_folder(
    asked: Settings, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(number, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(BadStore, match=r"gives no lock .*reports=FOLDER"):
        opened(asked)
    assert not list(asked.reports.rglob("plan.json"))


def test_reports_that_cannot_be_written_are_one_line(asked: Settings) -> None:
    (asked.reports / "raw").write_text("a file where a folder must be")
    with pytest.raises(BadStore, match=r"cannot be written .*reports=FOLDER"):
        opened(asked)


def test_a_damaged_environment_is_set_aside_and_said(asked: Settings) -> None:
    first = opened(asked)
    (first.folder / store.ENVIRONMENT).write_bytes(b"\xff{")
    again = opened(asked)
    assert not again.resumed
    assert f"set aside: {first.folder / store.ENVIRONMENT}: not UTF-8" in again.note


def test_an_edited_plan_is_refused(asked: Settings) -> None:
    path = opened(asked).folder / store.PLAN
    path.write_text(path.read_text().replace('"blocks": ', '"blocks": 1'))
    with pytest.raises(BadStore, match="edited"):
        opened(asked)


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b"[", b"[" * 100_000, b"{}", b'{"reason": 1, "budget_min": 1, "lines": 0}']
)
def test_a_damaged_note_of_the_last_stop_is_set_aside_and_said(asked: Settings, text: bytes) -> None:
    first = opened(asked)
    note_stop(first, "complete", budget_min=1)
    assert why_finished(first, budget_min=1) == "complete"
    (first.folder / run_folder.STOPPED).write_bytes(text)
    assert why_finished(first, budget_min=1) == ""
    assert "stopped.json cannot be read; measured on without it" in opened(asked).note


def test_estimates_do_without_a_damaged_run(asked: Settings) -> None:
    run = opened(asked)
    (run.folder / store.MEASUREMENTS).write_text("{}\n{}\n")
    assert known_seconds(asked.reports, run.plan) == {}
