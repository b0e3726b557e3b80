"""The rules of the checklist that are about a recorded study, by number, held against the committed run.

The run is the one that `reports/current` names: its raw data are part of the project.
"""

import itertools
import math
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from raybench import store
from raybench.accounting import PARTS
from raybench.claims.judge import judge
from raybench.controls import AA, CEILING, MISS, OVERHEAD, SLEEP
from raybench.ledger import is_ceiling
from raybench.model import Cell, Job, Measurement, Row, Status, digest
from raybench.plan import PADDING_BYTES, head_key, is_base
from raybench.quiet import Reading, Span
from raybench.quiet import judge as judge_quiet
from raybench.report import build, cells
from raybench.report.findings import Findings, Run
from raybench.report.plots import speedup
from raybench.report.tables import Table, escape
from raybench.report.threats import HEADINGS, threats

ROOT = Path(__file__).parents[1]
REPORTS = ROOT / "reports"
SIGNALS = re.compile(
    r"others used .*|the hypervisor kept back .*|the CPU quota stopped .*|\d+ pages were swapped in|"
    r"\d+ thermal throttle events"
)
FACTS = {  # the fingerprint of the method, by group
    "cpu": "model sockets physical_cores logical_cpus governor turbo mhz_now microcode numa affinity usable",
    "memory": "total_bytes swap_total_bytes swap_used_bytes transparent_huge_pages",
    "limits": "cgroup cpu_max memory_max_bytes",
    "state": "load steal_s_since_boot pressure_cpu pressure_io pressure_memory",
    "storage": "/tmp /dev/shm",
    "system": "kernel container virtual_machine",
    "python": "version build thread_pools",
    "gpu": "devices",
    "code": "commit dirty diff_sha256 lock_sha256 source_sha256 data_sha256",
    "time": "utc monotonic_s",
}


@pytest.fixture(scope="module")
def run() -> Run:
    """Read the committed run; without one there is nothing that these rules could be held against."""
    folder = store.current(REPORTS)
    if folder is None:
        pytest.fail("reports/current names no run: commit one, taken with `raybench run study=quick`")
    return build.read(folder, REPORTS)


@pytest.fixture(scope="module")
def findings(run: Run) -> Findings:
    return build.judged(run, judge=judge)[1]


def good(run: Run) -> list[tuple[Cell, Measurement]]:
    """Give the measurements that count, each with its cell."""
    by_key = {cell.key: cell for cell in run.plan.cells}
    return [(by_key[m.cell], m) for m in run.measurements if m.status is Status.OK]


def twice(cell: Cell) -> bool:
    """Tell whether a cell is measured in two replicas a block."""
    return is_base(cell) and not {"sleep", "ladder"} & set(cell.workload.tags)


def by_block(jobs: Iterable[Job]) -> list[list[Job]]:
    ordered = sorted(jobs, key=lambda job: (job.block, job.order))
    return [list(group) for _, group in itertools.groupby(ordered, key=lambda job: job.block)]


def undrawn(jobs: Sequence[Job], rng: np.random.Generator) -> list[list[tuple[str, int]]]:
    """Bring the jobs of a block back into the order that they had before it was drawn."""
    groups = [list(group) for _, group in itertools.groupby(jobs, key=lambda job: head_key(job.cell) or str(job.key))]
    before: dict[int, list[tuple[str, int]]] = {}
    for place, group in zip(rng.permutation(len(groups)), groups, strict=True):
        names = [(job.cell.key, job.replica) for job in group]
        before[int(place)] = [names[k] for k in np.argsort(rng.permutation(len(names)))]
    return [before[place] for place in sorted(before)]


def column(table: Table, name: str) -> list[str]:
    place = table.columns.index(name)
    return [row[place].text for row in table.rows]


def same_workload(row: Row, findings: Findings) -> list[Row]:
    return [other for other in findings.rows if other.cell.workload == row.cell.workload]


def test_rule_01_the_plan_is_frozen_before_the_first_timing(run: Run) -> None:
    """The run's identity, written before its first line, is the hash of the plan; nothing else was measured."""
    assert run.environment.identity["plan"] == digest({"plan": replace(run.plan, about="")})
    planned = {job.key[:3] for job in run.plan.jobs}
    assert {m.key[:3] for m in run.measurements if not m.extra} <= planned
    assert all(m.block >= run.plan.blocks for m in run.measurements if m.extra)


