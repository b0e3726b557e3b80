"""All analyses of a run, gathered for the report. A study without the cells of an analysis has an empty part."""

from raybench.analysis import (
    anytime,
    controls,
    held_out,
    losses,
    metg,
    plausibility,
    speedup,
    timelines,
    timing,
    tuning,
)
from raybench.analysis.dataset import Dataset, RunData
from raybench.analysis.emulation import emulation
from raybench.analysis.results import Findings
from raybench.model.stats import Resampler


def analyse(run: RunData) -> Findings:
    """Analyse the raw data of a run; the data set is built once, and the same draws serve every estimate."""
    data, draws = Dataset(run.plan, run.measurements, run.samples), Resampler()
    accounts, curves = tuple(losses.accounts(data, draws)), tuple(metg.curves(data, draws))
    rows = plausibility.mark_implausible(data, speedup.rows(data, draws), accounts, curves)
    return Findings(
        data=data,
        rows=rows,
        controls=controls.judge_controls(data, draws, facts=run.environment.facts),
        curves=curves,
        accounts=accounts,
        deltas=tuple(tuning.deltas(run.qualities, draws)),
        splits=tuple(tuning.split_gains(data, draws)),
        emulated=emulation(data, draws),
        anytime=tuple(anytime.curves(data)),
        targets=tuple(anytime.times_to_target(data, draws)),
        residuals=tuple(controls.residuals(data)),
        timed=timing.timed_share(run.measurements, run.samples),
        sensitivity=timing.sensitivity(data, run.measurements, run.samples),
        durations=timelines.durations(data),
        held_out=held_out.hold_out(data, rows),
    )
