"""Sentences of the report, in one place: plain English, numbers from the findings, none typed by hand.

Those of a comparison and of the terminal are in `texts_compare` and `texts_terminal`.
"""

import math
from collections.abc import Sequence

from raybench.analysis.needs import Needed
from raybench.analysis.rule import Sides
from raybench.analysis.timing import Sensitivity
from raybench.model import units
from raybench.model.estimate import Estimate

# --- answers --------------------------------------------------------------------------------------


def gains(*, workloads: int, warm: int, cold: int, cores: int) -> str:
    """Say how many workloads gain, with warm workers and from a cold start."""
    return (
        f"Distributing pays for {warm} of {workloads} workloads on {cores} cores once the workers are up, and for "
        f"{cold} of {workloads} when start-up counts."
    )


def best(name: str, backend: str, gain: Estimate) -> str:
    """Name the largest gain by processes."""
    return f"Largest speedup: {units.ratio(gain)}, {name} on {backend}."


def start_up(starts: Sequence[tuple[str, Estimate]]) -> str:
    """Say what it costs to start each backend from nothing."""
    listed = join([f"{backend} {units.seconds(start, with_n=False)}" for backend, start in starts])
    return f"Starting from nothing takes {listed}."


def break_even(work: Estimate) -> str:
    """Say from how much sequential work on a cold Ray start pays."""
    return f"A script that starts Ray itself gains only if the sequential run takes longer than {units.seconds(work)}."


def shortest(level: float, cores: int, lengths: Sequence[tuple[str, str, Estimate]]) -> str:
    """Say how long a task must be for each backend. lengths : backend, censoring mark, seconds."""
    listed = join([f"{f'{mark} ' if mark else ''}{units.seconds(work)} with {name}" for name, mark, work in lengths])
    return f"To keep {units.plain(100 * level)} % efficiency on {cores} cores, a task must last {listed}."


def early_stopping(workload: str, backend: str, gain: Estimate, share: float) -> str:
    """Say whether stopping trials early saved time; it is other work, so never a speedup."""
    steps = f"{units.plain(100 * share)} % of the training steps"
    told = f"{units.ratio(gain)}, not a like-for-like speedup"
    if gain.low > 1:
        return f"Early stopping ({backend}) ends {workload} sooner by running {steps} ({told})."
    if gain.high < 1:
        return f"Early stopping ({backend}) ends {workload} later, although it runs only {steps} ({told})."
    return f"Early stopping ({backend}) ends {workload} neither sooner nor later, running {steps} ({told})."


def tuning(workload: str, gain: Estimate, documented: float | None) -> str:
    """Say whether tuning lowered the error, with the documented figure beside it."""
    told = units.percent(gain)
    beside = f"; documented: {units.plain(100 * documented)} %" if documented is not None else ""
    if gain.low > 0:
        return f"Tuning lowers the test error of {workload} ({told}{beside})."
    if gain.high < 0:
        return f"Tuning raises the test error of {workload} ({told}{beside})."
    return f"Tuning does not measurably change the test error of {workload} ({told}{beside})."


def rule(low: float, high: float, found: Sides) -> str:
    """Say whether the efficiency rule holds."""
    return (
        f"The rule of {low} to {high} parallel efficiency: of {found.total} compute-bound Ray cells, {found.inside} "
        f"lie inside, {found.below} below, {found.above} above, and {found.undecided} have intervals that cross an "
        "edge."
    )


def claims(total: int, counts: Sequence[tuple[str, int]]) -> str:
    """Count the verdicts."""
    listed = join([f"{count} {word}" for word, count in counts if count])
    return f"Of {total} documented claims: {listed}."


# --- status and harness ---------------------------------------------------------------------------


def blocks(fewest: int, most: int) -> str:
    """Write the number of blocks."""
    return f"n = {fewest} blocks" if fewest == most else f"n = {fewest} to {most} blocks"


def host_state(spread: float) -> str:
    """Say how steady the cores were before the run. spread : sd of 1-s means of log speed."""
    return f"core speed varied by {units.plain(100 * spread)} % within seconds"


def controls(counts: Sequence[tuple[str, int]]) -> str:
    """Count the controls by outcome."""
    return f"controls: {join([f'{count} {word}' for word, count in counts if count])}"


def validation(counts: Sequence[tuple[str, int]], floor: float, drift: Estimate) -> str:
    """Say whether the harness found the known answers. counts : controls by outcome."""
    total = sum(count for _, count in counts)
    listed = join([f"{count} {word}" for word, count in counts if count])
    grown = f" Drift over the run: {units.percent(drift)}." if drift.n else ""
    return (
        f"{total} controls with a known answer (the same cell twice, waiting tasks, an injected overhead, bare "
        f"processes): {listed}. Undecided: the interval is still wider than the tolerance. The same cell twice leaves "
        f"a bias of at most {units.plain(100 * floor)} %.{grown}"
    )


def timed(wall_s: float, timed_s: float, makespans_s: float) -> str:
    """Say how much of the wall time was measured."""
    return (
        f"Timed work: {units.plain(100 * timed_s / wall_s)} % of the {units.duration(wall_s)} that the run took "
        f"(makespans and cold starts; makespans alone {units.plain(100 * makespans_s / wall_s)} %), the untimed "
        "quality pass left out."
    )


