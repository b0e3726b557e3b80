"""What the verbs show on a terminal: tables and a progress bar with rich; plain lines where there is no terminal."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

from rich import markup
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from raybench.execution.run_folder import Run
from raybench.execution.runner import Event, EventKind, Observer, Pass
from raybench.model.plan import Job, Plan, Status
from raybench.model.units import amount, by_unit, duration
from raybench.model.visible import visible
from raybench.planning.planner import limit_note

if TYPE_CHECKING:
    from raybench.analysis.results import ClaimLine
    from raybench.doctor.finding import Finding
    from raybench.execution.verify import Summary
    from raybench.execution.verify_backend import Verified
    from raybench.report.comparison import Page
    from raybench.trial.calibrate import Calibration
    from raybench.trial.work import Observer as StepObserver
    from raybench.trial.work import Step

FirstLines = Callable[[Job], Sequence[str]]
PLAIN_WIDTH = 160  # where the output is no terminal, rich would cut lines at 80


class _Console(Console):
    """A console that leaves a closed pipe to the command line; rich's own ends the process with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """Make a console on standard output, wide enough for a file."""
    plain = not sys.stdout.isatty()
    return _Console(width=PLAIN_WIDTH if plain else None, highlight=False, soft_wrap=plain)


def escape(text: str) -> str:
    """Make text from outside harmless: no markup, nothing that steers the terminal."""
    return markup.escape(visible(text))


def say(text: str) -> None:
    """Print one line, markup and all, at once."""
    console().print(visible(text), markup=False)
    sys.stdout.flush()


def show_plan(plan: Plan, seconds: float, budget_min: float) -> None:
    """Print every cell once, with its number of measurements or the reason why it will be skipped."""
    out = console()
    table = Table(title=f"study {plan.study}: {plan.blocks} blocks, seed {plan.seed}", title_justify="left")
    for name in ("cell", "workload", "backend", "P", "workers", "GPUs", "measurements", "why not / note"):
        table.add_column(name, overflow="fold")
    jobs: dict[str, list[Job]] = {}
    for job in plan.jobs:
        jobs.setdefault(job.cell.key, []).append(job)
    skips = {skip.cell.key: skip.reason for skip in plan.skips}
    for cell in plan.cells:
        mine = jobs.get(cell.key, [])
        note = skips.get(cell.key, "") or (limit_note(mine[0]) if mine else "")
        if cell.oversubscribed:
            note = "OVERSUBSCRIBED" + (f"; {note}" if note else "")
        table.add_row(
            cell.key,
            escape(cell.workload.name),
            escape(cell.backend.name),
            str(cell.cpus),
            str(cell.workers),
            f"{cell.gpus:g}",
            str(len(mine)) if mine else "skipped",
            escape(note),
        )
    out.print(table)
    out.print(
        f"{len(plan.jobs)} measurements of {len(jobs)} cells, {len(skips)} cells skipped; "
        f"about {seconds / 60:.0f} min, budget {budget_min:g} min, {plan.usable_cpus} usable cores"
    )


def show_pass(done: Pass, run: Run) -> None:
    """Print how a pass ended."""
    console().print(
        f"{done.measured} measured, {done.failed} failed, stopped: {done.stopped}; raw data in {run.folder}"
    )


def show_lines(lines: Sequence[str]) -> None:
    """Print lines that are laid out already."""
    for line in lines:
        say(line)


def width() -> int:
    """Return the columns of the terminal, or those that a file is given."""
    return console().width


@contextmanager
def progress(first_lines: FirstLines) -> Iterator[Observer]:
    """Return an observer that shows progress with the time left: a bar on a terminal, else one line per measurement.

    first_lines : called when a group of a workload has ended, returns what to show of it.
    """
    if not sys.stdout.isatty():
        yield partial(_plain, first_lines)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[left]}"), console=console()) as bar:
        task = bar.add_task("starting", total=None, left="")

        def observe(event: Event) -> None:
            if event.kind is EventKind.MEASURED and event.job is not None:
                bar.update(task, completed=event.done, total=event.total, left=f"{event.left_s / 60:.1f} min left")
                if event.measurement is not None and event.measurement.status is not Status.OK:
                    bar.console.print(escape(_line(event)))
            elif event.kind is EventKind.GROUP and event.job is not None:
                for line in first_lines(event.job):
                    bar.console.print(escape(line))
            elif event.job is not None:
                bar.update(task, description=escape(_name(event.job)))
            elif event.text:
                bar.console.print(escape(_sentence(event)))

        yield observe


