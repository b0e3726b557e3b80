"""Numbers of raw lines as values of metrics: of a cell, of one of its tasks, of the quality pass."""

import re
from collections.abc import Iterator, Mapping, Sequence

from raybench.model.measurement import Measurement, TaskStamp
from raybench.model.plan import Cell, Status
from raybench.tracking.entry import Value
from raybench.tracking.recorded import Recorded

PHASES = ("interpreter", "imports", "data", "start_up", "warm_up", "makespan", "shutdown", "check", "cold")
NOT_IN_A_NAME = re.compile(r"[^/\w.\- :]")  # MLflow refuses other characters
MIB = 2**20


def of_cell(run: Recorded, cell: Cell) -> list[Value]:
    """Return the values of every line of a cell; the step is the line's place among those of its kind."""
    values = []
    for step, m in enumerate(run.lines(cell)):
        at_ms = run.at_ms(m.began)
        values += [Value(name=name, value=value, step=step, at_ms=at_ms) for name, value in _of_line(cell, m)]
    for step, sample in enumerate(s for s in run.loaded.samples if s.cell == cell.key):
        values.append(Value(name="seconds/sample", value=sample.seconds, step=step, at_ms=run.at_ms(sample.began)))
    return values


def _of_line(cell: Cell, m: Measurement) -> Iterator[tuple[str, float]]:
    yield "ok", float(m.status is Status.OK)
    yield "block", float(m.block)
    if m.status is not Status.OK:
        return
    yield from ((f"seconds/{phase}", getattr(m.phases, phase)) for phase in PHASES)
    if m.cpu_s is not None:
        yield "cpu/seconds", m.cpu_s
    if m.cpu_makespan_s is not None and m.phases.makespan > 0:
        yield "cpu/utilisation", m.cpu_makespan_s / (m.phases.makespan * cell.cpus)
    if m.peak_rss_bytes is not None:
        yield "memory/peak_mib", m.peak_rss_bytes / MIB
    if m.tasks:
        yield "tasks/done", float(sum(not task.error for task in m.tasks))
        yield "tasks/failed", float(sum(bool(task.error) for task in m.tasks))
        yield "tasks/parallel", float(most_at_once(m.tasks))
    if m.steps_asked:
        yield "steps/asked", float(m.steps_asked)
        yield "steps/done", float(m.steps_done)
    yield from ((metric_name(name), value) for name, value in m.scores.items())


def most_at_once(tasks: Sequence[TaskStamp]) -> int:
    """Return the largest number of tasks that ran at the same moment; one that ends as another begins is over."""
    moments = sorted([(t.started, 1) for t in tasks] + [(t.ended, -1) for t in tasks])
    most = running = 0
    for _, change in moments:
        running += change
        most = max(most, running)
    return most


def of_task(run: Recorded, m: Measurement, stamp: TaskStamp, params: Mapping[str, object]) -> list[Value]:
    """Return a task's losses by step, its seconds, and what the scores say of it by name."""
    began = m.began + makespan_began(m)
    at_ms = run.at_ms(began + stamp.ended)
    values = [
        Value(name="loss", value=loss, step=steps, at_ms=run.at_ms(began + at))
        for steps, loss, at in stamp.points
        if loss is not None
    ]
    facts = {"seconds/training": stamp.ended - stamp.started, "steps/done": float(stamp.steps)}
    if stamp.loss is not None:
        facts["rmse_validation" if "rmse_validation" in m.scores else "loss_final"] = stamp.loss
    facts |= scores_of(m, params)
    last = max((value.step for value in values), default=0)
    return values + [Value(name=name, value=value, step=last, at_ms=at_ms) for name, value in facts.items()]


def makespan_began(m: Measurement) -> float:
    """Return seconds from the start of a measurement's process to the first dispatch of its first sample."""
    phases = m.phases
    return phases.interpreter + phases.imports + phases.data + phases.start_up + phases.warm_up


def scores_of(m: Measurement, params: Mapping[str, object]) -> dict[str, float]:
    """Return the scores of one task: those named `WORD.MEASURE` after a word among its parameters."""
    words = [value for value in params.values() if isinstance(value, str)]
    return {
        metric_name(name.removeprefix(f"{word}.")): value
        for name, value in m.scores.items()
        for word in words
        if name.startswith(f"{word}.")
    }


def of_qualities(run: Recorded) -> list[Value]:
    """Return the test errors of the quality pass; the step is the pair of split and search seed."""
    at_ms = run.at_ms()
    return [
        Value(name=metric_name(f"{q.workload}/{q.variant}/{name}"), value=value, step=q.pair, at_ms=at_ms)
        for q in run.loaded.qualities
        for name, value in ((f"{q.metric}_test", q.tuned_test), (f"{q.metric}_test_baseline", q.baseline_test))
    ]


def metric_name(name: str) -> str:
    """Return a name that the store takes."""
    return NOT_IN_A_NAME.sub("_", name)
