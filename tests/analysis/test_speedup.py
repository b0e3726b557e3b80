"""Rows: each planned cell once, with ratios worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from made_study import (
    ASHA,
    CEILING,
    INJECTED,
    LOGICAL_GPU,
    POOL,
    SEQUENTIAL,
    SHARED_HEAD,
    THREADS,
    WORKLOAD,
    cell,
    measured,
    noisy,
    planned,
    series,
    stamps,
)
from raybench.analysis.dataset import Dataset, cold, makespan
from raybench.analysis.pairs import compare, compare_replicas
from raybench.analysis.speedup import cap, karp_flatt, rows
from raybench.model.estimate import Row, VerdictKind
from raybench.model.measurement import Details, Measurement, SweepTiming
from raybench.model.plan import Role, Skip, Spec, Status, Tag
from raybench.model.stats import Resampler

BASE, POOL1, POOL2, POOL4 = cell(), cell(POOL), cell(POOL, 2), cell(POOL, 4)
THREADS2 = cell(THREADS, 2, workers=1, cpus_per_task=2)
LEVEL = np.linspace(0.98, 1.02, 10)  # what a block does to all its cells
DRAWS = Resampler(resamples=999)


def by_cell(plan_cells: list, measurements: list[Measurement], **changes: object) -> dict[tuple[str, int], Row]:
    found = rows(Dataset(planned(plan_cells, **changes), measurements), DRAWS)
    return {(row.cell.backend.name, row.cell.cpus): row for row in found}


@pytest.mark.rule("HB2", 2)
def test_every_planned_cell_has_its_row_whatever_became_of_it() -> None:
    failing, gone, late = cell(POOL, 8), cell(POOL, 16), cell(POOL, 3)
    failed = [replace(measured(failing, b, 0.0), status=Status.FAILED, reason="out of memory") for b in range(10)]
    plan = planned([BASE, failing, late], skipped=[Skip(cell=gone, reason="only 8 cores here")])
    found = {row.cell.key: row for row in rows(Dataset(plan, series(BASE, LEVEL) + failed), DRAWS)}
    assert set(found) == {c.key for c in plan.cells}
    assert found[failing.key].counts == {"failed": 10}
    assert found[failing.key].reason == "10 x out of memory"
    assert found[failing.key].makespan is None
    assert found[gone.key].counts == {"skipped": 1}
    assert found[gone.key].reason == "only 8 cores here"
    assert found[late.key].counts == {"not measured": 10}
    assert found[late.key].reason == "10 x not measured"


@pytest.mark.rule("HB1")
def test_speedup_and_efficiency_stand_on_the_one_thread_loop_of_the_same_block() -> None:
    """Loop 8 s, pool on 4 cores 2.5 s, both times the block's level: S = 3.2, E = 0.8, e = (1/3.2 - 1/4) / (3/4)."""
    row = by_cell([BASE, POOL4], series(BASE, 8 * LEVEL) + series(POOL4, 2.5 * LEVEL))["pool", 4]
    assert row.base_kind == "sequential, 1 thread"
    assert row.base.point == pytest.approx(8)
    assert row.speedup.point == pytest.approx(3.2)
    assert row.speedup.low == pytest.approx(row.speedup.high)
    assert row.efficiency.point == pytest.approx(0.8)
    assert row.karp_flatt.point == pytest.approx(1 / 12)
    assert row.n == 10


def test_the_base_itself_has_times_and_no_ratio() -> None:
    row = by_cell([BASE], series(BASE, LEVEL))["sequential", 1]
    assert row.makespan.point == pytest.approx(1.0)
    assert (row.speedup, row.efficiency, row.base_kind, row.band) == (None, None, "", None)


@pytest.mark.rule(21)
def test_cold_and_warm_are_two_columns() -> None:
    """Warm 4 / 2; cold (4 + 1) / (2 + 3) = 1."""
    data = series(BASE, [4.0] * 10, phases={"start_up": 1.0}) + series(POOL2, [2.0] * 10, phases={"start_up": 3.0})
    row = by_cell([BASE, POOL2], data)["pool", 2]
    assert row.speedup.point == pytest.approx(2)
    assert row.speedup_cold.point == pytest.approx(1)
    assert row.cold.point == pytest.approx(5)
    assert row.base_cold.point == pytest.approx(5)


@pytest.mark.rule(21)
def test_a_cell_that_joined_a_shared_head_has_no_cold_time() -> None:
    data = series(BASE, 4 * LEVEL) + series(POOL2, 2 * LEVEL, head=SHARED_HEAD)
    row = by_cell([BASE, POOL2], data)["pool", 2]
    assert row.speedup.point == pytest.approx(2)
    assert (row.cold, row.speedup_cold) == (None, None)
    assert cold(data[-1]) is None


