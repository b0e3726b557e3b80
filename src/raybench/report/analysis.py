"""All analyses of a run, gathered for the report. A study without the cells of an analysis has an empty part."""

from raybench import accounting, anytime, controls, hpo, metg, scaling
from raybench.report import stamps
from raybench.report.findings import Findings, Run
from raybench.stats import Resampler


def analyse(run: Run) -> Findings:
    """Analyse the raw data of a run; the same draws serve every estimate."""
    draws = Resampler()
    plan, lines = run.plan, run.measurements
    return Findings(
        rows=tuple(scaling.rows(plan, lines, draws)),
        controls=controls.judge_controls(plan, lines, draws),
        curves=tuple(metg.curves(plan, lines, draws)),
        accounts=tuple(accounting.accounts(plan, lines, draws)),
        deltas=tuple(hpo.deltas(run.qualities, draws)),
        splits=tuple(hpo.splits(plan, lines, draws)),
        anytime=tuple(anytime.curves(plan, lines)),
        targets=tuple(anytime.times_to_target(plan, lines, draws)),
        residuals=tuple(controls.residuals(plan, lines)),
        durations=stamps.durations(run),
        timelines=stamps.timelines(run),
    )
