"""Carry a run through: planned blocks, the quality pass, then top-up blocks while an interval is too wide.

The quality pass is not timed and needs no block: a budget that ends between blocks leaves it to be taken, once.
The one place above the store's wall on both sides: it asks the analysis how wide the intervals are, and
the runner for more blocks. A verdict is never asked for.
"""

from dataclasses import replace

from raybench.analysis import speedup
from raybench.analysis.dataset import Dataset
from raybench.analysis.needs import is_counted
from raybench.config.settings import Settings
from raybench.execution.budget import Budget
from raybench.execution.quality_processes import complete
from raybench.execution.rounds import FIRST
from raybench.execution.run_folder import Run, look_again, look_at_host
from raybench.execution.runner import BAD, Event, EventKind, Observer, Pass, Runner, jobs_in_order
from raybench.model import stats
from raybench.model.plan import Limits, Plan, Status, Stop
from raybench.planning.planner import top_up_block
from raybench.store import store
from raybench.system.host_state import HostState

PAIR_CELLS = 3  # a pair of the quality pass runs the tasks, the baseline and further models, one by one
MOST_BLOCKS = 30  # method: stop at 30 blocks however wide the interval


def pursue(run: Run, settings: Settings, observe: Observer) -> Pass:
    """Measure what is missing of a run within the budget; the caller holds the folder's lock.

    Returns counts of this pass and why it stopped.
    """
    with Runner(run.folder, observe=observe, retry_failed=settings.study.retry_failed) as runner:
        if stale := str(runner.remove_leftovers()):
            observe(Event(kind=EventKind.TOLD, text=f"removed what runners that were killed had left behind: {stale}"))
        plan = run.plan
        budget = Budget(seconds=settings.study.budget_min * 60, core=plan.core, target=plan.target_half_width)
        if state := look_at_host(run):
            observe(Event(kind=EventKind.TOLD, text=_expectation(state, plan)))
            budget.expected = lambda groups: state.half_width(groups=groups, rounds=FIRST.count)
        done = runner.run(jobs_in_order(plan), budget, before=lambda block: look_again(run, block))
        if run.plan.quality_pairs:
            _quality(run, runner)
        if done.stopped is not Stop.BUDGET:
            done = _narrow(run, runner, done, budget)
    observe(Event(kind=EventKind.TOLD, text=f"stopped: {done.stopped}"))
    return done


def _expectation(state: HostState, plan: Plan) -> str:
    """Say what the host's state lets one expect of this study."""
    width = state.half_width(groups=plan.blocks, rounds=FIRST.count)
    return f"{state.words()}; expect intervals of +-{100 * width:.1f} % after {plan.blocks} blocks"


def _quality(run: Run, runner: Runner) -> None:
    specs = {cell.workload.name: cell.workload for cell in run.plan.cells}
    cell_s = max((job.limits.cell_timeout_s for job in run.plan.jobs), default=Limits().cell_timeout_s)
    wanted = [specs[name] for name in run.plan.quality]
    runner.quality(wanted, pairs=run.plan.quality_pairs, seed=run.plan.seed, timeout_s=PAIR_CELLS * cell_s)


def count_failures(run: Run) -> int:
    """Count what a run holds of failures: measurements by their last attempt, quality passes that are not whole."""
    loaded = store.Store(run.folder / store.MEASUREMENTS).load()
    last = {line.key[:3]: line.status for line in sorted(loaded.measurements, key=lambda m: m.attempt)}
    return sum(status in BAD for status in last.values()) + len(missing_quality(run, loaded))


def is_open(run: Run) -> bool:
    """Return whether a quality pass failed: it is taken again, although all is measured."""
    return bool(missing_quality(run, store.Store(run.folder / store.MEASUREMENTS).load()))


def missing_quality(run: Run, loaded: store.Loaded) -> list[str]:
    """List the workloads whose quality pass has not all its lines."""
    keys = {line.key for line in loaded.qualities}
    pairs = run.plan.quality_pairs
    return [name for name in run.plan.quality if pairs and not complete(keys, name, pairs)]


def _narrow(run: Run, runner: Runner, done: Pass, budget: Budget) -> Pass:
    """Add top-up blocks of cells whose interval is wider than asked, with their baselines, until the budget ends.

    Where the budget has no room for all of them, those of core rows go on.
    """
    if not (run.plan.controls and run.plan.verdicts):
        return done
    loaded = store.Store(run.folder / "measurements.jsonl").load()
    block = max([run.plan.blocks, *(m.block + 1 for m in loaded.measurements)])
    while True:
        loaded = store.Store(run.folder / "measurements.jsonl").load()
        wide = wide_cells(run.plan, loaded)
        if not wide:
            return replace(done, stopped=Stop.COMPLETE)
        if block >= MOST_BLOCKS:
            return replace(done, stopped=Stop.MOST_BLOCKS)
        core = [key for key in wide if key in run.plan.core]
        for cells in filter(None, (wide, core)):
            jobs = top_up_block(run.plan, cells, block=block)
            if _seconds(loaded, {job.cell.key for job in jobs}) * 1.2 <= budget.left_s:
                break
        else:
            return replace(done, stopped=Stop.PLANNED)
        more = runner.run(jobs, Budget(seconds=budget.left_s))
        done = replace(done, measured=done.measured + more.measured, failed=done.failed + more.failed)
        block += 1


def wide_cells(plan: Plan, loaded: store.Loaded) -> list[str]:
    """List the cells (keys) whose log-ratio interval has a half-width above the plan's target.

    A cell without an interval because it or its base was disturbed each time asks for more as well.
    """
    rows = speedup.rows(Dataset(plan, loaded.measurements, loaded.samples))
    restless = {row.cell.workload.name for row in rows if row.counts.get(Status.DISTURBED)}
    wide = []
    for row in filter(is_counted, rows):
        ratio = row.speedup or row.time_to_score
        if stats.half_width(ratio) > plan.target_half_width if ratio else row.cell.workload.name in restless:
            wide.append(row.cell.key)
    return wide


def _seconds(loaded: store.Loaded, keys: set[str]) -> float:
    """Estimate a top-up block: the longest process of each of its cells, with its rounds."""
    total: dict[str, list[float]] = {}
    for line in loaded.measurements:
        if line.cell in keys:
            phases = line.phases
            rounds_s = (2 * line.rounds + 1) * phases.makespan
            total.setdefault(line.cell, []).append(phases.cold + phases.data + phases.check + rounds_s)
    return sum(max(values) for values in total.values())
