"""How good is `raybench try`? Twelve functions: what it chooses against the best that is measured, and its predictions.

`python benchmarks/try` measures for about a quarter of an hour and writes reports/try.json, reports/TRY.md, the
predictor's fitted spread, and the example's output in README. `--again` writes table and spread anew from
reports/try.json. `--only NAME,NAME` measures some functions and prints what it found.
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import example
import functions
import table
from fit import fit
from points import Outcome, Point, Record, Way

from raybench.analysis import predictor
from raybench.analysis.predictor import Cost
from raybench.execution.sandbox import Home
from raybench.model.clock import calendar_stamp, now
from raybench.model.serialize import decode, to_json
from raybench.store import json_file
from raybench.system import machine
from raybench.trial import target
from raybench.trial.backends import COSTED, LIBRARY, SEQUENTIAL
from raybench.trial.calibrate import Calibration, calibration
from raybench.trial.look import Look
from raybench.trial.measure import Effort, Measured, Rows, measure
from raybench.trial.predict import predict, tasks
from raybench.trial.trial import Wish, run
from raybench.trial.work import Step, Work

ROOT = Path(__file__).parents[2]
RECORD, TABLE = ROOT / "reports" / "try.json", ROOT / "reports" / "TRY.md"
FITTED = ROOT / "src" / "raybench" / "analysis" / predictor.FITTED
EFFORT = Effort(budget_s=40.0, subset_s=0.5, rounds=3, items=500)  # of what is measured afterwards


def main() -> int:
    """Try every function, measure every backend, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="names of functions, as tiny,waiting; prints and writes nothing")
    parser.add_argument(
        "--again", action="store_true", help="measure nothing: write table and fit from reports/try.json"
    )
    asked = parser.parse_args()
    names = [name for name in asked.only.split(",") if name]
    if asked.again:
        record = decode(Record, RECORD.read_bytes())
    else:
        record = take([one for one in functions.ALL if not names or one.__name__ in names], keep=not names)
    if names:
        print(table.text(record))
        return 0
    json_file.write_text(FITTED, json_file.pretty(to_json(fit(record.points))))
    json_file.write_text(TABLE, table.text(record))
    if not asked.again:
        example.renew(ROOT / "README.md")
    print(TABLE.read_text(encoding="utf-8"))
    return 0


def take(chosen: Sequence[Callable[..., Any]], *, keep: bool) -> Record:
    """Try and measure functions after a calibration, as a first use of `raybench try` takes it.

    keep : write reports/try.json after each function, so that a run that is cut short has not been for nothing.
    """
    began = calendar_stamp()
    with Home() as home:
        known = calibration(home, partial(note, "calibration"), fresh=True)
    record = Record(machine=machine.machine_key(), cpus=machine.usable_cpus(), began=began, outcomes=())
    for one in chosen:
        record = replace(record, outcomes=(*record.outcomes, judge(one, known)))
        print(f"\n{one.__name__}: {record.outcomes[-1].sentence}", file=sys.stderr)
        if keep:
            json_file.write_text(RECORD, json_file.pretty(to_json(record)))
    return record


def judge(function: Callable[..., Any], known: Calibration) -> Outcome:
    """Try one function as a user would, then measure every backend at every P beside the sequential baseline."""
    name = function.__name__
    work = Work(target=target.of(function, name=name), items=functions.items_of(function))
    began, table_s = now(), None

    def observe(step: Step) -> None:
        nonlocal table_s
        table_s = now() - began if step.shown is not None and table_s is None else table_s
        note(name, step)

    tried = run(work, Wish(), observe)
    whole_s = now() - began
    look = tried.look
    found = list(measured(work, look, known))
    base_s = look.total_s if not found else _base_s(found[0][0], look)
    ways = [Way(backend=SEQUENTIAL, cpus=1, seconds=base_s)]
    for rows, row in found:
        cost = known.of(row.backend)
        warm_s = base_s / whole_speedup(look, rows, row, cost)
        ways.append(Way(backend=row.backend, cpus=row.cpus, seconds=warm_s + (row.start_s or 0.0)))
    return Outcome(
        function=name,
        task_s=look.mean_s,
        count=look.count,
        use=tried.verdict.use,
        cpus=tried.verdict.cpus,
        sentence=tried.verdict.sentences[0],
        table_s=table_s,
        whole_s=whole_s,
        ways=tuple(ways),
        points=tuple(point(name, look, rows, row, known) for rows, row in found),
    )


def measured(work: Work, look: Look, known: Calibration) -> Iterator[tuple[Rows, Measured]]:
    """Measure every backend that can be predicted, on all cores and on one; failures have no number."""
    for cpus in sorted({machine.usable_cpus(), 1}, reverse=True):
        cells = [(one.backend, one.cpus) for one in predict(look, known, (*COSTED, LIBRARY), (cpus,))]
        if cells:
            with Home() as home:
                rows = measure(work, look, cells, home, effort=EFFORT, observe=partial(note, look.name))
            yield from ((rows, row) for row in rows.backends if row.rounds)


def _base_s(rows: Rows, look: Look) -> float:
    return rows.base_s / len(rows.indices) * look.count


def whole_speedup(look: Look, rows: Rows, row: Measured, cost: Cost | None) -> float:
    """Return a measured speedup for all items: the uneven end of a schedule weighs less on a longer list."""
    if cost is None:
        return row.speedup
    return (
        row.speedup
        * speedup(look, look.task_s(look.count), cost, row.cpus)
        / speedup(look, look.seconds_of(rows.indices), cost, row.cpus)
    )


def speedup(look: Look, seconds: Sequence[float], cost: Cost, cpus: int) -> float:
    """Return the predicted warm speedup of tasks."""
    return math.fsum(seconds) / predictor.seconds(tasks(look, seconds, cost), cost, cpus)


def point(name: str, look: Look, rows: Rows, row: Measured, known: Calibration) -> Point:
    """Set a prediction for the measured items beside what was measured."""
    seconds, cost = look.seconds_of(rows.indices), known.of(row.backend)
    if cost is None:  # library threads, whose gain was seen
        (told,) = predict(look, known, (LIBRARY,), (row.cpus,))
        predicted = blind = told.speedup
        parts = told.parts
    else:
        alone = tasks(look, seconds, cost)
        told = predictor.predict(alone, cost, row.cpus)
        predicted, parts = math.fsum(seconds) / told.seconds, told.parts
        alone = replace(alone, slowdown=1.0)
        blind = math.fsum(seconds) / predictor.seconds(alone, cost, row.cpus)
    return Point(
        function=name,
        backend=row.backend,
        cpus=row.cpus,
        predicted=predicted,
        blind=blind,
        parts=parts,
        measured=row.speedup,
    )


def note(name: str, step: Step) -> None:
    """Say on standard error where it is."""
    print(f"\r{name}: {step.text[:80]:80}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
