"""How good is `raybench try`? Twelve functions: what it chooses against the best that is measured, and its predictions.

`python benchmarks/try [--only NAME,NAME] [--budget SECONDS] [--out FILE]`. About half an hour on a quiet machine.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import functions
import numpy as np

from raybench.execution.sandbox import Home
from raybench.system import machine
from raybench.trial import target
from raybench.trial.backends import COSTED, LIBRARY, SEQUENTIAL, shown
from raybench.trial.measure import Measured, measure
from raybench.trial.predict import Prediction
from raybench.trial.trial import Trial, Wish, run
from raybench.trial.work import Step, Work

NEAR = 0.05  # the chosen backend's time may be so much above the best measured one
WANTED = {"choices": 11, "coverage": 0.85, "half_width": 0.25}
HEAD = ("function", "task", "chosen", "best measured", "chosen / best", "predictions covered", "median half-width")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One function: what was chosen and what was best, by seconds of all items, the start included.

    points : of each backend and P that was measured, whether its predicted interval covers the measured speedup, and
    the interval's half-width on the log scale.
    """

    trial: Trial
    chosen_s: float
    best_s: float
    loop_s: float
    best_name: str
    points: tuple[tuple[bool, float], ...]

    @property
    def loss(self) -> float:
        """Return the chosen backend's time over the best one's, less 1."""
        return self.chosen_s / self.best_s - 1


def main() -> int:
    """Try every function, measure every backend, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="names of functions, as tiny,waiting")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of each trial, and of each measurement")
    parser.add_argument("--out", type=Path, help="write the table to this file too")
    asked = parser.parse_args()
    names = [name for name in asked.only.split(",") if name]
    chosen = [one for one in functions.ALL if not names or one.__name__ in names]
    outcomes = [judge(one, asked.budget) for one in chosen]
    text = table(outcomes)
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n", encoding="utf-8")
    return 0


def judge(function: object, budget_s: float) -> Outcome:
    """Try one function as a user would, then measure every backend at every P beside the loop."""
    usable = machine.usable_cpus()
    counts = tuple(sorted({1, usable}))
    name = function.__name__  # type: ignore[attr-defined]
    work = Work(target=target.of(function, name=name), items=functions.items_of(function))  # type: ignore[arg-type]
    tried = run(work, Wish(cpus=counts, backends=(*COSTED, LIBRARY), budget_s=budget_s), lambda step: note(name, step))
    cells = [(one.backend, one.cpus) for one in tried.predictions]
    rows: list[Measured] = []
    with Home() as home:
        for part in (cells[:6], cells[6:]):  # at most eight processes are alive together
            if part:
                found = measure(work, tried.look, part, home, budget_s=budget_s, observe=lambda step: note(name, step))
                rows += [one for one in found.backends if one.rounds]
    loop_s = tried.options[0].base_s if tried.options else tried.look.total_s
    told = {(one.backend, one.cpus): one for one in rows}
    took = {(SEQUENTIAL, 1): loop_s} | {key: loop_s / one.speedup + (one.start_s or 0.0) for key, one in told.items()}
    best = min(took, key=lambda key: took[key])
    return Outcome(
        trial=tried,
        chosen_s=took.get((tried.verdict.use, tried.verdict.cpus), loop_s),
        best_s=took[best],
        loop_s=loop_s,
        best_name=f"{shown(best[0])} P={best[1]}",
        points=tuple(
            point(one, told[one.backend, one.cpus]) for one in tried.predictions if (one.backend, one.cpus) in told
        ),
    )


def point(predicted: Prediction, found: Measured) -> tuple[bool, float]:
    """Return whether a predicted interval covers what was measured, and its half-width on the log scale."""
    low, high = predicted.speedup_interval
    return low <= found.speedup <= high, float(np.log(high / low) / 2)


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as Markdown, with what was to be reached."""
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    for one in outcomes:
        look, verdict = one.trial.look, one.trial.verdict
        covered = sum(hit for hit, _ in one.points)
        half = float(np.median([width for _, width in one.points])) if one.points else float("nan")
        cells = (
            look.name,
            f"{1000 * look.mean_s:.3g} ms",
            f"{shown(verdict.use)} P={verdict.cpus}",
            one.best_name,
            f"{1 + one.loss:.2f}",
            f"{covered} of {len(one.points)}",
            f"{100 * half:.0f} %",
        )
        lines.append(f"| {' | '.join(cells)} |")
    points = [each for one in outcomes for each in one.points]
    near = sum(one.loss <= NEAR for one in outcomes)
    harmful = sum(one.trial.verdict.use != SEQUENTIAL and one.chosen_s > (1 + NEAR) * one.loop_s for one in outcomes)
    lines += [
        "",
        f"- chosen within 5 % of the best: {near} of {len(outcomes)} (wanted: {WANTED['choices']} of 12)",
        f"- 'distribute' said where the loop is faster by more than 5 %: {harmful} (wanted: 0)",
        f"- 90 % intervals that cover: {sum(hit for hit, _ in points)} of {len(points)} "
        f"(wanted: {100 * WANTED['coverage']:.0f} % of 100 points or more)",
        f"- median half-width: {100 * float(np.median([width for _, width in points])):.0f} % "
        f"(wanted: at most {100 * WANTED['half_width']:.0f} %)"
        if points
        else "- no backend was measured",
    ]
    return "\n".join(lines)


def note(name: str, step: Step) -> None:
    """Say on standard error where it is."""
    print(f"\r{name}: {step.text[:80]:80}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