def test_rule_02_every_planned_cell_is_reported_up_to_all_usable_cores(run: Run, findings: Findings) -> None:
    assert {row.cell.key for row in findings.rows} == {job.cell.key for job in run.plan.jobs} | {
        skip.cell.key for skip in run.plan.skips
    }
    assert [cells.note(row) for row in findings.rows if not row.n and not row.reason] == []
    assert [m.key for m in run.measurements if m.status is not Status.OK and not m.reason] == []
    counted = sum(row.counts.get("not measured", 0) for row in findings.rows)
    assert counted == len({job.key[:3] for job in run.plan.jobs} - {m.key[:3] for m in run.measurements})
    assert max(row.cell.cpus for row in findings.rows if row.n) == run.plan.usable_cpus


def test_rule_03_every_ratio_stands_beside_the_kind_and_the_seconds_of_its_base(findings: Findings) -> None:
    compared = [row for row in findings.rows if row.speedup or row.time_to_score or row.gain or row.relative]
    assert compared
    for row in compared:
        assert re.fullmatch(r"\w+, 1 thread", row.base_kind)
        assert row.base is not None and 0 < row.base.low <= row.base.point <= row.base.high < math.inf
    for row in (row for row in compared if row.gain):
        threaded = [r for r in same_workload(row, findings) if "threads" in r.cell.backend.tags]
        assert [r for r in threaded if r.cell.cpus == row.cell.cpus and r.makespan is not None]


def test_rule_04_the_loop_is_measured_with_one_thread_and_with_all_threads(run: Run, findings: Findings) -> None:
    """For the compute-bound search at least; the others are listed in METHODOLOGY.md."""
    loops = {(c.backend.name, c.cpus) for c, _ in good(run) if c.workload.name == "xgb_hpo_friedman"}
    assert {("sequential", 1), ("sequential_threads", run.plan.usable_cpus)} <= loops
    gained = [row for row in findings.rows if row.gain is not None and row.cell.cpus == run.plan.usable_cpus]
    assert {"joblib", "ray_tasks"} <= {row.cell.backend.name for row in gained}


def test_rule_06_every_measurement_has_processes_of_its_own(run: Run) -> None:
    """Process numbers come round again after a while, but not within a block."""
    known: dict[tuple[int, int], tuple[str, int, int, int]] = {}
    for _, m in good(run):
        assert m.workers_seen, m.key
        for worker in m.workers_seen:
            assert known.setdefault((m.block, worker.pid), m.key) == m.key


def test_rule_07_blocks_are_complete_and_their_order_follows_from_the_seed(run: Run) -> None:
    """Undoing the draw of each block gives the same list of cells for all of them."""
    blocks, before = by_block(run.plan.jobs), []
    for number, jobs in enumerate(blocks):
        rng = np.random.default_rng(np.random.SeedSequence([run.plan.seed, number]))
        drawn = (int(rng.integers(1, 2**32 - 1)), int(rng.integers(0, PADDING_BYTES + 1)))
        assert {(job.hash_seed, job.padding) for job in jobs} == {drawn}
        before.append(undrawn(jobs, rng))
    assert all(order == before[0] for order in before)
    assert len({tuple(job.cell.key for job in jobs) for jobs in blocks}) > 1
    ran = sorted((m for m in run.measurements if m.attempt == 1 and not m.extra), key=lambda m: m.index)
    places = {job.key[:3]: (job.block, job.order) for job in run.plan.jobs}
    assert [places[m.key[:3]] for m in ran] == sorted(places[m.key[:3]] for m in ran)
    assert all(m.order == places[m.key[:3]][1] for m in ran)


def test_rule_08_six_blocks_stand_behind_every_interval(run: Run, findings: Findings) -> None:
    assert run.plan.blocks >= 6
    ratios = [e for row in findings.rows for e in (row.speedup, row.gain, row.efficiency, row.time_to_score) if e]
    assert [e for e in ratios if e.n >= 6]
    assert [e for e in ratios if e.n < 6 and math.isfinite(e.high)] == []


