"""The rules about the report of a study, held against the committed run: a smaller one cannot show all of this."""

import math
import re
import time

import pytest
from matplotlib.figure import Figure

from checkout import ROOT
from raybench.analysis.controls import AA, CEILING, OVERHEAD, SLEEP, ControlVerdict
from raybench.analysis.dataset import RunData, is_ceiling, joined_shared_head
from raybench.analysis.losses import PARTS
from raybench.analysis.results import Findings
from raybench.analysis.speedup import SAME_TIME
from raybench.model import units
from raybench.model.estimate import Row
from raybench.model.log_ratio import FEWEST, FEWEST_MODERATED
from raybench.model.plan import Cell, Role, Status, Tag
from raybench.planning.groups import is_baseline
from raybench.report import cells
from raybench.report.plots import efficiency
from raybench.report.tables import Table, escape
from raybench.report.threats import HEADINGS, threats
from recorded import by_block, good


def twice(cell: Cell) -> bool:
    """Return whether a cell is measured in two replicas a block."""
    return is_baseline(cell) and not {Tag.SLEEP, Tag.GRANULARITY_SWEEP} & set(cell.workload.tags)


def column(table: Table, name: str) -> list[str]:
    place = table.columns.index(name)
    return [row[place].text for row in table.rows]


def same_workload(row: Row, findings: Findings) -> list[Row]:
    return [other for other in findings.rows if other.cell.workload == row.cell.workload]


@pytest.mark.rule(2)
def test_every_planned_cell_is_reported_up_to_all_usable_cores(run: RunData, findings: Findings) -> None:
    assert {row.cell.key for row in findings.rows} == {job.cell.key for job in run.plan.jobs} | {
        skip.cell.key for skip in run.plan.skips
    }
    assert [cells.note(row) for row in findings.rows if not row.n and not row.reason] == []
    assert [m.key for m in run.measurements if m.status is not Status.OK and not m.reason] == []
    counted = sum(row.counts.get("not measured", 0) for row in findings.rows)
    begun = {m.block for m in run.measurements}
    planned = {job.key[:3] for job in run.plan.jobs if job.block in begun}
    assert counted == len(planned - {m.key[:3] for m in run.measurements})
    assert max(row.cell.cpus for row in findings.rows if row.n) == run.plan.usable_cpus


@pytest.mark.rule(3)
def test_every_ratio_is_shown_with_the_kind_and_the_seconds_of_its_base(findings: Findings) -> None:
    compared = [row for row in findings.rows if row.speedup or row.time_to_score or row.gain or row.relative]
    assert compared
    for row in compared:
        assert re.fullmatch(r"\w+, 1 thread", row.base_kind)
        assert row.base is not None and 0 < row.base.low <= row.base.point <= row.base.high < math.inf
    for row in (row for row in compared if row.gain):
        threaded = [r for r in same_workload(row, findings) if r.cell.backend.role is Role.THREADED_BASELINE]
        assert [r for r in threaded if r.cell.cpus == row.cell.cpus and r.makespan is not None]
    for table in (cells.gain(findings.rows), cells.relative(findings.rows)):
        assert units.ABSENT not in column(table, "base time")


@pytest.mark.rule(4)
def test_the_loop_is_measured_with_one_thread_and_with_all_threads(run: RunData, findings: Findings) -> None:
    """For the compute-bound search at least; the others are listed in METHODOLOGY.md."""
    loops = {(c.backend.name, c.cpus) for c, _ in good(run) if c.workload.name == "xgb_hpo_friedman"}
    assert {("sequential", 1), ("sequential_threads", run.plan.usable_cpus)} <= loops
    gained = [row for row in findings.rows if row.gain is not None and row.cell.cpus == run.plan.usable_cpus]
    assert {"joblib", "ray_tasks"} <= {row.cell.backend.name for row in gained}