def test_threaded_base_gives_a_gain_and_the_same_backend_a_relative_speedup() -> None:
    """Loop 8 s, loop with 2 threads 5 s, pool on 1 core 10 s, on 2 cores 4 s: S 2, gain 1.25, relative 2.5."""
    data = series(BASE, 8 * LEVEL) + series(THREADS2, 5 * LEVEL) + series(POOL1, 10 * LEVEL) + series(POOL2, 4 * LEVEL)
    found = by_cell([BASE, THREADS2, POOL1, POOL2], data)
    row = found["pool", 2]
    assert row.speedup.point == pytest.approx(2)
    assert row.gain.point == pytest.approx(1.25)
    assert row.relative.point == pytest.approx(2.5)
    assert found["pool", 1].band is None
    assert found["pool", 1].efficiency.point == pytest.approx(0.8)


@pytest.mark.rule(9)
def test_the_last_good_attempt_counts_and_disturbed_ones_are_only_counted() -> None:
    data = series(BASE, 8 * LEVEL) + series(POOL2, 4 * LEVEL)
    disturbed = replace(data[10], status=Status.DISTURBED, phases=replace(data[10].phases, makespan=400.0))
    again = replace(data[10], attempt=2)
    row = by_cell([BASE, POOL2], [*data[:10], disturbed, again, *data[11:]])["pool", 2]
    assert row.counts == {"ok": 10, "disturbed": 1}
    assert row.makespan.high < 5
    assert "disturbed 1" in row.flags
    assert row.reason == ""


def test_blocks_that_lack_one_side_are_left_out_of_the_ratio_only() -> None:
    data = series(BASE, 8 * LEVEL)[:7] + series(POOL2, 4 * LEVEL)
    row = by_cell([BASE, POOL2], data)["pool", 2]
    assert row.n == 10
    assert row.speedup.n == 7
    assert row.makespan.n == 10


def test_a_missing_block_shifts_no_pair() -> None:
    """Levels differ by block and cancel in each pair: a ratio without width only if block 3 meets block 3."""
    data = [m for m in series(BASE, 8 * LEVEL) if m.block != 2] + [m for m in series(POOL2, 4 * LEVEL) if m.block != 6]
    speedup = by_cell([BASE, POOL2], data)["pool", 2].speedup
    assert (speedup.low, speedup.high, speedup.n) == (pytest.approx(2), pytest.approx(2), 8)


def test_work_done_in_part_gives_a_time_to_score_and_no_speedup() -> None:
    variant = cell(ASHA, 2)
    data = series(BASE, 8 * LEVEL, steps_asked=1000, steps_done=1000) + series(
        variant, 2 * LEVEL, steps_asked=1000, steps_done=400
    )
    row = by_cell([BASE, variant], data)["asha", 2]
    assert row.work_ratio == pytest.approx(0.4)
    assert row.time_to_score.point == pytest.approx(4)
    assert (row.speedup, row.efficiency, row.gain, row.relative, row.band) == (None,) * 5


@pytest.mark.parametrize(
    ("seconds", "kind"), [(2.667, VerdictKind.SUPPORTED), (2.2, VerdictKind.REFUTED), (2.5, VerdictKind.INCONCLUSIVE)]
)
def test_band_of_a_parallel_row_is_judged_by_its_interval(seconds: float, kind: VerdictKind) -> None:
    """8 s on 4 cores: E = 0.75, 0.91, 0.80 with 2 % noise."""
    data = series(BASE, 8 * LEVEL) + series(POOL4, noisy(seconds, 10, seed=3))
    assert by_cell([BASE, POOL4], data)["pool", 4].band is kind


@pytest.mark.rule("HB11")
@pytest.mark.parametrize(
    ("tasks", "changes", "expected"),
    [
        (10, {"cpus": 25}, 0.4),
        (10, {"cpus": 4}, 10 / 12),
        (10, {"cpus": 2}, 1.0),
        (8, {"cpus": 4, "workers": 2, "cpus_per_task": 2}, 1.0),
        (8, {"cpus": 2, "workers": 8, "granted": 2, "oversubscribed": True}, 4.0),
        (0, {"cpus": 4}, None),
    ],
)
def test_cap_is_what_equal_tasks_allow(tasks: int, changes: dict, expected: float | None) -> None:
    cpus = changes.pop("cpus")
    found = cap(cell(POOL, cpus, **changes), tasks)
    assert found == (None if expected is None else pytest.approx(expected))