def test_rule_13_times_and_sizes_carry_units_and_iec_prefixes(findings: Findings) -> None:
    measured = [row for row in findings.rows if row.n]
    warm = cells.warm([r for r in measured if r.speedup], verdicts=True)
    for text in column(warm, "time") + column(warm, "base time"):
        assert re.match(r"[\d.,]+ (µs|ms|s|min|h) \[", text), text
    assert all(re.match(r"[\d.]+x \[", text) for text in column(warm, "speedup"))
    resources = cells.resources(measured)
    assert all(re.match(r"[\d.]+ (B|KiB|MiB|GiB|TiB) \[", text) for text in column(resources, "peak memory"))
    texts = " ".join(entry.text for table in (warm, resources, cells.cold(measured)) for r in table.rows for entry in r)
    assert re.findall(r"\d ?(?:kB|KB|MB|GB|sec|msec|secs)\b", texts) == []


def test_rule_15_only_signals_of_the_machine_set_a_measurement_aside(run: Run) -> None:
    """What is disturbed names a signal, what counts names none; a quiet machine is quiet however long it took."""
    for m in run.measurements:
        parts = m.reason.split("; ") if m.status is Status.DISTURBED else []
        assert all(SIGNALS.fullmatch(part) for part in parts), m.reason
        assert m.status is not Status.OK or not m.disturbance.reason, m.key
    first = Reading(at=0.0, cpus=2, busy_s=0.0, steal_s=0.0, throttled=0, swapped_in=0, overheated=0)
    signs = {"busy_s": 0.6, "steal_s": 0.3, "throttled": 1, "swapped_in": 5, "overheated": 2}
    for seconds in (1.0, 1000.0):
        last = replace(first, at=seconds)
        assert judge_quiet(None, Span(first=first, last=last)).reason == ""
        for name, amount in signs.items():
            loud = replace(last, **{name: amount * (seconds if name.endswith("_s") else 1)})
            assert SIGNALS.fullmatch(judge_quiet(None, Span(first=first, last=loud)).reason), name


def test_rule_16_each_block_has_its_a_a_pair_and_the_floor_is_told(run: Run, findings: Findings) -> None:
    bases = {job.cell.key: job.cell for job in run.plan.jobs if twice(job.cell)}
    assert bases
    for jobs in by_block(run.plan.jobs):
        found = {(job.cell.key, job.replica) for job in jobs if twice(job.cell)}
        assert found == {(key, replica) for key in bases for replica in (1, 2)}
    rows = {row.cell.key: row.estimate for row in findings.controls.rows if row.kind == AA}
    for key, cell in bases.items():
        e = rows[key]
        assert findings.controls.floor[cell.workload.name] == max(abs(e.low - 1), abs(e.high - 1))


def test_rule_17_known_answers_are_found(findings: Findings) -> None:
    for kind in (SLEEP, OVERHEAD):
        rows = [row for row in findings.controls.rows if row.kind == kind]
        assert rows, kind
        assert {row.verdict for row in rows} == {"found"}
    (added,) = [row for row in findings.controls.rows if row.kind == OVERHEAD]
    assert (added.expected, added.unit) == (0.05, "s per task")
    assert added.estimate.low > 0
    assert abs(added.estimate.point / 0.05 - 1) <= MISS


def test_rule_18_the_shortest_interval_is_far_longer_than_the_clock_is_fine(run: Run) -> None:
    """At least 1 ms, and ten times the clock's own resolution."""
    bags = [p.wall_s for _, m in good(run) for p in m.ladder]
    shortest = min([m.phases.makespan for _, m in good(run) if not m.ladder] + bags)
    assert shortest >= 1e-3
    assert time.get_clock_info("monotonic").resolution <= shortest / 10


def test_rule_20_drift_is_told_and_the_warm_up_is_kept_apart(run: Run, findings: Findings) -> None:
    drift = findings.controls.drift
    assert drift.n >= 6
    assert -1 < drift.low <= drift.point <= drift.high < math.inf
    assert [r.index for r in findings.residuals] == sorted(r.index for r in findings.residuals)
    parallel = [m for c, m in good(run) if "parallel" in c.backend.tags and "control" not in c.backend.tags]
    assert parallel
    assert all(m.phases.warm_up > 0 for m in parallel)