@contextmanager
def steps(*, tables: bool = True) -> Iterator["StepObserver"]:
    """Return an observer of a trial: its step and the time left on a line of its own, on standard error.

    tables : show the predicted table as soon as it is there.
    """
    plain = not sys.stderr.isatty()
    out = _Console(stderr=True, width=PLAIN_WIDTH if plain else None, highlight=False, soft_wrap=plain)
    with out.status("starting") if out.is_terminal else nullcontext() as status:

        def observe(step: "Step") -> None:
            text = escape(step.text)
            if step.shown is not None and tables:
                out.print(step.shown)
            elif step.lasting:
                out.print(text)
            elif status is not None:
                status.update(f"{text} ({step.left_s:.0f} s left)")

        yield observe


def show_costs(found: "Calibration") -> None:
    """Print what each backend costs, and why one could not be measured."""
    for cost in found.costs:
        per_second = f"{amount(1 / cost.byte_s)}/s" if cost.byte_s else "no cost per byte seen"
        say(
            f"{cost.backend:15} start {duration(cost.start_s)}, empty task {duration(cost.task_s)} "
            f"on {cost.workers} workers, {per_second}"
        )
    for name, reason in found.failed.items():
        say(f"{name:15} could not be measured: {reason}")


def show_verified(one: "Verified") -> "Verified":
    """Print one pair and hand it on."""
    shown = f"{one.status:8} {one.workload:26} {one.backend:26}"
    say(f"{shown} {one.reason or f'{one.tasks} tasks on {one.workers} workers'}")
    return one


def show_summary(found: "Summary") -> None:
    """Print the disagreements and the counts."""
    for line in found.disagreements:
        say(f"disagree {line}")
    say(f"{found.ok} ok, {found.skipped} skipped, {found.failed} failed, {len(found.disagreements)} scores disagree")


def show_claims(claims: Sequence["ClaimLine"]) -> None:
    """Print every claim's verdict with the number behind it, what was demanded, and why."""
    for claim in claims:
        value = by_unit(claim.value, claim.unit) if claim.value is not None else "no number"
        say(f"{claim.id} {claim.verdict:12} {value}; demanded: {claim.band}; {len(claim.cells)} cells; {claim.note}")


def show_findings(findings: Sequence["Finding"]) -> int:
    """Print what the doctor found; 1 where something is bad."""
    out = console()
    table = Table(show_header=True)
    for name in ("what", "found", "", "what to do"):
        table.add_column(name, overflow="fold")
    for finding in findings:
        table.add_row(escape(finding.name), escape(finding.value), finding.verdict, escape(finding.advice))
    out.print(table)
    return int(any(finding.verdict == "bad" for finding in findings))


def show_comparison(page: "Page") -> None:
    """Print a comparison of two runs: sentences, and tables without frames that fit into 80 columns."""
    out = console()
    for line in page.above:
        out.print(escape(line))
    for table in page.tables:
        out.print(f"\n[bold]{escape(table.name)}[/bold]  {escape(table.caption)}")
        shown = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
        _, _, _, *columns = table.columns
        for column in ("", *columns):
            shown.add_column(column, justify="right" if column in table.numeric else "left", overflow="fold")
        before = ""
        for workload, backend, cpus, *entries in table.rows:
            if workload.text != before:
                shown.add_row(escape(workload.text))
            before = workload.text
            shown.add_row(escape(f"  {backend.text} P={cpus.text}"), *(escape(entry.text) for entry in entries))
        out.print(shown)
    out.print()
    for line in page.below:
        out.print(escape(line))


def _plain(first_lines: FirstLines, event: Event) -> None:
    if event.kind is EventKind.GROUP and event.job is not None:
        show_lines(first_lines(event.job))
    elif event.kind is EventKind.MEASURED:
        say(_line(event))
    elif event.text:
        say(_sentence(event))


def _sentence(event: Event) -> str:
    return f"quality pass of {event.text}" if event.kind is EventKind.QUALITY else event.text


def _line(event: Event) -> str:
    assert event.job is not None
    assert event.measurement is not None
    found = event.measurement
    text = f"{event.done}/{event.total} {found.status:9} {_name(event.job)}"
    if found.status is Status.OK:
        text += f" {found.phases.makespan:.3f} s"
    return f"{text} {found.reason} ({event.left_s / 60:.1f} min left)".replace("  ", " ")


def _name(job: Job) -> str:
    cell = job.cell
    again = f" attempt {job.attempt}" if job.attempt > 1 else ""
    return f"block {job.block} {cell.workload.name} x {cell.backend.name} P={cell.cpus}{again}"
