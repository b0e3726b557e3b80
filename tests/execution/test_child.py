"""A child of the runner: every wait for it ends, and how it ended is said."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from raybench.execution import child as children
from raybench.execution.child import Bounds, Child, Cut, Ending
from raybench.system import process_tree

ENV = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PATH": os.environ["PATH"]}
SOON = Bounds(timeout_s=2.0)
LATE = Bounds(timeout_s=60.0)


@pytest.fixture
def child(tag: str, tmp_path: Path) -> Iterator[Child]:
    with Child("toys.answers", env=ENV | {process_tree.TAG: tag}, cwd=tmp_path) as started:
        yield started


def test_a_child_that_writes_without_pause_is_ended_at_its_time_out(child: Child) -> None:
    child.send({"how": "floods"})
    assert child.wait(SOON).cut is Cut.TIME


def test_a_child_that_writes_without_pause_is_ended_at_its_memory_limit(child: Child) -> None:
    child.send({"how": "floods"})
    ending = child.wait(Bounds(timeout_s=60.0, memory_bytes=100, held_bytes=lambda: 101))
    assert (ending.cut, ending.most_bytes) == (Cut.MEMORY, 101)


def test_an_answer_without_an_end_is_cut(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "MOST_BYTES", 2**20)
    child.send({"how": "never_ends_a_line"})
    assert child.wait(LATE).cut is Cut.LENGTH


def test_a_finished_line_counts_although_a_forked_grandchild_holds_the_pipe(child: Child) -> None:
    child.send({"how": "forks"})
    ending = child.wait(LATE)
    assert (ending.lines, ending.cut, ending.returncode) == (("done",), None, 0)


def test_the_cause_of_a_childs_end_is_the_last_line_of_its_traceback(child: Child) -> None:
    child.send({"how": "raises"})
    assert list(child.lines(LATE)) == []
    ending = child.end()
    assert (ending.how, ending.last_words) == ("ended with exit code 1", "ValueError: planted boom")


def test_half_a_line_is_handed_on_with_the_signal_that_cut_it(child: Child) -> None:
    child.send({"how": "half"})
    ending = child.wait(LATE)
    assert ending.lines == ('{"cell":"zz',)
    assert ending.how == "ended with signal 9 (SIGKILL)"


def test_a_child_that_closes_its_pipe_and_stays_is_not_waited_for(
    child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "LAST_WAIT_S", 0.1)
    child.send({"how": "closes"})
    assert child.wait(LATE).how == "closed its pipe"


def test_a_request_larger_than_a_pipe_does_not_stop_the_runner(child: Child) -> None:
    child.send({"how": "hangs", "padding": "x" * 300_000})
    assert child.wait(SOON).cut is Cut.TIME


def test_the_time_out_of_lines_is_for_each_of_them(child: Child) -> None:
    child.send({"how": "two_lines"})
    assert list(child.lines(LATE)) == ["one", "two"]
    assert child.end() == Ending(lines=(), returncode=0)