@pytest.mark.rule(29)
def test_karp_flatt_undoes_amdahl() -> None:
    """The documented 17x on 25 cores imply a serial fraction of (1/17 - 1/25) / (24/25) = 0.0196."""
    assert karp_flatt(25)(17.0) == pytest.approx(0.01961, abs=1e-5)
    assert karp_flatt(8)(1 / (0.3 + 0.7 / 8)) == pytest.approx(0.3)
    assert karp_flatt(2)(2.1) < 0


def test_a_cap_below_one_is_flagged() -> None:
    ten = stamps([(1, 0, 1)] * 10)
    data = series(BASE, 8 * LEVEL, tasks=ten) + series(POOL4, 3 * LEVEL, tasks=ten)
    assert "cap 0.83" in by_cell([BASE, POOL4], data)["pool", 4].flags


def test_hardware_ceiling_is_the_loop_over_the_mean_copy() -> None:
    """Each of two copies runs all tasks, in 9 and 11 s, alone 8 s: 0.8. Its own row shows no speedup."""
    bare = cell(CEILING, 2)
    data = (
        series(BASE, 8 * LEVEL)
        + series(POOL2, 5 * LEVEL)
        + [measured(bare, b, 11.0, details=Details(copies_s=(9.0 * k, 11.0 * k))) for b, k in enumerate(LEVEL)]
    )
    found = by_cell([BASE, POOL2, bare], data)
    assert found["pool", 2].ceiling.point == pytest.approx(0.8)
    assert found["hardware_ceiling", 2].ceiling.point == pytest.approx(0.8)
    assert found["hardware_ceiling", 2].speedup is None


def test_hardware_ceiling_of_shared_tasks_counts_its_cores() -> None:
    """Two processes share the tasks and take 5 s where one takes 8: 8 / (2 x 5)."""
    bare = cell(CEILING, 2)
    data = series(BASE, 8 * LEVEL) + series(POOL2, 5 * LEVEL) + series(bare, 5 * LEVEL)
    assert by_cell([BASE, POOL2, bare], data)["pool", 2].ceiling.point == pytest.approx(0.8)


@pytest.mark.rule("HB11", 30)
def test_an_efficiency_above_the_ceiling_or_above_one_is_flagged() -> None:
    bare = cell(CEILING, 2)
    data = series(BASE, 8 * LEVEL) + series(POOL2, 3.5 * LEVEL) + series(bare, 5 * LEVEL)
    flags = by_cell([BASE, POOL2, bare], data)["pool", 2].flags
    assert {"superlinear", "above the ceiling"} <= set(flags)


def test_superlinear_by_less_than_5_percent_is_not_flagged() -> None:
    data = series(BASE, 8 * LEVEL) + series(POOL2, 8 / 2.04 * LEVEL)
    assert "superlinear" not in by_cell([BASE, POOL2], data)["pool", 2].flags


def test_both_replicas_of_the_baseline_serve_as_one() -> None:
    """Replicas of 8 and 8.82 s have the mean log of 8.4 s; a block without the second has the first alone."""
    second = [replace(m, replica=2) for m in series(BASE, [8.82] * 10)][1:]
    data = Dataset(planned([BASE, POOL2]), series(BASE, [8.0] * 10) + second + series(POOL2, [4.0] * 10))
    base, pool = data.cells
    found = compare(base, pool, makespan, DRAWS)
    assert found is not None
    assert found.point == pytest.approx((8.0 * 8.4**9) ** 0.1 / 4)


@pytest.mark.rule(16)
def test_noise_floor_compares_the_two_replicas_block_by_block() -> None:
    data = series(BASE, 8 * LEVEL) + [replace(m, replica=2) for m in series(BASE, 8.08 * LEVEL)]
    (base,) = Dataset(planned([BASE]), data).cells
    assert compare_replicas(base, DRAWS).point == pytest.approx(1 / 1.01)


@pytest.mark.rule(23, 24)
def test_answers_tasks_and_scores_that_differ_from_the_loop_are_flagged() -> None:
    data = series(BASE, 8 * LEVEL, answers_hash="a", tasks_hash="t", scores={"rmse": 55.0})
    same = series(POOL2, 4 * LEVEL, answers_hash="a", tasks_hash="t", scores={"rmse": 55.0 + 1e-9})
    other = series(POOL4, 2 * LEVEL, answers_hash="b", tasks_hash="u", scores={"rmse": 55.1})
    found = by_cell([BASE, POOL2, POOL4], data + same + other)
    assert not {f for f in found["pool", 2].flags if "differ" in f}
    assert {"answers differ", "tasks differ", "scores differ"} <= set(found["pool", 4].flags)


