"""Looking at a function: each kind of trouble is one clear sentence, and no process is left."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raybench.execution.sandbox import Home
from raybench.system import process_tree
from raybench.trial import look as looking
from raybench.trial import target
from raybench.trial.look import Look, look, problems
from raybench.trial.work import Work
from trial.made_looks import made


def seen(name: str, items: Sequence[Any] = range(20), *, cpus: int = 1, **options: Any) -> Look:
    work = Work(target=target.find(f"work.py:{name}"), items=items, **options)
    with Home() as home:
        found = look(work, home, cpus=cpus, observe=lambda step: None, seconds=0.5)
        assert not process_tree.list_tagged(home.tag)
        assert not list(home.scratch.glob("look/*"))
    return found


def test_a_good_function_is_timed_over_all_its_items(users: Path) -> None:
    found = seen("compute", cpus=2)

    assert not found.failure
    assert [one.index for one in found.calls] == sorted({one.index for one in found.calls})
    assert found.facts is not None
    assert found.facts.repeatable is True
    assert found.waiting < 0.5
    assert found.slowdown >= 1
    assert all(one.wall_s > 0 and one.bytes_in > 0 and one.bytes_out > 0 for one in found.calls)
    assert "20 tasks of" in found.words()


def test_waiting_is_told_from_computing_and_holds_no_lock(users: Path) -> None:
    found = seen("wait")

    assert found.waiting > 0.8
    assert found.facts is not None
    assert found.facts.lock is not None
    assert found.facts.lock < 0.5
    assert any("waits" in text for text in problems(found))


@pytest.mark.parametrize(
    ("name", "items", "told"),
    [
        ("raise_on_six", range(20), "raises ValueError: planted on item 6 (7 of 20)"),
        ("leave", range(3), "calls sys.exit on item"),
        ("die", range(3), "ended with exit code 9"),
    ],
)
def test_a_function_that_fails_ends_the_trial_with_its_item(
    users: Path, name: str, items: Sequence[Any], told: str
) -> None:
    found = seen(name, items)

    assert told in found.failure
    assert "\n" not in found.failure


@pytest.mark.parametrize(
    ("name", "items", "told"),
    [
        ("say", range(3), "prints"),
        ("draw", range(3), "two answers to one item"),
        ("closure", range(3), "cannot be sent between processes"),
        ("append", [[0], [1]], "changes its item"),
        ("write", range(3), "shared.txt from 3 items"),
        ("large", range(2), "each task moves 500 MiB"),
        ("open_gpu", range(2), "opens a GPU"),
    ],
)
def test_what_a_user_should_know_is_one_sentence(users: Path, name: str, items: Sequence[Any], told: str) -> None:
    found = seen(name, items)

    assert not found.failure
    said = [text for text in problems(found) if told in text]
    assert len(said) == 1
    assert "\n" not in said[0]


def test_a_call_that_does_not_return_is_ended_and_named(users: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "PATIENCE_S", 1.5)
    (users / "slow.py").write_text("import time\ndef sleep(x):\n    time.sleep(600)\n")
    work = Work(target=target.find("slow.py:sleep"), items=[1])

    with Home() as home:
        found = look(work, home, cpus=1, observe=lambda step: None)

    assert "has not returned within 1.5 s on item 0" in found.failure


def test_a_function_with_a_pool_of_its_own_leaves_no_process(users: Path) -> None:
    assert not seen("own_pool", range(2)).failure  # `seen` looks for what is left
    assert any("uses 2.0 cores by itself" in text for text in problems(made(seconds=0.1, cores=2.0)))


def test_setup_and_star_give_their_arguments(users: Path) -> None:
    with_state = seen("with_state", setup=target.find("work.py:state"))
    starred = seen("add", [(1, 2), (3, 4)], star=True)

    assert not with_state.failure
    assert not starred.failure


def test_times_of_all_tasks_keep_a_sampled_straggler_in_its_place() -> None:
    calls = tuple(looking.Call(index=i, wall_s=5.0 if i == 90 else 1.0) for i in range(0, 100, 10))
    found = Look(name="f", count=100, cpus=2, calls=calls)

    seconds = found.task_s(1000)

    assert len(seconds) == 100
    assert 5.0 not in seconds[:85]
    assert seconds[90] == 5.0


def test_a_busy_machine_is_told_from_a_function_that_waits() -> None:
    busy = replace(made(seconds=0.1), calls=(looking.Call(index=0, wall_s=1.0, cpu_s=0.4, queued_s=0.6),))

    assert busy.waiting == pytest.approx(0.0)
    assert any("other programs use the cores (60 % of the time)" in text for text in problems(busy))
    assert not any("other programs" in text for text in problems(made(seconds=0.1)))