@pytest.mark.rule(8)
def test_two_groups_are_behind_every_interval(run: RunData, findings: Findings) -> None:
    assert run.plan.blocks >= FEWEST
    ratios = [e for row in findings.rows for e in (row.speedup, row.gain, row.efficiency, row.time_to_score) if e]
    assert [e for e in ratios if e.n >= FEWEST]
    assert [e for e in ratios if e.n < FEWEST_MODERATED and math.isfinite(e.high)] == []


@pytest.mark.rule(13)
def test_times_and_sizes_carry_units_and_iec_prefixes(findings: Findings) -> None:
    measured = [row for row in findings.rows if row.n]
    warm = cells.warm([r for r in measured if r.speedup], verdicts=True)
    for text in column(warm, "time") + column(warm, "base time"):
        assert re.match(r"[\d.,]+ (µs|ms|s|min|h) \[", text), text
    assert all(re.match(r"[\d.]+x \[", text) for text in column(warm, "speedup"))
    resources = cells.resources(measured)
    assert all(re.match(r"[\d.]+ (B|KiB|MiB|GiB|TiB) \[", text) for text in column(resources, "peak memory"))
    texts = " ".join(entry.text for table in (warm, resources, cells.cold(measured)) for r in table.rows for entry in r)
    assert re.findall(r"\d ?(?:kB|KB|MB|GB|sec|msec|secs)\b", texts) == []


@pytest.mark.rule(16)
def test_every_workload_has_its_a_a_pair_in_two_blocks_and_the_floor_is_told(run: RunData, findings: Findings) -> None:
    bases = {job.cell.key for job in run.plan.jobs if twice(job.cell)}
    assert bases
    blocks = by_block(run.plan.jobs)
    for first, second in zip(blocks[::2], blocks[1::2], strict=False):
        found = {job.cell.key for job in (*first, *second) if job.replica % 2 == 0}
        assert bases <= found
    pooled = findings.controls.pooled
    assert pooled is not None
    assert findings.controls.floor == pytest.approx(max(abs(pooled.low - 1), abs(pooled.high - 1)))
    assert {row.cell.key for row in findings.controls.rows if row.kind == AA} <= bases


@pytest.mark.rule(17)
def test_no_known_answer_is_missed(findings: Findings) -> None:
    for kind in (SLEEP, OVERHEAD):
        rows = [row for row in findings.controls.rows if row.kind == kind]
        assert rows, kind
        assert ControlVerdict.MISSED not in {row.verdict for row in rows}


@pytest.mark.rule(18)
def test_the_shortest_interval_is_far_longer_than_the_clock_is_fine(run: RunData) -> None:
    """At least 1 ms, and ten times the clock's own resolution."""
    steps = [p.wall_s for _, m in good(run) for p in m.sweep]
    shortest = min([m.phases.makespan for _, m in good(run) if not m.sweep] + steps)
    assert shortest >= 1e-3
    assert time.get_clock_info("monotonic").resolution <= shortest / 10


@pytest.mark.rule(20)
def test_drift_is_told_and_the_warm_up_is_kept_apart(run: RunData, findings: Findings) -> None:
    drift = findings.controls.drift
    assert drift.n >= 6
    assert -1 < drift.low <= drift.point <= drift.high < math.inf
    assert [r.index for r in findings.residuals] == sorted(r.index for r in findings.residuals)
    parallel = [m for c, m in good(run) if Tag.PARALLEL in c.backend.tags and not c.backend.is_control]
    assert parallel
    assert all(m.phases.warm_up > 0 for m in parallel)


@pytest.mark.rule(21)
def test_cold_and_warm_are_two_numbers(run: RunData, findings: Findings) -> None:
    shared = {m.cell for _, m in good(run) if joined_shared_head(m)}
    for row in (row for row in findings.rows if row.n):
        if row.cell.key in shared:
            assert (row.cold, row.speedup_cold) == (None, None)
        else:
            assert row.cold.point > row.makespan.point
    both = [row for row in findings.rows if row.speedup and row.speedup_cold and row.cell.cpus > 1]
    assert both
    assert all(row.speedup.point != row.speedup_cold.point for row in both)


