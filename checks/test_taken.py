"""The rules about how a recorded study was taken, held against the run that `--reports` names."""

import itertools
import re
from dataclasses import replace

import pytest

from raybench.analysis.dataset import RunData
from raybench.model.serialize import digest
from raybench.planning.groups import PADDING_BYTES
from raybench.system.interference import Reading, Span
from raybench.system.interference import judge as judge_quiet
from recorded import by_block, good

SIGNALS = re.compile(
    r"(others used|background load took) .*|the hypervisor kept back .*|the CPU quota stopped .*|"
    r"\d+ pages were swapped in|"
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


@pytest.mark.rule(1)
def test_only_what_was_planned_was_measured(run: RunData) -> None:
    """That the plan's file is as it was written before the first timing is what reading it checks."""
    planned = {job.key[:3] for job in run.plan.jobs}
    assert {m.key[:3] for m in run.measurements if not m.extra} <= planned
    assert all(m.block >= run.plan.blocks for m in run.measurements if m.extra)


@pytest.mark.rule(6)
def test_every_measurement_has_processes_of_its_own(run: RunData) -> None:
    """Process numbers come round again after a while, but not within a block."""
    known: dict[tuple[int, int], tuple[str, int, int, int]] = {}
    for _, m in good(run):
        assert m.workers_seen, m.key
        for worker in m.workers_seen:
            assert known.setdefault((m.block, worker.pid), m.key) == m.key


@pytest.mark.rule(7)
def test_blocks_are_complete_and_drawn_anew(run: RunData) -> None:
    """Every block has every cell, one hash seed and one padding; blocks differ in their order, lines keep to it."""
    blocks = by_block(run.plan.jobs)
    for jobs in blocks:
        assert len({(job.hash_seed, job.padding) for job in jobs}) == 1
        assert all(0 <= job.padding <= PADDING_BYTES for job in jobs)
    assert len({frozenset(job.cell.key for job in jobs) for jobs in blocks}) == 1
    assert len({tuple(job.cell.key for job in jobs) for jobs in blocks}) > 1
    ran = sorted((m for m in run.measurements if m.attempt == 1 and not m.extra), key=lambda m: m.index)
    places = {job.key[:3]: (job.block, job.order) for job in run.plan.jobs}
    assert [places[m.key[:3]] for m in ran] == sorted(places[m.key[:3]] for m in ran)
    assert all(m.order == places[m.key[:3]][1] for m in ran)


@pytest.mark.rule(15)
def test_only_signals_of_the_machine_set_a_measurement_aside(run: RunData) -> None:
    """What is disturbed names a signal, what counts names none; a quiet machine is quiet however long it took."""
    for sample in run.samples:
        parts = sample.disturbance.reason.split("; ") if sample.disturbance.reason else []
        assert all(SIGNALS.fullmatch(part) for part in parts), sample.disturbance.reason
    first = Reading(at=0.0, cpus=2, busy_s=0.0, steal_s=0.0, throttled=0, swapped_in=0, overheated=0)
    signs = {"busy_s": 0.6, "throttled": 1, "swapped_in": 5, "overheated": 2}
    for seconds in (1.0, 1000.0):
        last = replace(first, at=seconds)
        assert judge_quiet(Span(first=first, last=last)).reason == ""
        for name, amount in signs.items():
            loud = replace(last, **{name: amount * (seconds if name.endswith("_s") else 1)})
            assert SIGNALS.fullmatch(judge_quiet(Span(first=first, last=loud)).reason), name


@pytest.mark.rule(22)
def test_threads_seen_in_the_workers_are_those_that_were_planned(run: RunData) -> None:
    pools = set()
    for cell, m in good(run):
        assert len(m.workers_seen) >= cell.workers, m.key
        for worker in m.workers_seen:
            assert worker.threads <= cell.cpus_per_task
            assert worker.omp == str(cell.cpus_per_task)
            assert worker.affinity == min(cell.cpus, run.plan.usable_cpus)
            pools.add((worker.threads, cell.cpus_per_task))
    assert {(1, 1), (run.plan.usable_cpus, run.plan.usable_cpus)} <= pools


@pytest.mark.rule(23)
def test_every_arm_of_a_workload_had_the_same_tasks(run: RunData) -> None:
    lists: dict[str, set[str]] = {}
    for cell, m in good(run):
        lists.setdefault(digest(cell.workload), set()).add(m.tasks_hash)
    assert all(len(hashes) == 1 and hashes != {""} for hashes in lists.values())


@pytest.mark.rule(24)
def test_arms_that_stop_nothing_early_answer_alike(run: RunData) -> None:
    answers: dict[str, set[str]] = {}
    scores: dict[tuple[str, str], list[float]] = {}
    for cell, m in good(run):
        if cell.backend.stepped or m.sweep:
            continue
        answers.setdefault(cell.workload.name, set()).add(m.answers_hash)
        for name, value in m.scores.items():
            scores.setdefault((cell.workload.name, name), []).append(value)
    assert {name: len(found) for name, found in answers.items()} == dict.fromkeys(answers, 1)
    assert scores
    assert max(max(values) - min(values) for values in scores.values()) <= 1e-9


@pytest.mark.rule(26)
def test_stamps_of_a_worker_never_overlap_and_lie_within_the_makespan(run: RunData) -> None:
    """Stamps are rounded to the microsecond; until 2026-11-21 their origin was read just before the makespan's."""
    stamped = [(c, m) for c, m in good(run) if m.tasks]
    assert stamped
    for _, m in stamped:
        lanes: dict[int, list[tuple[float, float]]] = {}
        for task in m.tasks:
            assert -2e-6 <= task.started <= task.ended <= m.phases.makespan + 1e-4, m.key
            lanes.setdefault(task.worker, []).append((task.started, task.ended))
        for lane in lanes.values():
            for (_, ended), (started, _) in itertools.pairwise(sorted(lane)):
                assert started >= ended - 2e-6, m.key


@pytest.mark.rule(35)
def test_quota_throttling_steal_pressure_and_affinity_are_recorded(run: RunData) -> None:
    facts = run.environment.facts
    for group, name in [("limits", "cpu_max"), ("state", "steal_s_since_boot"), ("state", "pressure_cpu")]:
        assert facts[group][name] not in ("", None)
    assert len(facts["cpu"]["affinity"]) == run.plan.usable_cpus
    for seen in (sample.disturbance for sample in run.samples):
        assert None not in (seen.background_during, seen.steal, seen.throttled, seen.swapped_in)


@pytest.mark.rule(44)
def test_tune_is_asked_for_few_results_a_second_and_its_arms_log_alike(run: RunData) -> None:
    tuned = [(c, m) for c, m in good(run) if c.backend.name in ("ray_tune_fifo", "ray_tune_asha")]
    assert {c.backend.name for c, _ in tuned} == {"ray_tune_fifo", "ray_tune_asha"}
    for _, m in tuned:
        assert 0 < sum(len(task.points) for task in m.tasks) / m.phases.makespan < 50
    assert len({digest(c.backend.params["flags"]) for c, _ in tuned}) == 1


@pytest.mark.rule(47)
def test_the_fingerprint_is_complete_and_unknown_facts_say_why(run: RunData) -> None:
    facts = run.environment.facts
    for group, names in FACTS.items():
        for name in names.split():
            value = facts[group][name]
            assert value is not None and value not in ("", [], {}), (group, name)
            assert not str(value).startswith("unavailable") or len(str(value)) > len("unavailable: "), (group, name)
    assert {"numpy", "ray", "joblib", "xgboost", "scikit-learn"} <= set(facts["packages"])
    assert {"source", "data", "machine", "plan"} <= set(run.environment.identity)
