"""E, speedup, prediction and contention of emulated cells, from raw lines with known answers."""

from dataclasses import replace

import numpy as np
import pytest

from made_emulation import BLOCKS, LONG_LEASE, MADE_UP, REAL, SHORT_LEASE, anchored, emulated_run, logical, waited
from raybench.analysis.dataset import Dataset
from raybench.analysis.emulation import Emulation, Point, emulation
from raybench.model.laws import fit_laws
from raybench.model.plan import Cluster, Spec, Tag
from raybench.model.schedule import leased_schedule_s, list_schedule_s
from raybench.model.stats import Resampler

ONE, EIGHT = logical(cpus=1), logical(cpus=8)
TRAINING = Spec(
    name="replay_training",
    target="x:Replay",
    params={"recorded": {"workload": REAL.name, "backend": "sequential", "cpus": 1}, "per_cpu": 0, "count": 16},
    tags=(Tag.WAITS, Tag.REPLAY),
)


def analysed(run) -> Emulation:
    found = emulation(Dataset(run.plan, run.measurements, run.samples), Resampler())
    assert found is not None
    return found


def point(found: Emulation, where) -> Point:
    return next(p for p in found.points if p.cell.key == where.key)


def test_efficiency_is_the_ideal_schedule_over_the_makespan_and_speedup_the_sum_of_the_waits():
    waits = [1.0, 1.0, 1.0, 0.5]  # on 2 logical CPUs: 2 s at best, 3.5 s one after another
    two = logical(cpus=2)
    plan, lines = anchored([waited(two, b, waits, loss=0.25) for b in range(BLOCKS)], [two])
    found = point(analysed(emulated_run_of(plan, lines)), two)

    assert found.efficiency.point == pytest.approx(1 / 1.25)
    assert found.speedup.point == pytest.approx(3.5 / 2.5)
    assert (found.n, found.tasks, found.task_s) == (BLOCKS, 4, pytest.approx(0.875))


def emulated_run_of(plan, lines):
    return replace(emulated_run(EIGHT), plan=plan, measurements=tuple(lines))


def test_an_invalid_cell_shows_no_number_but_its_reason():
    found = point(analysed(emulated_run(EIGHT, ratio=1.2)), EIGHT)

    assert found.efficiency is found.speedup is found.error is None
    assert "anchor" in found.reason


def test_the_predictor_takes_the_cost_of_a_task_from_one_logical_cpu():
    """At P = 1 each of two tasks costs 5 ms besides its half second: 1.01 s; at P = 8 that gives the same makespan."""
    found = analysed(emulated_run(ONE, EIGHT, loss=0.01))

    assert point(found, EIGHT).error.point == pytest.approx(0.0, abs=0.002)
    assert point(found, EIGHT).predicted == pytest.approx(1 / 1.01, abs=0.002)


def test_nothing_is_predicted_where_one_logical_cpu_was_not_measured():
    assert point(analysed(emulated_run(EIGHT)), EIGHT).error is None


def test_topology_and_lease_come_from_the_cluster_and_the_backend():
    far = logical(backend=SHORT_LEASE, cpus=8, cluster="four")
    nodes = {"four": Cluster(name="four", nodes=(4, 2, 1, 1))}
    found = point(analysed(emulated_run(far, clusters=nodes)), far)

    assert (found.topology, found.lease_s) == ("4+2+1+1", 0.5)
    assert point(analysed(emulated_run(EIGHT)), EIGHT).lease_s == 60.0


def test_contention_is_how_much_longer_the_same_tasks_took_on_two_cores():
    where = logical(TRAINING)
    found = point(analysed(emulated_run(where)), where)

    assert found.contention.point == pytest.approx(1.2)
    assert point(analysed(emulated_run(EIGHT)), EIGHT).contention is None


def test_the_anchor_is_given_by_the_name_of_what_it_replays():
    assert analysed(emulated_run(EIGHT, ratio=1.03)).anchors[REAL.name].point == pytest.approx(1.03, abs=1e-6)


def test_a_run_without_logical_cpus_has_no_emulation():
    run = emulated_run(EIGHT)
    real = [m for m in run.measurements if m.cell not in {c.key for c in run.plan.cells if c.emulated}]
    plan = replace(run.plan, jobs=tuple(j for j in run.plan.jobs if not j.cell.emulated))

    assert emulation(Dataset(plan, real), Resampler()) is None


# --- the schedule with leases ---------------------------------------------------------------------


def test_a_remote_worker_stands_idle_for_a_tenth_of_a_second_after_half_a_second():
    far, near = leased_schedule_s([0.5] * 4, (0, 1)), leased_schedule_s([0.5] * 4, (1,))

    assert far == pytest.approx(4 * 0.5 + 3 * 0.1)
    assert near == pytest.approx(4 * 0.5 + 3 * 0.01)


def test_a_lease_outlives_several_short_tasks_and_a_long_one_all():
    short = leased_schedule_s([0.2] * 6, (0, 1))

    assert short == pytest.approx(6 * 0.2 + 1 * 0.1)  # given back after the third task, at 0.6 s
    assert leased_schedule_s([0.2] * 6, (0, 1), lease_s=60.0) == pytest.approx(1.2)


def test_without_leases_it_is_the_list_schedule():
    waits = list(np.random.default_rng(1).uniform(0.1, 0.4, size=60))

    assert leased_schedule_s(waits, (3, 2), lease_s=1e9, per_task_s=0.01) == pytest.approx(
        list_schedule_s(waits, 5, per_task_s=0.01)
    )


# --- laws -----------------------------------------------------------------------------------------

COUNTS = (1, 2, 4, 8, 16, 32)


def law(serial: float, coherency: float = 0.0) -> dict[int, list[float]]:
    noise = np.random.default_rng(2).normal(scale=1e-3, size=(len(COUNTS), 4))
    return {
        p: [float(s) for s in 10 * (1 + serial * (p - 1) + coherency * p * (p - 1)) / p * np.exp(noise[i])]
        for i, p in enumerate(COUNTS)
    }


def test_a_serial_share_is_found_within_its_interval():
    found = fit_laws(law(0.05), Resampler())

    assert found.serial.low <= 0.05 <= found.serial.high
    assert found.serial.point == pytest.approx(0.05, rel=0.05)
    assert found.errors["Amdahl"] < 0.01


def test_coherency_is_found_where_there_is_some():
    found = fit_laws(law(0.02, 0.001), Resampler())

    assert found.coherency.point == pytest.approx(0.001, rel=0.1)
    assert found.errors["USL"] < 0.01 < found.errors["Amdahl"]


def test_fewer_than_six_core_counts_or_three_blocks_are_not_fitted():
    whole = law(0.05)

    assert fit_laws({p: whole[p] for p in COUNTS[:5]}, Resampler()) is None
    assert fit_laws({p: whole[p][:2] for p in COUNTS}, Resampler()) is None


def test_laws_are_fitted_to_a_workload_of_fixed_size_on_one_node():
    fixed = replace(MADE_UP, name="replay_fixed", params={"count": 96})
    cells = [logical(fixed, LONG_LEASE, p) for p in (2, 4, 8, 16, 24, 48)]
    lines = [waited(c, b, [0.25] * 96, loss=0.02 * c.cpus / 48 + 0.001 * b) for c in cells for b in range(BLOCKS)]
    plan, measurements = anchored(lines, cells)
    (scaling,) = analysed(emulated_run_of(plan, measurements)).scaling

    assert (scaling.workload, scaling.laws.counts) == ("replay_fixed", (2, 4, 8, 16, 24, 48))
    assert 0 < scaling.laws.serial.point < 0.01
