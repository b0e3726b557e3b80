"""The user's function is found in files and modules, and travels to processes that cannot import it."""

import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from raybench.model.errors import BadSettings
from raybench.trial import target

CALL = "import sys, pickle; print(pickle.loads(sys.stdin.buffer.read())(1))"


def call_elsewhere(payload: bytes) -> str:
    """Unpickle and call in a process that has no path to the user's folder."""
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", CALL], input=payload, capture_output=True, check=True, cwd="/", env=bare
    )
    return done.stdout.decode().strip()


def test_a_function_of_a_file_runs_where_nobody_can_import_it(users: Path) -> None:
    found = target.find("work.py:compute")

    assert call_elsewhere(found.payload) == str(found.function(1))


def test_a_function_of_a_module_in_the_working_folder_is_found(users: Path) -> None:
    (users / "inner").mkdir()
    (users / "inner" / "deep.py").write_text("def f(x):\n    return x + 41\n")

    assert call_elsewhere(target.find("inner.deep:f").payload) == "42"


def test_an_installed_function_travels_by_its_name() -> None:
    assert pickle.loads(target.find("math:sqrt").payload)(4) == 2


def test_closures_and_lambdas_travel() -> None:
    offset = 5

    assert call_elsewhere(target.of(lambda x: x + offset).payload) == "6"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("compute", "expected MODULE:FUNCTION or FILE.py:FUNCTION"),
        ("wrk.py:compute", "did you mean work.py"),
        ("work.py:computes", "did you mean compute"),
        ("work.py:STEPS", "no function"),
        ("work.py:generate", "generator"),
        ("no_such_module:f", "no module of that name"),
        ("broken.py:f", "cannot be imported: SystemExit"),
        ("needs.py:f", "imports not_there_at_all, which is not installed"),
    ],
)
def test_what_is_not_there_is_told_in_one_sentence(users: Path, text: str, told: str) -> None:
    (users / "broken.py").write_text("import sys\nsys.exit(4)\n")
    (users / "needs.py").write_text("import not_there_at_all\n")

    with pytest.raises(BadSettings, match=told) as caught:
        target.find(text)

    assert "\n" not in str(caught.value)


def test_a_function_that_cannot_be_called_with_an_item_is_refused_before_anything_starts(users: Path) -> None:
    two = target.find("work.py:add")

    with pytest.raises(BadSettings, match="--star"):
        target.check_call(two, star=False, setup=False, item=1)
    with pytest.raises(BadSettings, match="must be a tuple"):
        target.check_call(two, star=True, setup=False, item=1)
    target.check_call(two, star=True, setup=False, item=(1, 2))
    target.check_call(target.find("work.py:with_state"), star=False, setup=True, item=1)


def test_a_function_that_holds_a_lock_is_refused_with_what_to_do() -> None:
    lock = threading.Lock()

    def locked(x: int) -> int:
        with lock:
            return x

    with pytest.raises(BadSettings, match="inside the function, or in --setup"):
        target.of(locked)
