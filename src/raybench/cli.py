"""The verbs of the command line. Each imports what it needs when it runs, so that --help stays fast."""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raybench import edge
from raybench.edge import say

if TYPE_CHECKING:
    from raybench.config.settings import Settings
    from raybench.execution.run_folder import Run


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; 0 fine, 1 something failed or disagrees, 2 refused with one line, 130 interrupted."""
    return edge.run(_DO, argv)


def _settings(arguments: argparse.Namespace) -> "Settings":
    from raybench.config import settings

    return settings.load(arguments.overrides, conf=arguments.conf)


def _place(arguments: argparse.Namespace) -> "Settings":
    """Read the settings, and look at the cluster that they name before anything is planned."""
    from raybench.execution import joining

    asked = joining.join(_settings(arguments))
    cluster = asked.study.cluster
    if cluster.is_joined:
        say(
            f"cluster {cluster.machine}: {len(cluster.found)} nodes, {cluster.cpus} CPUs, {cluster.gpus} GPUs",
            sys.stderr,
        )
    return asked


# --- verbs ----------------------------------------------------------------------------------------


def _plan(arguments: argparse.Namespace) -> int:
    from raybench import console
    from raybench.execution import run_folder
    from raybench.planning.planner import estimate_s

    asked = _place(arguments)
    made = run_folder.plan_study(asked)
    seconds = estimate_s(made.jobs, run_folder.known_seconds(asked.reports, made, run_folder.place_of(asked)))
    console.show_plan(made, seconds, asked.study.budget_min)
    return 0


def _run(arguments: argparse.Namespace) -> int:
    if not arguments.json:
        return _measure(arguments)
    with contextlib.redirect_stdout(sys.stderr):  # a script reads JSON, and nothing else
        return _measure(arguments)


def _measure(arguments: argparse.Namespace) -> int:
    from raybench.execution import adaptive, run_folder

    asked = _place(arguments)
    _fetch(run_folder.missing_data(asked))
    made = run_folder.plan_study(asked)
    opened = run_folder.open_run(asked, made, command=f"raybench run {' '.join(arguments.overrides)}".strip())
    say(f"run {opened.folder}: {opened.note}")
    if arguments.keep_logs:
        run_folder.keep_logs(opened)
    why = run_folder.why_finished(opened, budget_min=asked.study.budget_min)
    if why and not asked.study.retry_failed and not adaptive.is_open(opened):
        say(f"nothing left to measure: {why}")
    else:
        try:
            _pursue(opened, asked)
        except KeyboardInterrupt:  # what is measured is shown and reported all the same
            _conclude(opened, asked, arguments)
            raise
    _conclude(opened, asked, arguments)
    return _judge_failures(opened, asked)


def _conclude(opened: "Run", asked: "Settings", arguments: argparse.Namespace) -> None:
    """Show the table of a run and write its report; before the first group has ended there are single samples."""
    from raybench import console
    from raybench.report import run_table, shown_run
    from raybench.store import store

    table = shown_run.read(opened.folder, opened.plan)
    if table is None:
        console.show_lines(shown_run.first_samples(opened.folder, opened.plan))
        return
    console.show_lines(run_table.as_lines(table, width=console.width()))
    if arguments.json:
        print(run_table.as_json(table), file=sys.__stdout__)
    if fault := shown_run.append_summary(table, os.environ.get("GITHUB_STEP_SUMMARY", "")):
        say(fault, sys.stderr)
    if not arguments.no_report and opened.plan.verdicts:
        store.set_current(asked.reports, opened.folder)
        _rebuild(asked.reports, opened.folder, arguments, always=False)


def _judge_failures(opened: "Run", asked: "Settings") -> int:
    """Say what failed in the run, now or in an earlier pass, and return the exit code."""
    from raybench.execution import adaptive

    failed = adaptive.count_failures(opened)
    if not failed or asked.study.accept_failed:
        return 0
    say(
        f"{failed} failed in this run: retry=failed measures them again, accept_failed=true accepts them",
        sys.stderr,
    )
    return 1


def _pursue(opened: "Run", asked: "Settings") -> None:
    from raybench import console
    from raybench.execution import adaptive, run_folder
    from raybench.report import shown_run
    from raybench.store import store

    first = shown_run.FirstLines(opened.folder, opened.plan, width=console.width())
    with store.lock(opened.folder), console.progress(first.of) as observe:
        done = adaptive.pursue(opened, asked, observe)
        run_folder.note_stop(opened, done.stopped, budget_min=asked.study.budget_min)
    console.show_pass(done, opened)


def _fetch(names: Sequence[str]) -> None:
    """Try to download the data that is not here; the plan skips what stays away, with the reason."""
    if not names:
        return
    from raybench.workloads import download

    for name in names:
        if reason := download.fetch(name):
            say(f"raybench run: {reason}", sys.stderr)


def _verify(arguments: argparse.Namespace) -> int:
    from raybench import console
    from raybench.execution import verify
    from raybench.model.errors import BadSettings

    arguments.overrides = ["study=everything", *arguments.overrides]
    asked = _settings(arguments)
    if asked.study.cluster.is_joined:
        raise BadSettings(
            "cluster: verify runs on this machine; on a cluster, `raybench run study=smoke` checks answers"
        )
    found = verify.summary([console.show_verified(one) for one in verify.verify_all(asked)])
    console.show_summary(found)
    return 1 if found.bad else 0


def _report(arguments: argparse.Namespace) -> int:
    _rebuild(arguments.root / "reports", _choose_run(arguments), arguments, always=True)
    return 0


def _choose_run(arguments: argparse.Namespace) -> Path:
    """Find the run that is meant: --run, else the one named in reports/current."""
    from raybench.model.errors import BadSettings
    from raybench.store import store

    reports = getattr(arguments, "root", Path()) / "reports"
    folder: Path | None = arguments.run or store.current(reports)
    if folder is None:
        raise BadSettings(f"{reports}/current names no run; measure one with `raybench run study=quick`, or give --run")
    return folder


def _check(arguments: argparse.Namespace) -> int:
    from raybench import console
    from raybench.model.errors import BadSettings
    from raybench.report import document_check
    from raybench.store import store

    if not arguments.root.is_dir():
        raise BadSettings(f"--root {arguments.root}: no such folder; give the one that holds RESULTS.md and reports/")
    reports = arguments.root / "reports"
    folder = arguments.run or store.current(reports)
    if folder is None:
        say(f"nothing to check: {reports / store.CURRENT} names no run; measure one with `raybench run study=quick`")
        return 0
    checked = document_check.check(reports, folder, arguments.root, conf=arguments.conf)
    console.show_claims(checked.claims)
    for fault in checked.faults:
        console.say(fault)
    return 1 if checked.faults else 0


def _compare(arguments: argparse.Namespace) -> int:
    from raybench import console
    from raybench.analysis.compare import Outcome, compare
    from raybench.model.errors import BadSettings
    from raybench.report import compare_page, comparison, texts_compare
    from raybench.report.read_run import read_both

    if len(arguments.overrides) != 2:
        raise BadSettings(f"{len(arguments.overrides)} runs given; expected two: raybench compare A B")
    a, b = read_both(*map(Path, arguments.overrides), conf=arguments.conf)
    found = compare(a.readings, b.readings, same=arguments.same, claims=(a.claims, b.claims))
    if arguments.format == "json":
        print(comparison.as_json(found))
    elif arguments.format == "html":
        print(compare_page.compare_page(found, only_changed=arguments.only_changed), end="")
    else:
        shown = comparison.page(found, only_changed=arguments.only_changed)
        console.show_comparison(shown) if arguments.format == "text" else print(comparison.as_markdown(shown))
    if not found.comparable:
        raise BadSettings(texts_compare.NOT_COMPARABLE)
    bad = (Outcome.WORSE, Outcome.UNDECIDED) if arguments.strict else (Outcome.WORSE,)
    return int(found.outcome in bad)


def _export(arguments: argparse.Namespace) -> int:
    from raybench.store import export, store

    folder = _choose_run(arguments)
    plan, loaded = store.read_run(folder)
    written = export.write(plan, loaded.measurements, arguments.out / f"{folder.name}.{arguments.format}")
    say(f"{written}: {len(loaded.measurements)} measurements, explained by columns.json and schema.json")
    return 0


def _trace(arguments: argparse.Namespace) -> int:
    from raybench.model.errors import BadSettings
    from raybench.report import trace
    from raybench.store import store

    folder = _choose_run(arguments)
    if len(arguments.overrides) != 1:
        raise BadSettings(f"{len(arguments.overrides)} cells given; expected one key, as `raybench plan` prints it")
    plan, loaded = store.read_run(folder)
    found = trace.choose(plan, loaded.measurements, arguments.overrides[0], arguments.block)
    cell = next(cell for cell in plan.cells if cell.key == found.cell)
    out = arguments.out or Path(f"trace-{cell.key}.json")
    out.write_text(trace.text(cell, found, loaded.measurements), encoding="utf-8")
    say(f"{out}: block {found.block} of {cell.workload.name} x {cell.backend.name}; open it in Perfetto")
    return 0


def _view(arguments: argparse.Namespace) -> int:
    from raybench.tracking import view

    found = view.choose(arguments.overrides, tracking_uri=arguments.tracking_uri, port=arguments.port)
    for sentence in found.sentences():
        say(sentence)
    if arguments.start:
        view.start(found)
    return 0


def _rebuild(reports: Path, folder: Path, arguments: argparse.Namespace, *, always: bool) -> None:
    from raybench.report import stale

    if not always and stale.is_unchanged(reports, folder, arguments.root):
        say(f"report of {folder}: unchanged")
        return
    from raybench.report import build

    written = build.rebuild(reports, folder, arguments.root, conf=arguments.conf)
    say(f"report of {folder}: {', '.join(str(path) for path in written) or 'unchanged'}")


def _doctor(arguments: argparse.Namespace) -> int:
    from raybench import console
    from raybench.config import settings
    from raybench.doctor import examination

    if arguments.clean:
        for path in examination.clean():
            say(f"removed {path}")
        return 0
    groups = settings.load(["study=quick"]).study.blocks
    findings = examination.examine(
        groups=groups, start_ray=not arguments.no_ray and not arguments.address, address=arguments.address
    )
    return console.show_findings(findings)


def _cell(arguments: argparse.Namespace) -> int:
    from raybench.execution import run_folder
    from raybench.execution.measure import measure
    from raybench.execution.worker import prints_to_stderr
    from raybench.model.errors import BadSettings
    from raybench.model.plan import Status
    from raybench.model.serialize import to_json

    made = run_folder.plan_study(_place(arguments))
    cells = {job.cell.key: job for job in reversed(made.jobs) if job.replica == 1}
    if len(cells) != 1:
        names = ", ".join(
            f"{job.cell.workload.name} x {job.cell.backend.name} at P={job.cell.cpus}" for job in cells.values()
        )
        raise BadSettings(
            f"{len(cells)} cells are selected ({names or 'all were skipped: see raybench plan'}); "
            "expected one: give workloads=[...] backends=[...] cpus=[...]"
        )
    job = next(iter(cells.values()))
    _prepare_this_process(job)
    with prints_to_stderr():
        measured = measure(job)
    print(json.dumps(to_json(measured), indent=1))
    return 0 if measured.status is Status.OK else 1


def _prepare_this_process(job: Any) -> None:
    """Take on the cell's environment: this verb measures in the very process, for debugging."""
    from raybench.execution.environment import environment

    wanted = environment(job.cell.backend, threads=job.cell.cpus_per_task, job=job) | {"RAYBENCH_TAG": "raybench-cell"}
    stale = (
        os.environ.get("OMP_NUM_THREADS") != wanted["OMP_NUM_THREADS"]
        or os.environ.get("RAYBENCH_TAG") != "raybench-cell"
    )
    if stale:  # thread variables count only before the libraries load, so begin again with them
        os.execve(sys.executable, [sys.executable, "-m", "raybench", *sys.argv[1:]], wanted)
    if job.affinity:
        os.sched_setaffinity(0, job.affinity)


