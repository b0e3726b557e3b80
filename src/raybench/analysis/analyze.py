"""All analyses of a run, gathered for the report. A study without the cells of an analysis has an empty part."""

from raybench.analysis import anytime, controls, losses, metg, speedup, timelines, tuning
from raybench.analysis.results import Findings, Run
from raybench.model.stats import Resampler


def analyse(run: Run) -> Findings:
    """Analyse the raw data of a run; the same draws serve every estimate."""
    draws = Resampler()
    plan, lines = run.plan, run.measurements
    return Findings(
        rows=tuple(speedup.rows(plan, lines, draws)),
        controls=controls.judge_controls(plan, lines, draws),
        curves=tuple(metg.curves(plan, lines, draws)),
        accounts=tuple(losses.accounts(plan, lines, draws)),
        deltas=tuple(tuning.deltas(run.qualities, draws)),
        splits=tuple(tuning.split_gains(plan, lines, draws)),
        anytime=tuple(anytime.curves(plan, lines)),
        targets=tuple(anytime.times_to_target(plan, lines, draws)),
        residuals=tuple(controls.residuals(plan, lines)),
        durations=timelines.durations(run),
    )
