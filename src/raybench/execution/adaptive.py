"""Carry a run through: planned blocks, the quality pass, then mini-blocks while an interval is too wide.

The quality pass is not timed and needs no block: a budget that ends between blocks leaves it to be taken, once.
The one place above the store's wall on both sides: it asks the analysis how wide the intervals are, and
the runner for more blocks. A verdict is never asked for.
"""

from collections.abc import Callable
from dataclasses import replace

from raybench.analysis import speedup
from raybench.config.settings import Settings
from raybench.execution.run_folder import PLANNED, Run
from raybench.execution.runner import Event, Observer, Outcome, Runner, jobs_in_order
from raybench.model import stats
from raybench.model.clock import now
from raybench.model.plan import Plan, Status, Tag
from raybench.planning.planner import mini_block
from raybench.store import store

MOST_BLOCKS = 30  # method: stop at 30 blocks however wide the interval


def pursue(run: Run, settings: Settings, observe: Observer) -> Outcome:
    """Measure what is missing of a run within the budget; the caller holds the folder's lock.

    Returns counts of this pass and why it stopped: `complete` (every planned block and every interval narrow
    enough), `planned blocks` (all of them, but no budget left for wide intervals), `budget`, or `30 blocks`.
    """
    retry_failed, quiet_only = settings.study.retry_failed, run.plan.controls
    runner = Runner(run.folder, observe=observe, retry_failed=retry_failed, quiet_only=quiet_only)
    if stale := runner.leftovers():
        observe(Event(kind="stopped", text=f"ended {stale} processes that a killed runner had left behind"))
    budget_s = settings.study.budget_min * 60
    began = now()
    outcome = runner.run(jobs_in_order(run.plan), budget_s=budget_s)
    specs = {cell.workload.name: cell.workload for cell in run.plan.cells}
    if run.plan.quality_pairs:
        runner.quality([specs[name] for name in run.plan.quality], pairs=run.plan.quality_pairs, seed=run.plan.seed)
    if outcome.stopped == "budget":
        return _tell(outcome, observe)
    return _tell(_narrow(run, runner, outcome, left_s=lambda: budget_s - (now() - began)), observe)


def _narrow(run: Run, runner: Runner, outcome: Outcome, *, left_s: Callable[[], float]) -> Outcome:
    """Add mini-blocks of the cells whose interval is wider than asked, with their bases, until the budget ends."""
    if not (run.plan.controls and run.plan.verdicts):
        return outcome
    loaded = store.Store(run.folder / "measurements.jsonl").load()
    block = max([run.plan.blocks, *(m.block + 1 for m in loaded.measurements)])
    while True:
        loaded = store.Store(run.folder / "measurements.jsonl").load()
        wide = wide_cells(run.plan, loaded)
        if not wide:
            return replace(outcome, stopped="complete")
        if block >= MOST_BLOCKS:
            return replace(outcome, stopped=f"{MOST_BLOCKS} blocks")
        jobs = mini_block(run.plan, wide, block=block)
        took = _seconds(loaded, {job.cell.key for job in jobs}) * 1.2
        if took > left_s():
            return replace(outcome, stopped=PLANNED)
        more = runner.run(jobs, budget_s=left_s())
        outcome = replace(outcome, measured=outcome.measured + more.measured, failed=outcome.failed + more.failed)
        block += 1


def wide_cells(plan: Plan, loaded: store.Loaded) -> list[str]:
    """List the cells (keys) whose log-ratio interval has a half-width above the plan's target.

    A cell without an interval because it or its base was disturbed each time asks for more as well.
    """
    rows = speedup.rows(plan, loaded.measurements)
    restless = {row.cell.workload.name for row in rows if row.counts.get(Status.DISTURBED)}
    wide = []
    for row in rows:
        backend = row.cell.backend
        if backend.is_control or Tag.SERIAL in backend.tags or Tag.GRANULARITY_SWEEP in row.cell.workload.tags:
            continue
        ratio = row.speedup or row.time_to_score
        if stats.half_width(ratio) > plan.target_half_width if ratio else row.cell.workload.name in restless:
            wide.append(row.cell.key)
    return wide


def _seconds(loaded: store.Loaded, keys: set[str]) -> float:
    """Estimate a mini-block: the longest measurement of each of its cells, twice (bases have a replica), and a head."""
    total: dict[str, list[float]] = {}
    for line in loaded.measurements:
        if line.cell in keys:
            phases = line.phases
            total.setdefault(line.cell, []).append(phases.cold + phases.data + phases.check + 1.0)
    return 10.0 + sum(2 * max(values) for values in total.values())


def _tell(outcome: Outcome, observe: Observer) -> Outcome:
    observe(Event(kind="stopped", text=f"stopped: {outcome.stopped}"))
    return outcome