def sensitivity(found: Sensitivity) -> str:
    """Say what all rounds would say instead of quiet ones."""
    disturbed = f"{found.disturbed} of {found.samples} samples were disturbed"
    if not found.cells:
        return f"Sensitivity: {disturbed}; no cell has quiet rounds enough, so that all rounds are used."
    if not found.disturbed:
        return f"Sensitivity: {disturbed}, so that all rounds are quiet."
    return (
        f"Sensitivity: {disturbed}. With all rounds instead of the quiet ones, speedups change by "
        f"{100 * found.change:+.1f} % on average over {found.cells} cells, and by at most "
        f"{units.plain(100 * found.most)} %."
    )


# --- notes of the run -----------------------------------------------------------------------------


def trust(state: str, reason: str) -> str:
    """Say that a control failed, or what is missing for trust."""
    return f"{state}: {reason}"


def may_be_bias(floor: float) -> str:
    """Say what the pooled A/A interval cannot exclude."""
    return (
        f"A/A is the same cell measured twice, which should give 1. Until it does, a difference of less than "
        f"{units.plain(100 * floor)} % between two cells may come from the harness."
    )


def needs(need: Needed) -> str:
    """Say for how much longer a study would have to run until every interval is as narrow as asked."""
    width = f"+-{units.plain(100 * need.width)} %"
    have = f"{need.narrow} of {need.cells} cells have it"
    if not math.isfinite(need.minutes):
        return f"{width} for every cell is out of reach on this host within a day; {have}."
    source = ", as far as the host's state tells" if need.predicted else ""
    return f"{width} for every cell needs about {need.minutes:.0f} min more{source}; {have}."


def partial(through: int, blocks: int) -> str:
    """Say that planned blocks are missing."""
    return f"Partial run: {through} of {blocks} planned blocks. Rerun the same command to complete it."


def incomplete(missing: int, planned: int, begun: int) -> str:
    """Say that measurements within begun blocks are missing."""
    where = "this block" if begun == 1 else "these blocks"
    return f"Incomplete: {missing} of {planned} measurements of {where} are missing. Rerun the same command."


def failed(count: int, total: int) -> str:
    """Say that cells have no number."""
    return f"{count} of {total} cells have no good measurement; the HTML report gives the reason of each."


NO_CONTROLS = "No controls: this study cannot show that its harness measures correctly."
NO_VERDICTS = "No verdicts: this study is too small to judge anything by it."
TORN = "The last raw line was cut off and is not counted; rerunning the command measures it again."

# --- sections -------------------------------------------------------------------------------------

KINDS = (
    "One row per kind of work. Advice: for how many of its workloads; the example is the one with the longest "
    "sequential run, on its best backend. Speedup: time of the sequential baseline / time of the cell, 95 % interval, "
    "n blocks. Shortest task: kernel time per task at which that backend keeps 70 % efficiency (METG)."
)
ADVICE = (
    "Distribute: the whole interval lies above 1x by more than 5 %, with warm workers and with "
    "start-up, also against the baseline that uses all threads where that was measured."
)
NO_DECISION = "Nothing to show: no parallel cell has a speedup yet."
CLAIMS = (
    "SUPPORTED: the whole interval lies inside what the sentence says; REFUTED: outside; INCONCLUSIVE: neither. A "
    "claim with several parts shows a number for each, in that order, and needs all of them; one about many cells "
    "shows the cell that decides."
)
METG = (
    "Minimum effective task granularity (METG): the shortest task with which a backend keeps an efficiency, warm, "
    "fixed work, against the sequential baseline. <: the shortest task of the sweep still keeps it; >: the longest "
    "does not."
)
START_UP = "From a cold start to workers that answer, of the workload where it is least; 95 % interval, n blocks."
TUNING = (
    "Gain: 1 - mean error of the tuned model / mean error of the baseline, on untouched test rows, over pairs of "
    "split and search seed; + is better. Documented: what the source published."
)
SOURCES = {
    "S0": "a project that tunes XGBoost with Ray Tune and ASHA on medical insurance costs, and compares it with a loop",
    "S1": "a project that tunes, registers and serves a random forest on the diabetes data with Ray Tune and MLflow",
    "S2": "a Ray lab: squares, a million numbers, GPU tasks, cross-validation on iris",
    "S3": "the guide to a Ray cluster of 9 nodes and 25 CPUs: when to use Ray, and which speedup to expect",
    "S4": "a project that trains credit-risk models in parallel on the German credit data",
}


def source(name: str, about: str, ids: Sequence[str]) -> str:
    """Say what a source is and where its sentences stand."""
    where = f" Its sentences: {join(_ranges(ids))}, each with its test in conf/claim." if ids else ""
    return f"{name}: {about}.{where}"


def untested(needs: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Count the claims that this study does not test, by what they need. needs : reason and ids."""
    listed = "; ".join(f"{', '.join(ids)}: {reason}" for reason, ids in needs)
    total = sum(len(ids) for _, ids in needs)
    return f"{total} further claims are not tested by this study. {listed}."


def join(parts: Sequence[str]) -> str:
    """Join words into a list as a sentence has it."""
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1] if parts else ""


def _ranges(ids: Sequence[str]) -> list[str]:
    """Write ids that follow each other (C13, C14, C15) as one range."""
    runs: list[list[str]] = []
    for one in ids:
        digits = runs[-1][-1].lstrip("C") if runs else ""
        if digits.isdigit() and one == f"C{int(digits) + 1:02}":
            runs[-1].append(one)
        else:
            runs.append([one])
    return [f"{run[0]} to {run[-1]}" if len(run) > 2 else join(run) for run in runs]