def test_rule_21_cold_and_warm_are_two_numbers(run: Run, findings: Findings) -> None:
    shared = {m.cell for _, m in good(run) if m.notes.get("head") == "shared"}
    for row in (row for row in findings.rows if row.n):
        if row.cell.key in shared:
            assert (row.cold, row.speedup_cold) == (None, None)
        else:
            assert row.cold.point > row.makespan.point
    both = [row for row in findings.rows if row.speedup and row.speedup_cold and row.cell.cpus > 1]
    assert both
    assert all(row.speedup.point != row.speedup_cold.point for row in both)


def test_rule_22_threads_seen_in_the_workers_are_those_that_were_planned(run: Run) -> None:
    pools = set()
    for cell, m in good(run):
        assert len(m.workers_seen) >= cell.workers, m.key
        for worker in m.workers_seen:
            assert worker.threads <= cell.cpus_per_task
            assert worker.omp == str(cell.cpus_per_task)
            assert worker.affinity == min(cell.cpus, run.plan.usable_cpus)
            pools.add((worker.threads, cell.cpus_per_task))
    assert {(1, 1), (run.plan.usable_cpus, run.plan.usable_cpus)} <= pools


def test_rule_23_every_arm_of_a_workload_had_the_same_tasks(run: Run) -> None:
    lists: dict[str, set[str]] = {}
    for cell, m in good(run):
        lists.setdefault(digest(cell.workload), set()).add(m.tasks_hash)
    assert all(len(hashes) == 1 and hashes != {""} for hashes in lists.values())


def test_rule_24_arms_that_stop_nothing_early_answer_alike(run: Run) -> None:
    answers: dict[str, set[str]] = {}
    scores: dict[tuple[str, str], list[float]] = {}
    for cell, m in good(run):
        if "adaptive" in cell.backend.tags or m.ladder:
            continue
        answers.setdefault(cell.workload.name, set()).add(m.answers_hash)
        for name, value in m.scores.items():
            scores.setdefault((cell.workload.name, name), []).append(value)
    assert {name: len(found) for name, found in answers.items()} == dict.fromkeys(answers, 1)
    assert scores
    assert max(max(values) - min(values) for values in scores.values()) <= 1e-9


def test_rule_26_stamps_of_a_worker_never_overlap_and_lie_within_the_makespan(run: Run) -> None:
    """Stamps are rounded to the microsecond."""
    stamped = [(c, m) for c, m in good(run) if m.tasks]
    assert stamped
    for _, m in stamped:
        lanes: dict[int, list[tuple[float, float]]] = {}
        for task in m.tasks:
            assert -2e-6 <= task.started <= task.ended <= m.phases.makespan + 2e-6, m.key
            lanes.setdefault(task.worker, []).append((task.started, task.ended))
        for lane in lanes.values():
            for (_, ended), (started, _) in itertools.pairwise(sorted(lane)):
                assert started >= ended - 2e-6, m.key


def test_rule_27_lost_core_seconds_add_up_and_five_percent_at_most_are_unexplained(findings: Findings) -> None:
    assert findings.accounts
    for account in findings.accounts:
        assert sum(account.warm[part].point for part in PARTS) == pytest.approx(1)
        above = abs(account.warm["other"].point) > 0.05
        assert ("other above 5 %" in account.flags) is above
    explained = [a for a in findings.accounts if not a.flags]
    assert len(explained) >= 0.9 * len(findings.accounts)


def test_rule_30_the_hardware_ceiling_is_of_the_same_blocks_and_none_lies_above_it(
    run: Run, findings: Findings
) -> None:
    bare = {job.cell.key for job in run.plan.jobs if is_ceiling(job.cell)}
    assert bare
    for jobs in by_block(run.plan.jobs):
        assert bare <= {job.cell.key for job in jobs}
    limited = [row for row in findings.rows if row.ceiling and row.efficiency]
    assert limited
    for row in limited:
        floor = findings.controls.floor[row.cell.workload.name]
        assert ("above the ceiling" in row.flags) is (row.efficiency.low > row.ceiling.high * (1 + floor))
    assert {r.verdict for r in findings.controls.rows if r.kind == CEILING} == {"found"}


