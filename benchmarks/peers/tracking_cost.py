"""What logging every trial costs: each tracked variant beside the same backend without tracking, in the same blocks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raybench.analysis.dataset import CellData, Dataset, makespan
from raybench.analysis.pairs import compare, pair_cells
from raybench.model import units
from raybench.model.estimate import Estimate
from raybench.model.evidence import Change
from raybench.model.plan import Cell
from raybench.model.stats import Resampler, geometric_mean, median_rank_ci
from raybench.report.section import Section
from raybench.report.tables import Entry, Table, code, number, word

TRACKER = "mlflow"  # the package that a tracked variant needs
STORE = "tracking store"  # its part of start-up
ID, TITLE = "tracking", "What does it cost to log every trial to MLflow?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What tracking adds to a search, warm. Times in seconds.

    plain : time without tracking. ratio : time with / without. per_trial : plain x (ratio - 1) / trials.
    store : to create the tracking store, once, before the first trial.
    why : says why there is no number; then the estimates are None.
    """

    cell: Cell
    trials: int = 0
    plain: Estimate | None = None
    ratio: Estimate | None = None
    per_trial: Estimate | None = None
    store: Estimate | None = None
    why: str = ""


def costs(data: Dataset, resampler: Resampler | None = None) -> list[Cost]:
    """Compare each tracked variant with the backend that it is a variant of, in reading order."""
    draws = resampler or Resampler()
    return [_cost(of, draws) for of in data.cells if TRACKER in of.cell.backend.requires.packages]


def _cost(of: CellData, draws: Resampler) -> Cost:
    cell = of.cell
    same = (other for other in of.siblings if (other.cell.cpus, other.cell.workers) == (cell.cpus, cell.workers))
    plain = next((other for other in same if other.cell.backend.name == cell.backend.variant_of), None)
    if plain is None:
        return Cost(cell=cell, why=f"{cell.backend.variant_of} is not in the study")
    compared = compare(of, plain, makespan, draws)
    if compared is None:
        return Cost(cell=cell, why=of.reason() or plain.reason())
    seconds = pair_cells(of, plain, makespan)[1]
    trials = len(of.in_order[0].tasks)
    each = float(np.exp(np.log(seconds).mean())) / trials
    created = [m.phases.start_parts[STORE] for m in of.in_order if STORE in m.phases.start_parts]
    return Cost(
        cell=cell,
        trials=trials,
        plain=geometric_mean(seconds, draws),
        ratio=compared.estimate(),
        per_trial=compared.estimate(Change(scale=each, shift=-each)),
        store=median_rank_ci(created) if created else None,
    )


def section(found: Sequence[Cost]) -> Section:
    """Lay out the costs; variants without a number say why, in a sentence each."""
    missing = [cost for cost in found if cost.why]
    return Section(
        id=ID,
        title=TITLE,
        paragraphs=tuple(
            (code(cost.cell.backend.name), word(f" on {cost.cell.workload.name} is not measured: {cost.why}."))
            for cost in missing
        ),
        tables=tuple(table for table in (_table([cost for cost in found if not cost.why]),) if table.rows),
    )


def _table(found: Sequence[Cost]) -> Table:
    numbers = ("P", "trials", "time without", "with / without", "cost per trial", "store, once")
    return Table(
        name="tracking",
        columns=("workload", "tracked variant", *numbers),
        rows=tuple(
            (
                code(cost.cell.workload.name),
                code(cost.cell.backend.name),
                number(str(cost.cell.cpus), cost.cell.cpus),
                number(str(cost.trials), cost.trials),
                _seconds(cost.plain),
                number(units.ratio(cost.ratio), cost.ratio.point if cost.ratio else None),
                _seconds(cost.per_trial, with_n=True),
                _seconds(cost.store),
            )
            for cost in found
        ),
        numeric=frozenset(numbers),
        caption=(
            "Warm, [95 % interval], n blocks; one run with MLflow installed, all variants in the same blocks. The "
            "store is one SQLite file on disk, created once, before the first trial. Plain Ray tasks log from their "
            "workers, Ray Tune by its MLflowLoggerCallback from the driver. Cost per trial: how much longer the "
            "search takes / trials; with early stopping, other trials may be stopped as well."
        ),
    )


def _seconds(estimate: Estimate | None, *, with_n: bool = False) -> Entry:
    return number(units.seconds(estimate, with_n=with_n), estimate.point if estimate else None)
