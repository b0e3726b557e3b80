"""A trial as a table with its verdict: for a terminal and for a notebook."""

import html as markup
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from raybench.model.units import duration, plain
from raybench.model.visible import visible
from raybench.trial.backends import shown
from raybench.trial.predict import Prediction
from raybench.trial.verdict import Option

if TYPE_CHECKING:
    from raybench.trial.trial import Trial

HEAD = ("", "warm", "speedup", "including start-up", "predicted", "answers")
Row = tuple[str, ...]


def rows(trial: "Trial") -> Iterator[Row]:
    """Yield the table's rows: the sequential baseline, then each backend at each P, fastest first."""
    base_s = trial.options[0].base_s if trial.options else trial.look.total_s
    yield ("sequential", duration(base_s), "", "", "", "")
    predicted = {(one.backend, one.cpus): one for one in trial.predictions if not one.elsewhere}
    answers = {(one.backend, one.cpus): one.answers for one in trial.rows.backends}
    told = {(one.backend, one.cpus): one for one in trial.options}
    ranked = sorted(predicted, key=lambda key: told[key].seconds if key in told else math.inf)
    for key in ranked:
        name = f"{shown(key[0])} P={key[1]}"
        guess = _guess(predicted[key])
        one = told.get(key)
        if one is None or not one.told:
            yield (name, "", "", _cold(predicted[key]), guess, "")
        else:
            yield (
                name,
                duration(one.seconds),
                _measured(one),
                f"{plain(one.cold_speedup)}x",
                guess,
                answers.get(key, ""),
            )


def render(trial: "Trial") -> Group:
    """Return the trial for a terminal: the function, the numbers, the verdict and notes."""
    texts = [Text(visible(text)) for text in (*trial.verdict.sentences, *_notes(trial))]
    if not trial.look.calls or trial.look.failure:
        return Group(*texts)
    return Group(Text(visible(trial.look.words())), table(trial), *texts)


def table(trial: "Trial") -> Table:
    """Return the numbers alone."""
    found = Table(box=None, pad_edge=False)
    for place, name in enumerate(HEAD):
        found.add_column(name, justify="right" if 0 < place < len(HEAD) - 1 else "left", no_wrap=True)
    for row in rows(trial):
        found.add_row(*map(visible, row))
    return found


def html(trial: "Trial") -> str:
    """Return the trial as HTML for a notebook; every text is escaped."""
    cells = "".join(
        "<tr>" + "".join(f"<td>{markup.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows(trial)
    )
    heads = "".join(f"<th>{markup.escape(name)}</th>" for name in HEAD)
    first, *rest = (markup.escape(text) for text in (*trial.verdict.sentences, *_notes(trial)))
    numbers = f"<table><thead><tr>{heads}</tr></thead><tbody>{cells}</tbody></table>" if trial.look.calls else ""
    said = "".join(f"<p>{text}</p>" for text in rest)
    words = f"<p>{markup.escape(trial.look.words())}</p>" if trial.look.calls else ""
    return f"<p><strong>{first}</strong></p>{words}{numbers}{said}"


def _notes(trial: "Trial") -> list[str]:
    return [*(f"Note: {text}." for text in trial.problems), *([f"Stopped: {trial.stopped}."] if trial.stopped else [])]


def _cold(one: Prediction) -> str:
    return f"{plain(one.base_s / (one.seconds + one.start_s))}x (predicted)" if one.shown else ""


def _guess(one: Prediction) -> str:
    if not one.shown:
        return "uncertain"
    low, high = one.speedup_interval
    return f"{plain(one.speedup)}x [{plain(low)}, {plain(high)}]"


def _measured(one: Option) -> str:
    if not math.isfinite(one.high):
        return f"{plain(one.speedup)}x (too few rounds)"
    half = max(one.high / one.speedup - 1, 1 - one.low / one.speedup)
    return f"{plain(one.speedup)}x +-{100 * half:.0f} %"