def test_rule_31_ideal_ceiling_and_schedule_bounds_are_shown(findings: Findings) -> None:
    data, figure = speedup.series(findings), Figure(layout="constrained")
    speedup.draw(data, figure)
    assert {"ideal", "hardware ceiling"} <= {text.get_text() for text in figure.legends[0].get_texts()}
    for account in findings.accounts:
        assert 0 < account.graham_low.point <= account.graham_high.point
    assert all(0 < row.cap <= 1 for row in findings.rows if row.efficiency)


def test_rule_35_quota_throttling_steal_pressure_and_affinity_are_recorded(run: Run) -> None:
    facts = run.environment.facts
    for group, name in [("limits", "cpu_max"), ("state", "steal_s_since_boot"), ("state", "pressure_cpu")]:
        assert facts[group][name] not in ("", None)
    assert len(facts["cpu"]["affinity"]) == run.plan.usable_cpus
    for _, m in good(run):
        seen = m.disturbance
        assert None not in (seen.foreign_before, seen.foreign_during, seen.steal, seen.throttled, seen.swapped_in)
        assert seen.throttled == 0, m.key


def test_rule_43_an_early_stopping_gain_is_split_and_its_factors_multiply_to_the_total(
    run: Run, findings: Findings
) -> None:
    assert findings.splits
    for split in findings.splits:
        product = split.saving.point * split.cores * split.efficiency.point
        assert product == pytest.approx(split.total.point, rel=0.01)
        assert split.saving.point > 1 and split.cores == split.cell.cpus
    with_threads = {split.cell.workload.name for split in findings.splits if split.same_resources is not None}
    fifo = {c.workload.name for c, _ in good(run) if c.backend.name == "ray_tune_fifo"}
    assert with_threads & fifo


def test_rule_44_tune_is_asked_for_few_results_a_second_and_its_arms_log_alike(run: Run) -> None:
    tuned = [(c, m) for c, m in good(run) if c.backend.name in ("ray_tune_fifo", "ray_tune_asha")]
    assert {c.backend.name for c, _ in tuned} == {"ray_tune_fifo", "ray_tune_asha"}
    for _, m in tuned:
        assert 0 < sum(len(task.points) for task in m.tasks) / m.phases.makespan < 50
    assert len({digest(c.backend.params["flags"]) for c, _ in tuned}) == 1


def test_rule_47_the_fingerprint_is_complete_and_unknown_facts_say_why(run: Run) -> None:
    facts = run.environment.facts
    for group, names in FACTS.items():
        for name in names.split():
            value = facts[group][name]
            assert value is not None and value not in ("", [], {}), (group, name)
            assert not str(value).startswith("unavailable") or len(str(value)) > len("unavailable: "), (group, name)
    assert {"numpy", "ray", "joblib", "xgboost", "scikit-learn"} <= set(facts["packages"])
    assert set(run.environment.identity) == {"source", "lock", "data", "machine", "plan"}
    assert facts["code"]["lock_sha256"] == run.environment.identity["lock"]


def test_rule_48_the_report_is_regenerated_byte_by_byte_from_the_raw_lines(run: Run, findings: Findings) -> None:
    given = build.texts(run, findings, REPORTS, ROOT)
    assert ROOT / "RESULTS.md" in given
    assert [path.name for path, text in given.items() if path.read_bytes() != text.encode()] == []


def test_rule_50_threats_are_told_with_the_actual_limits(run: Run, findings: Findings) -> None:
    told = dict(threats(run, findings))
    assert tuple(told) == HEADINGS
    assert all(len(text) > 40 for text in told.values())
    assert f"{run.plan.usable_cpus} usable cores" in told["External"]
    assert run.environment.machine in told["External"]
    assert str(max(row.n for row in findings.rows)) in told["Statistical"]
    results = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    assert all(f"{heading}: {escape(text)}" in results for heading, text in told.items())