def test_a_variant_that_stops_early_may_answer_otherwise() -> None:
    variant = cell(ASHA, 2)
    data = series(BASE, 8 * LEVEL, answers_hash="a", tasks_hash="t", scores={"rmse": 55.0})
    data += series(variant, 4 * LEVEL, answers_hash="b", tasks_hash="t", scores={"rmse": 50.0})
    assert not {f for f in by_cell([BASE, variant], data)["asha", 2].flags if "differ" in f}


@pytest.mark.rule("HB5")
def test_a_deterministic_score_has_no_width() -> None:
    row = by_cell([BASE], series(BASE, LEVEL[:3], scores={"rmse": 47.5}), blocks=3)["sequential", 1]
    assert (row.scores["rmse"].low, row.scores["rmse"].high, row.scores["rmse"].flag) == (47.5, 47.5, "")


def test_utilisation_is_cpu_seconds_over_granted_core_seconds() -> None:
    data = series(BASE, 8 * LEVEL) + [measured(POOL2, b, 5 * k, cpu_makespan_s=8 * k) for b, k in enumerate(LEVEL)]
    assert by_cell([BASE, POOL2], data)["pool", 2].utilisation.point == pytest.approx(0.8)


def test_words_warn_of_what_the_numbers_do_not_show() -> None:
    wild = LEVEL.copy()
    wild[0] = 3.0
    crowded = cell(POOL, 2, workers=8, granted=2, oversubscribed=True)
    data = series(BASE, 8 * LEVEL) + series(crowded, wild, details=LOGICAL_GPU)
    flags = by_cell([BASE, crowded], data)["pool", 2].flags
    assert {"OVERSUBSCRIBED", "LOGICAL GPU", "pyperf-unstable", "outliers 1"} <= set(flags)


@pytest.mark.rule("HB1")
def test_cells_without_their_loop_keep_times_and_say_why_there_is_no_ratio() -> None:
    data = series(POOL2, 4 * LEVEL) + [replace(m, status=Status.FAILED, reason="x") for m in series(BASE, LEVEL)]
    row = by_cell([BASE, POOL2], data)["pool", 2]
    assert row.makespan.point == pytest.approx(4)
    assert row.speedup is None
    assert row.reason == "no block shared with the base"


def test_another_size_of_the_workload_is_no_base() -> None:
    larger = replace(WORKLOAD, params={"n": 80})
    row = by_cell(
        [BASE, cell(POOL, 2, workload=larger)],
        series(BASE, 8 * LEVEL) + series(cell(POOL, 2, workload=larger), 4 * LEVEL),
    )["pool", 2]
    assert (row.speedup, row.base_kind) == (None, "")


def test_an_injected_variant_is_a_control_and_never_the_base() -> None:
    injected = cell(INJECTED)
    data = series(injected, 9 * LEVEL) + series(BASE, 8 * LEVEL) + series(POOL2, 4 * LEVEL)
    found = by_cell([injected, BASE, POOL2], data)
    assert found["pool", 2].base_kind == "sequential, 1 thread"
    assert (found["sequential_injected", 1].speedup, found["sequential_injected", 1].band) == (None, None)


def test_a_ladder_has_no_speedup() -> None:
    rung = (SweepTiming(work=8, tasks=10, wall_s=1.0, busy_s=0.9, workers=1),)
    row = by_cell([BASE, POOL2], series(BASE, 8 * LEVEL, sweep=rung) + series(POOL2, 4 * LEVEL, sweep=rung))["pool", 2]
    assert (row.speedup, row.base_kind) == (None, "")


def test_the_rows_of_a_run_are_the_same_in_any_order_of_its_lines() -> None:
    data = series(BASE, 8 * LEVEL) + series(POOL2, 4 * LEVEL)
    assert rows(Dataset(planned([BASE, POOL2]), data), DRAWS) == rows(
        Dataset(planned([BASE, POOL2]), data[::-1]), DRAWS
    )


def test_the_role_makes_the_baseline_and_not_the_name() -> None:
    loop = cell(Spec(name="loop", target="x:Loop", role=Role.BASELINE, tags=(Tag.SERIAL,)))
    row = by_cell([loop, POOL2], series(loop, 8 * LEVEL) + series(POOL2, 4 * LEVEL))["pool", 2]
    assert row.base_kind == "loop, 1 thread"
    assert SEQUENTIAL.name not in row.base_kind