@pytest.mark.rule(27)
def test_lost_core_seconds_add_up_and_five_percent_at_most_are_unexplained(findings: Findings) -> None:
    assert findings.accounts
    for account in findings.accounts:
        assert sum(account.warm[part].point for part in PARTS) == pytest.approx(1)
        above = abs(account.warm["other"].point) > 0.05
        assert ("other above 5 %" in account.flags) is above
    explained = [a for a in findings.accounts if not a.flags]
    assert len(explained) >= 0.9 * len(findings.accounts)


@pytest.mark.rule(30)
def test_the_hardware_ceiling_is_of_the_same_blocks_and_none_lies_above_it(run: RunData, findings: Findings) -> None:
    bare = {job.cell.key for job in run.plan.jobs if is_ceiling(job.cell)}
    assert bare
    for jobs in by_block(run.plan.jobs):
        assert bare <= {job.cell.key for job in jobs}
    limited = [row for row in findings.rows if row.ceiling and row.efficiency]
    assert limited
    for row in limited:
        assert ("above the ceiling" in row.flags) is (row.efficiency.low > row.ceiling.high * (1 + SAME_TIME))
    assert ControlVerdict.MISSED not in {r.verdict for r in findings.controls.rows if r.kind == CEILING}


@pytest.mark.rule(31)
def test_ideal_ceiling_and_schedule_bounds_are_shown(findings: Findings) -> None:
    data, figure = efficiency.series(findings), Figure(layout="constrained")
    efficiency.draw(data, figure)
    assert {"ideal", "hardware ceiling"} <= {text.get_text() for text in figure.legends[0].get_texts()}
    for account in findings.accounts:
        assert account.graham_low.point > 0
    assert all(0 < row.cap <= max(1, row.cell.workers / row.cell.cpus) for row in findings.rows if row.efficiency)


@pytest.mark.rule(32)
def test_every_table_of_ratios_says_that_its_scaling_is_strong(findings: Findings) -> None:
    tables = [cells.warm(findings.rows, verdicts=True), *(f(findings.rows) for f in (cells.cold, cells.gain))]
    tables.append(cells.relative(findings.rows))
    assert all("Scaling: strong" in table.caption for table in tables)


@pytest.mark.rule(43)
def test_an_early_stopping_gain_is_split_into_factors_that_multiply_to_it(run: RunData, findings: Findings) -> None:
    assert findings.splits
    for split in findings.splits:
        product = split.saving.point * split.cores * split.efficiency.point
        assert product == pytest.approx(split.total.point, rel=0.01)
        assert split.saving.point > 1 and split.cores == split.cell.cpus
    with_threads = {split.cell.workload.name for split in findings.splits if split.same_resources is not None}
    fifo = {c.workload.name for c, _ in good(run) if c.backend.name == "ray_tune_fifo"}
    assert with_threads & fifo


@pytest.mark.rule(50)
def test_threats_are_told_with_the_actual_limits(run: RunData, findings: Findings) -> None:
    told = dict(threats(run, findings))
    assert tuple(told) == HEADINGS
    assert all(len(text) > 40 for text in told.values())
    assert f"{run.plan.usable_cpus} usable cores" in told["External"]
    assert run.environment.machine in told["External"]
    assert str(max(row.n for row in findings.rows)) in told["Statistical"]
    results = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    assert all(f"{heading}: {escape(text)}" in results for heading, text in told.items())


def test_the_steal_of_the_run_is_told(run: RunData, findings: Findings) -> None:
    seen = [one.disturbance.steal for one in run.samples or run.measurements if one.disturbance.steal is not None]
    told = dict(threats(run, findings))["Internal"]
    assert ("CPU steal: median" in told) is bool(seen)
