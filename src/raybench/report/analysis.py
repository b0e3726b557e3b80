"""All analyses of a run, gathered for the report. A study without the cells of an analysis has an empty part."""

import math

from raybench import metg, scaling, stats
from raybench.ledger import ledger
from raybench.model import Plan
from raybench.report.findings import ControlLine, Findings, Run
from raybench.stats import Resampler


def analyse(run: Run) -> Findings:
    """Analyse the raw data of a run; the same draws serve every estimate."""
    draws = Resampler()
    controls, floor = _noise(run, draws)
    return Findings(
        rows=tuple(scaling.rows(run.plan, run.measurements, draws)),
        floor=floor,
        controls=controls,
        untrusted=tuple(
            f"the control {line.name} fails: {line.note or line.about}" for line in controls if not line.ok
        ),
        curves=tuple(metg.curves(run.plan, run.measurements, draws)) if _has_ladder(run.plan) else (),
    )


def _noise(run: Run, draws: Resampler) -> tuple[tuple[ControlLine, ...], float]:
    """Give the A/A lines and the largest of their floors: no smaller effect is called a difference."""
    found = scaling.noise_floors(ledger(run.plan, run.measurements), draws)
    cells = {cell.key: cell for cell in run.plan.cells}
    lines = tuple(
        ControlLine(
            name=f"A/A {cells[key].workload.name}",
            about="the same cell twice in each block: the ratio of the two is 1",
            expected="1 inside the interval",
            value=same,
            unit="x",
            ok=True,  # judged with the other controls, as one family
        )
        for key, same in found.items()
    )
    floors = [stats.noise_floor(same) for same in found.values()]
    return lines, max((floor for floor in floors if math.isfinite(floor)), default=0.0)


def _has_ladder(plan: Plan) -> bool:
    return any("ladder" in cell.workload.tags for cell in plan.cells)
