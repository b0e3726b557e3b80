"""What the command line does with errors, signals and closed outputs: one line, and the exit codes of README."""

import json
import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from checkout import ROOT
from raybench import cli, console
from raybench.arguments import VERBS
from raybench.report import document_check
from report import made_run

SMOKE = ("study=smoke", "workloads=[noop]", "backends=[sequential]")
LINUX_ONLY = [name for name, verb in VERBS.items() if verb.needs_linux]


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a verb that must refuse, and return its one line."""
    assert cli.main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"raybench {words[0]}: ")
    return line


def shell(words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a line of bash with `raybench` as a function; the exit code is that of raybench."""
    line = f'raybench() {{ "{sys.executable}" -m raybench "$@"; }}; {words}'
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    env = os.environ | {"PYTHONPATH": path}
    return subprocess.run(["bash", "-c", line], cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# --- an error becomes one line --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PermissionError(13, "Permission denied", "reports"),
            "reports: permission denied; give this user the permission",
        ),
        (OSError(28, "No space left on device", "/x/y"), "/x/y: no space left on device; make room"),
        (OSError(30, "Read-only file system", b"/x"), "/x: read-only file system; choose a folder"),
        (OSError(27, "File too large"), "file too large; raise the limit on the size of files (ulimit -f)"),
        (FileNotFoundError(2, "No such file or directory"), "the working folder: no such file or directory"),
        (ValueError("odd\n\x1b[31m\u202evalue"), "unexpected ValueError: odd"),
        (AttributeError("module 'os' has no attribute 'x'"), "unexpected AttributeError: module 'os'"),
        (RecursionError(), "unexpected RecursionError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_that_no_verb_expects_is_one_harmless_line_and_exit_2(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(document_check, "check", broken)
    folder = made_run.write(Path("reports"))
    line = refusal(capsys, "check", "--run", str(folder))
    assert said in line
    assert not {"\x1b", "\u202e"} & set(line)


def test_a_traceback_is_shown_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYBENCH_TRACEBACK", "1")
    monkeypatch.setattr(console, "show_plan", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["plan", *SMOKE])


def test_an_unknown_name_is_answered_with_the_most_alike_of_many(capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(capsys, "plan", "workloads=[xgb_hop]")
    assert "did you mean 'xgb_hpo'? choose from xgb_hpo, " in line
    assert line.endswith(" others")
    assert line.count(", ") == 19


@pytest.mark.parametrize("where", ["file/reports", "/sys/raybench"])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_measured(
    where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").write_text("")
    line = refusal(capsys, "run", "--no-report", f"reports={where}", *SMOKE)
    assert where in line
    assert "cannot be written" in line


@pytest.mark.parametrize("out", ["file", "/proc"])
def test_an_export_to_what_is_no_folder_or_takes_no_files_is_refused(
    out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").write_text("")
    folder = made_run.write(Path("reports"))
    capsys.readouterr()
    assert out in refusal(capsys, "export", "--run", str(folder), "--out", out)


def test_a_trace_to_a_folder_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    folder = made_run.write(Path("reports"))
    plan = json.loads((folder / "plan.json").read_text())
    key = next(line["cell"] for line in map(json.loads, (folder / "measurements.jsonl").read_text().splitlines()))
    assert plan
    assert "nosuch/x.json: no such file" in refusal(
        capsys, "trace", key, "--run", str(folder), "--out", "nosuch/x.json"
    )


def test_a_limit_on_file_sizes_is_one_line(tmp_path: Path) -> None:
    folder = made_run.write(Path("reports"))
    done = shell(f"ulimit -f 1; raybench export --run {folder} --format csv", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "file too large; raise the limit on the size of files (ulimit -f)" in done.stderr


def test_a_working_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    done = shell("mkdir gone; cd gone; rmdir ../gone; raybench plan study=smoke", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "the working folder: no such file or directory" in done.stderr


def test_a_user_without_a_home_folder_gets_the_plan_and_is_told_of_the_cache(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody(_: int) -> None:
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for name in ("HOME", "XDG_CACHE_HOME", "RAYBENCH_CACHE", "RAYBENCH_DATA"):
        monkeypatch.delenv(name, raising=False)

    assert cli.main(["plan", "study=quick"]) == 0
    assert "set RAYBENCH_CACHE" in " ".join(capsys.readouterr().out.replace("│", " ").split())


# --- other systems --------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", LINUX_ONLY)
def test_where_the_system_is_not_linux_measuring_is_refused(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    line = refusal(capsys, verb)
    assert "needs Linux" in line
    assert "report, check, compare, export" in line


def test_recorded_runs_are_read_on_any_system(tmp_path: Path) -> None:
    """Without what only Linux has; `check` misses the report that was never written."""
    folder = made_run.write(Path("reports"))
    code = (
        "import os; del os.sched_getaffinity, os.sched_setaffinity; from raybench.cli import main; "
        "assert main(['check']) == 1; assert main(['report', '--run', 'nosuch']) == 2; "
        f"assert main(['export', '--run', {str(folder)!r}, '--out', 'exported']) == 0"
    )
    done = shell(f'"{sys.executable}" -c "{code}"', tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("raybench report: nosuch/plan.json: does not exist")
    assert (tmp_path / "exported" / f"{folder.name}.parquet").is_file()


# --- outputs and signals --------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["plan study=full | head -1", "plan study=smoke | true", "--help | true"])
def test_a_reader_that_goes_is_no_fault(line: str, tmp_path: Path) -> None:
    done = shell(f"raybench {line}; exit ${{PIPESTATUS[0]}}", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_output_that_is_full_is_one_line(tmp_path: Path) -> None:
    done = shell("raybench plan study=smoke > /dev/full", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no space left on device" in done.stderr


def test_a_closed_output_and_a_poor_encoding_are_no_fault(tmp_path: Path) -> None:
    done = shell("raybench plan study=smoke >&- && PYTHONIOENCODING=ascii raybench plan study=smoke", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_asked_to_end_keeps_what_it_has_and_says_so(
    signum: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "show_plan", lambda *_: os.kill(os.getpid(), signum))
    monkeypatch.setattr(signal, "getsignal", lambda _: signal.SIG_DFL)
    assert cli.main(["plan", *SMOKE]) == 130
    assert "interrupted; everything measured so far is kept" in capsys.readouterr().err


def test_a_path_that_steers_the_terminal_is_shown_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    folder = made_run.write(Path("reports"))
    assert cli.main(["export", "--run", str(folder), "--out", "\x1b[31m\u202eout"]) == 0
    assert not {"\x1b", "\u202e"} & set(capsys.readouterr().out)


# --- check ----------------------------------------------------------------------------------------


def test_a_root_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--root nosuch: no such folder" in refusal(capsys, "check", "--root", "nosuch")


def test_a_folder_without_a_run_has_nothing_to_check(capsys: pytest.CaptureFixture[str]) -> None:
    Path("README.md").write_text("we ran 3 tests\n")
    assert cli.main(["check"]) == 0
    assert "nothing to check" in capsys.readouterr().out
