"""The section on predictions: how far the predictor is off on cells it has not seen, beside two simple rules."""

from collections.abc import Sequence

from raybench.analysis.held_out import Held, HeldOut, LeftOut
from raybench.analysis.predictor import Errors
from raybench.analysis.results import Findings
from raybench.model import units
from raybench.report import cells, prediction_texts
from raybench.report.section import Section
from raybench.report.tables import Entry, Table, code, number, word

COLUMNS = ("prediction", "cells", "mean error", "worst", "bias", "90 % interval holds")
NEAR = 0.05  # of two times that differ by less, nobody minds which was chosen


def predictions(findings: Findings) -> Section:
    """Show the errors of held-out predictions, whether predictions may be shown, and what they would choose."""
    held = findings.held_out
    title = "Can these times be predicted?"
    if not held.held:
        return Section(id="predictions", title=title, paragraphs=((word(prediction_texts.NO_PREDICTIONS),),))
    summary, each = _summary(held), _each(held.held)
    notes = [prediction_texts.gate(passes=held.passes), *_choices(held)]
    return Section(
        id="predictions",
        title=title,
        paragraphs=((word(prediction_texts.PREDICTIONS),),),
        tables=(summary,),
        notes=tuple((word(note),) for note in notes),
        details=(each,),
    )


def _summary(held: HeldOut) -> Table:
    lines = [(prediction_texts.without(str(part)), held.errors(part)) for part in LeftOut]
    lines.append((prediction_texts.FORMULA, held.formula_errors()))
    return Table(
        name="prediction errors",
        columns=COLUMNS,
        rows=tuple((word(name), *_line(found)) for name, found in lines),
        numeric=frozenset(COLUMNS[1:]),
        caption=prediction_texts.PREDICTION_ERRORS,
    )


def _line(found: Errors | None) -> tuple[Entry, ...]:
    if found is None:
        return (number("0", 0), *(word(units.ABSENT),) * 4)
    coverage = word(units.ABSENT) if found.coverage is None else _percent(found.coverage)
    return (number(str(found.n), found.n), _percent(found.mean), _percent(found.worst), _signed(found.bias), coverage)


def _percent(share: float) -> Entry:
    return number(f"{units.plain(100 * share)} %", share)


def _signed(share: float) -> Entry:
    return number(f"{'+' if share > 0 else ''}{units.plain(100 * share)} %", share)


def _choices(held: HeldOut) -> list[str]:
    if not held.choices:
        return []
    mine, joblib = ([one.loss for one in held.choices], [one.joblib_loss for one in held.choices])
    return [prediction_texts.choices(len(mine), _near(mine), max(mine), _near(joblib), max(joblib))]


def _near(losses: Sequence[float]) -> int:
    return sum(loss <= NEAR for loss in losses)


def _each(held: Sequence[Held]) -> Table:
    columns = ("workload", "backend", "P", "without", "predicted", "90 % interval", "measured", "error")
    rows = [
        (
            code(one.cell.workload.name),
            code(one.cell.backend.name),
            number(cells.cores(one.cell), one.cell.cpus),
            word(str(one.left_out)),
            number(units.duration(one.span.seconds), one.span.seconds),
            word(f"{units.duration(one.span.low)} to {units.duration(one.span.high)}"),
            number(units.duration(one.measured_s), one.measured_s),
            _signed(one.error),
        )
        for one in held
    ]
    return Table(
        name="held-out predictions",
        columns=columns,
        rows=tuple(rows),
        numeric=frozenset({"P", "predicted", "measured", "error"}),
        caption=prediction_texts.PREDICTION_ERRORS,
    )
