"""One measurement as a Chrome trace: opens in Perfetto (ui.perfetto.dev) and in chrome://tracing."""

import json
from collections.abc import Sequence
from typing import Any

from raybench.analysis.timelines import budgets, ending, middle
from raybench.model.errors import BadSettings
from raybench.model.measurement import PIDS, Measurement
from raybench.model.plan import Cell, Plan
from raybench.report.cells import cores

DRIVER = 0  # thread of the phases; workers follow
PHASES = ("interpreter", "imports", "data", "start_up", "warm_up", "makespan", "shutdown", "check")
MICRO = 1e6  # a trace counts in microseconds


def trace(cell: Cell, m: Measurement, lines: Sequence[Measurement] = ()) -> dict[str, Any]:
    """Return the trace: phases of the driver, tasks of each worker, reports of each task as instants.

    lines : further measurements of the run, from which the budgets of tasks that were stopped early are known.
    """
    full = budgets([m, *lines])
    events = [_name("process_name", DRIVER, f"{cell.workload.name} on {cell.backend.name}, P = {cores(cell)}")]
    events.append(_name("thread_name", DRIVER, "driver"))
    at, began = 0.0, 0.0
    for name in PHASES:
        seconds = getattr(m.phases, name)
        began = at if name == "makespan" else began
        if seconds > 0:
            events.append(_span(name.replace("_", "-"), "phase", DRIVER, (at, at + seconds), {}))
        at += seconds
    lanes = {worker: lane for lane, worker in enumerate(sorted({task.worker for task in m.tasks}), start=DRIVER + 1)}
    events += [_name("thread_name", lane, _worker(worker, m.nodes_seen)) for worker, lane in lanes.items()]
    for task in m.tasks:
        lane, words = lanes[task.worker], ending(task, m, full)
        about = {"steps": task.steps, "loss": task.loss, "tries": task.tries, "ended": words, "error": task.error}
        events.append(_span(f"task {task.index}", words, lane, (began + task.started, began + task.ended), about))
        for steps, loss, when in task.points:
            events.append(_instant(f"task {task.index}: {steps} steps", lane, began + when, {"loss": loss}))
    return {"displayTimeUnit": "ms", "traceEvents": events, "otherData": {"cell": m.cell, "block": m.block}}


def _worker(number: int, nodes: Sequence[str]) -> str:
    place, pid = divmod(number, PIDS)
    return f"worker {pid} on {nodes[place]}" if len(nodes) > 1 else f"worker {pid}"


def text(cell: Cell, m: Measurement, lines: Sequence[Measurement] = ()) -> str:
    """Write the trace as JSON."""
    return json.dumps(trace(cell, m, lines), separators=(",", ":")) + "\n"


def choose(plan: Plan, measurements: Sequence[Measurement], key: str, block: int | None = None) -> Measurement:
    """Find the measurement of a cell (the start of its key) to be drawn: of a block, else the median one."""
    found = [cell for cell in plan.cells if cell.key.startswith(key)] if key else []
    if len(found) != 1:
        known = ", ".join(f"{cell.key} ({cell.workload.name} on {cell.backend.name})" for cell in plan.cells[:5])
        raise BadSettings(f"cell {key!r} names {len(found)} cells of this run; expected one key, such as {known}")
    lines = [m for m in measurements if m.cell == found[0].key and m.tasks]
    if block is not None:
        lines = [m for m in lines if m.block == block]
    chosen = middle(lines)
    if chosen is None:
        where = f" in block {block}" if block is not None else ""
        raise BadSettings(f"cell {found[0].key} has no measurement with task stamps{where}; see its row in RESULTS.md")
    return chosen


def _name(kind: str, lane: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": 1, "tid": lane, "args": {"name": name}}


def _span(name: str, category: str, lane: int, between: tuple[float, float], about: dict[str, Any]) -> dict[str, Any]:
    start, end = between
    times = {"ts": round(start * MICRO, 1), "dur": round((end - start) * MICRO, 1)}
    return {"name": name, "cat": category, "ph": "X", "pid": 1, "tid": lane, **times, "args": about}


def _instant(name: str, lane: int, at: float, about: dict[str, Any]) -> dict[str, Any]:
    when = {"ts": round(at * MICRO, 1), "s": "t"}
    return {"name": name, "cat": "report", "ph": "i", "pid": 1, "tid": lane, **when, "args": about}
