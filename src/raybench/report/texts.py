"""Sentences that a reader sees, in one place: plain English, numbers from the findings, none typed by hand."""

from collections.abc import Sequence

from raybench.analysis.rule import Sides
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
    listed = _join([f"{backend} {units.seconds(start, with_n=False)}" for backend, start in starts])
    return f"Starting from nothing takes {listed}."


def break_even(work: Estimate) -> str:
    """Say from how much sequential work on a cold Ray start pays."""
    return f"A script that starts Ray itself gains only if the sequential run takes longer than {units.seconds(work)}."


def shortest(level: float, cores: int, lengths: Sequence[tuple[str, str, Estimate]]) -> str:
    """Say how long a task must be for each backend. lengths : backend, censoring mark, seconds."""
    listed = _join([f"{f'{mark} ' if mark else ''}{units.seconds(work)} with {name}" for name, mark, work in lengths])
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
    listed = _join([f"{count} {word}" for word, count in counts if count])
    return f"Of {total} documented claims: {listed}."


# --- status and harness ---------------------------------------------------------------------------


def blocks(fewest: int, most: int) -> str:
    """Write the number of blocks."""
    return f"n = {fewest} blocks" if fewest == most else f"n = {fewest} to {most} blocks"


def host_state(spread: float) -> str:
    """Say how steady the cores were before the run. spread : sd of 1-s means of log speed."""
    return f"core speed varied by {units.plain(100 * spread)} % within seconds"


def controls(passed: int, total: int, floor: float, drift: Estimate) -> str:
    """Say in one sentence whether the harness found the known answers."""
    grown = f" Drift over the run: {units.percent(drift)}." if drift.n else ""
    return (
        f"{passed} of {total} controls with a known answer passed (the same cell twice, waiting tasks, an injected "
        f"overhead, bare processes); the same cell twice leaves a bias of at most {units.plain(100 * floor)} %.{grown}"
    )


# --- notes of the run -----------------------------------------------------------------------------


def trust(state: str, reason: str) -> str:
    """Say that a control failed, or what is missing for trust."""
    return f"{state}: {reason}"


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
    "claim about many cells shows the one that decides."
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
    where = f" Its sentences: {_join(_ranges(ids))}, each with its test in conf/claim." if ids else ""
    return f"{name}: {about}.{where}"


def untested(needs: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Count the claims that this study does not test, by what they need. needs : reason and ids."""
    listed = "; ".join(f"{', '.join(ids)}: {reason}" for reason, ids in needs)
    total = sum(len(ids) for _, ids in needs)
    return f"{total} further claims are not tested by this study. {listed}."


def _join(parts: Sequence[str]) -> str:
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
    return [f"{run[0]} to {run[-1]}" if len(run) > 2 else _join(run) for run in runs]


# --- compare --------------------------------------------------------------------------------------


def differs(name: str, a: str, b: str) -> str:
    """Say how a fact differs between two runs."""
    return f"{name} {a} -> {b}"


def comparable(ratios_only: str) -> str:
    """Say whether seconds are judged."""
    if ratios_only:
        return f"Comparable in ratios only; seconds are shown and not judged ({ratios_only})."
    return "Comparable in seconds and in ratios: the same machine."


def compared(counts: Sequence[tuple[str, int]], same: float) -> str:
    """Close a comparison. counts : outcomes of all that was judged."""
    total = sum(count for _, count in counts)
    listed = _join([f"{count} {word.lower()}" for word, count in counts if count])
    return f"{total} comparisons, same means within +-{units.plain(100 * same)} %: {listed}."


def undecided(middle: float) -> str:
    """Say what the undecided comparisons could have found."""
    return (
        f"Undecided: half of these comparisons find changes only from {100 * middle:.0f} % on (power 0.8). "
        "More blocks narrow them."
    )


def tested_once(claims: int) -> str:
    """Count the claims that only one of the runs can test."""
    return f"{claims} claim{'s are' if claims > 1 else ' is'} tested by one of the two runs only."


NOT_COMPARABLE = "no cell was measured in both runs (the same workload, sizes, backend and cores)"
ONLY_FEW = "A comparison needs 3 blocks in both runs."


# --- terminal -------------------------------------------------------------------------------------


def heading(workload: str, tasks: int, task_s: float) -> str:
    """Name a workload with the size of its work."""
    return f"{workload}   {tasks} task{'s' * (tasks != 1)} of {units.duration(task_s)}" if tasks else workload


def sooner(gain: float, share: float, scores: Sequence[str]) -> str:
    """Say what early stopping did: other work, so never a speedup."""
    word = (
        f"finishes {units.plain(gain)}x sooner by" if gain >= 1 else f"takes {units.plain(1 / gain)}x as long, though"
    )
    return ", ".join([f"{word} doing {units.plain(100 * share)} % of the work", *scores])


def score_change(name: str, change: float) -> str:
    """Say how a score differs from the baseline's; whether higher is better depends on the score."""
    return f"{name} {units.plain(100 * abs(change))} % {'higher' if change > 0 else 'lower'}"


def distribute(backend: str, gains: tuple[Estimate, Estimate | None], against: str, *, pays_cold: bool) -> str:
    """Advise a backend that gains, at least once its workers are up. gains : warm, and from a cold start."""
    warm, cold = gains
    told = f"{units.plain(warm.point)}x against {against}"
    if pays_cold and cold is not None:
        return f"Distribute with {backend}: {told} once workers are up, {units.plain(cold.point)}x from a cold start."
    if cold is None:
        return f"Distribute with {backend} if workers stay warm ({told}); the cold start was not measured."
    loss = f"takes {units.plain(1 / cold.point)}x as long" if cold.high < 1 else "gains nothing measurable"
    return f"Distribute with {backend} only if workers stay warm ({told}); a cold start {loss}."


def no_gain(advice: str, why: str) -> str:
    """Advise against distributing, or say why there is no advice."""
    return f"{advice[:1].upper()}{advice[1:]}: {why}."


def pays_from(backend: str, seconds: float) -> str:
    """Say from how much sequential work on a backend pays that has to be started first."""
    return f"{backend} pays from {units.duration(seconds)} of sequential work when it has to be started."


def provisional(blocks: int) -> str:
    """Mark lines that further blocks will change."""
    return f"provisional: {blocks} block{'s' * (blocks != 1)} so far; intervals begin with the second or third"


def trusted(host: str, blocks: str, floor: float | None) -> str:
    """Say that the controls passed."""
    return f"TRUSTED ({', '.join(filter(None, [host, blocks, _floor(floor)]))})."


QUIET, BUSY = "quiet rounds", "busy machine"  # what others took during the samples; the host itself: `host_state`


def _floor(floor: float | None) -> str:
    return "" if floor is None else f"A/A within {units.plain(100 * floor)} %"