def _try(arguments: argparse.Namespace) -> int:
    from raybench import console
    from raybench.model.serialize import encode
    from raybench.trial.command import Asked, try_function

    given = {name: getattr(arguments, name) for name in ("inputs", "setup", "star", "cpus", "on", "backends", "budget")}
    with console.steps(tables=not arguments.json) as observe:
        found, saved = try_function(Asked(words=arguments.overrides, **given), observe, folder=arguments.save)
    if arguments.json:
        print(encode(found).decode())
    else:
        console.console().print(found)
    for sentence in saved:
        console.say(sentence)
    return 0 if found.verdict.use else 1


def _calibrate(arguments: argparse.Namespace) -> int:
    from raybench import console
    from raybench.execution.sandbox import Home
    from raybench.model.serialize import encode
    from raybench.trial.calibrate import calibration

    with Home() as home, console.steps() as observe:
        found = calibration(home, observe, fresh=True)
    if arguments.json:
        print(encode(found).decode())
    else:
        console.show_costs(found)
    return 1 if found.failed else 0


def _tracking(arguments: argparse.Namespace) -> int:
    """Do a verb that needs MLflow."""
    from raybench.tracking import extra

    extra.prepare()  # before anything imports MLflow
    import importlib

    verb = importlib.import_module(f"raybench.tracking.{arguments.verb}")
    return int(verb.command(arguments, _choose_run, say))


_DO: dict[str, Callable[[argparse.Namespace], int]] = {
    "plan": _plan,
    "run": _run,
    "verify": _verify,
    "report": _report,
    "check": _check,
    "compare": _compare,
    "export": _export,
    "trace": _trace,
    "view": _view,
    "doctor": _doctor,
    "cell": _cell,
    "try": _try,
    "calibrate": _calibrate,
    "track": _tracking,
    "promote": _tracking,
}


if __name__ == "__main__":
    sys.exit(main())
