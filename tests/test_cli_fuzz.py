"""Whatever is typed, the command line answers with an exit code of README and at worst one line."""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from raybench import cli
from raybench.arguments import VERBS
from report import made_run

EXAMPLES = 200
STEERING = {"\x1b", "\u202e", "\x07", "\x08"}

READING = ["plan", "report", "check", "export", "trace"]
OPTIONS = sorted(
    {"--conf", "--run", "--root", "--out", "--format", "--block", "--no-report", "--nosuch", "--", "-x", "-"}
)
KEYS = [
    *("study", "workloads", "backends", "cpus", "gpus", "size", "blocks", "budget_min", "reports", "cluster", "seed"),
    *(
        "limits.memory_gib",
        "limits",
        "workload.noop.params.count",
        "study.grid",
        "retry",
        "environment",
        "nosuch",
        "+a",
    ),
    *("~limits", "hydra.run.dir", "workload", "backend.joblib.params"),
]
VALUES = [
    *(
        "smoke",
        "[noop]",
        "[sequential]",
        "[1]",
        "0",
        "-1",
        "1e999",
        "nan",
        "null",
        "[]",
        "[null]",
        "{}",
        "{a: 1}",
        "''",
    ),
    *(
        "${x}",
        "[[1]]",
        "true",
        "1.5",
        "..",
        "/proc",
        "\x1b[31mred",
        "\u202etxt.exe",
        "a,b",
        "'",
        '"',
        "[",
        "}",
        "ß (2)",
    ),
]
PATHS = [
    "",
    ".",
    "..",
    "nosuch",
    "/proc",
    "/dev/null",
    "file",
    "reports",
    "\x1b[2J",
    "\u202e",
    "a,b",
    "x" * 300,
]

any_text = st.text(st.characters(exclude_characters="\x00/", exclude_categories=["Cs"]), max_size=12)
override = st.builds("{}={}".format, st.sampled_from(KEYS) | any_text, st.sampled_from(VALUES) | any_text)
option = st.sampled_from(OPTIONS) | st.builds("{}={}".format, st.sampled_from(OPTIONS), st.sampled_from(PATHS))
word = override | option | st.sampled_from(PATHS) | any_text
some = st.lists(word, max_size=4)
plain = st.builds(lambda verb, words: [verb, *words], st.sampled_from(READING), some)
of_a_run = st.builds(lambda verb, words: [verb, "--run", "run", *words], st.sampled_from(["export", "trace"]), some)
# verbs that would measure or start Ray meet a wrong word first, and refuse before they begin
refused = st.builds(lambda verb, words: [verb, "nosuch=1", *words], st.sampled_from([*VERBS, "nosuch", ""]), some)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make a folder of a user with one run, and stay in it."""
    home = tmp_path_factory.mktemp("fuzz")
    made_run.write(home / "reports").rename(home / "run")  # no run is current: `report` and `check` have no work
    (home / "reports" / "current").unlink()
    (home / "file").write_text("")
    with contextlib.chdir(home):
        yield home


@seed(20260131)
@settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(words=plain | of_a_run | refused)
def test_no_command_line_ends_in_a_traceback(folder: Path, words: list[str]) -> None:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(words)

    assert code in (0, 1, 2)
    assert "Traceback" not in err.getvalue()
    assert "please report it" not in err.getvalue()
    assert not STEERING & set(out.getvalue() + err.getvalue())
    assert err.getvalue().count("\n") == (1 if code == 2 else 0)
    assert os.path.samefile(Path.cwd(), folder)
