"""The rules of the checklist about numbers and their display, by number, on made data with known answers."""

import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from made_claims import RAY, loop_and
from made_study import ASHA, POOL, WORKLOAD, cell, measured, planned, series, stamps
from raybench.analysis import metg
from raybench.analysis.analyze import analyse
from raybench.analysis.anytime import Axis, curves, times_to_target, trajectory
from raybench.analysis.dataset import Dataset
from raybench.analysis.losses import accounts
from raybench.analysis.speedup import rows
from raybench.analysis.tuning import deltas
from raybench.claims.judge import judge
from raybench.model.estimate import Estimate, VerdictKind
from raybench.model.measurement import LadderPoint, Measurement, Quality, TaskStamp
from raybench.model.stats import DISAGREES, RESAMPLES, Resampler, band_verdict, holm, ratio, unstable
from raybench.report.plots import PLOTS

BASE, POOL2 = cell(), cell(POOL, 2)
DRAWS = Resampler(resamples=999)
WOBBLE = 1 + 0.01 * np.array([1, -1] * 5)  # its median is 1
SEARCH = replace(WORKLOAD, name="search", tags=("hpo",))
LOOP_SEARCH, ARM = cell(workload=SEARCH), cell(ASHA, 2, workload=SEARCH)


def row_of(where, lines, cells=(BASE, POOL2), blocks=10):
    """Return the row of a cell in a made study."""
    return next(r for r in rows(Dataset(planned(cells, blocks=blocks), lines), DRAWS) if r.cell == where)


def pairs(count: int, arm: str = "tuned") -> list[Quality]:
    """Make pairs whose baseline errs by 10 and 20 in turn, the tuned model by 5 and 20; its validation 1 less."""
    shape = np.linspace(0.1, 1.9, 40)
    return [
        Quality(
            workload="hpo", arm=arm, pair=i, metric="rmse", baseline="default", baseline_test=base,
            tuned_validation=tuned - 1, tuned_test=tuned, baseline_errors=tuple(base**2 * shape),
            tuned_errors=tuple(tuned**2 * shape),
        )
        for i, (base, tuned) in zip(range(count), [(10.0, 5.0), (20.0, 20.0)] * count, strict=False)
    ]  # fmt: skip


def searched(where, block: int, *, loss: float) -> Measurement:
    """Make a search that reports 9 after 1 s and `loss` after 3 s of 3.2 s, 0.75 s after it began."""
    task = TaskStamp(
        index=0, started=0.0, ended=3.0, worker=1, steps=20, loss=loss, points=((10, 9.0, 1.0), (20, loss, 3.0))
    )
    phases = {"start_up": 0.5, "warm_up": 0.25}
    return measured(where, block, 3.2, tasks=(task,), phases=phases, steps_asked=20, steps_done=20)


def test_rule_09_inner_repeats_give_one_value_per_block() -> None:
    """Six blocks of eight tasks each, and every block measured twice: still six values, the last ones."""
    tasks = stamps([(1, 0.5 * i, 0.5 * i + 0.5) for i in range(8)])
    first = series(BASE, [9.0] * 6, tasks=tasks)
    again = [replace(m, attempt=2) for m in series(BASE, [4.0] * 6, tasks=tasks)]
    row = row_of(BASE, first + again, cells=[BASE], blocks=6)
    assert (row.n, row.makespan.n, row.makespan.point) == (6, 6, 4.0)


def test_rule_10_intervals_of_ratios_come_from_seeded_resamples_of_blocks_and_hold_the_truth() -> None:
    """Loop 8 s, backend 2.5 s, 5 % noise and a drift that both share: 3.2 in 92 to 98 % of 400 studies."""
    assert RESAMPLES >= 9_999
    assert (Resampler().indices(10)[:50] == Resampler().indices(10)[:50]).all()
    rng, shared = np.random.default_rng(5), np.exp(0.1 * np.arange(10))
    found = []
    for _ in range(400):
        top, bottom = shared * np.exp(0.05 * rng.normal(size=(2, 10))) * np.array([[8.0], [2.5]])
        found.append(ratio(top, bottom, DRAWS).estimate())
    assert 0.92 <= np.mean([e.low <= 3.2 <= e.high for e in found]) <= 0.98
    assert max(e.high / e.low for e in found) < 1.5  # resampled apart, the drift alone would pass it


def test_rule_11_a_paired_t_that_disagrees_makes_the_verdict_inconclusive() -> None:
    """Nine blocks say 1.1 and one says 0.2: the bootstrap of medians leaves 1 behind, the mean log does not."""
    slow = np.array([1.1] * 9 + [0.2]) * (1 + 1e-4 * np.arange(10))
    whole = ratio(slow, np.ones(10), DRAWS)
    assert len(whole.draws) == 999
    assert whole.check[0] < 1 < whole.check[1]
    speedup = row_of(POOL2, series(BASE, slow) + series(POOL2, np.ones(10))).speedup
    assert speedup.low > 1
    assert speedup.flag == DISAGREES
    assert band_verdict(speedup, 1.0, math.inf) is VerdictKind.INCONCLUSIVE


def test_rule_12_times_are_summarised_before_they_are_divided() -> None:
    """Medians 8 and 4 s give 2; the mean of the ten ratios would be 9.8."""
    row = row_of(POOL2, series(BASE, [8.0] * 9 + [80.0]) + series(POOL2, [4.0] * 9 + [1.0]))
    assert row.speedup.point == 2.0
    assert row.efficiency.point == 1.0


def test_rule_14_outliers_are_counted_and_stay_in() -> None:
    row = row_of(BASE, series(BASE, [2.0, 2.1] * 4 + [2.0, 200.0]), cells=[BASE])
    assert (row.outliers, row.n, row.makespan.n) == (1, 10, 10)
    assert row.makespan.point == pytest.approx(2.05)  # without it, 2.0
    assert "outliers 1" in row.flags


@pytest.mark.parametrize(
    ("seconds", "warned"),
    [([1.0, 1.05] * 5, False), ([0.85, 1.15] * 5, True), ([1.0] * 99 + [1.6], True), ([1.0] * 99 + [1.4], False)],
)
def test_rule_19_wide_or_extreme_times_carry_a_warning(seconds: list[float], warned: bool) -> None:
    """Standard deviations of 3 and 16 % of the mean; one value of a hundred 59 and 39 % off it."""
    assert unstable(seconds) is warned
    flags = row_of(BASE, series(BASE, seconds), cells=[BASE], blocks=len(seconds)).flags
    assert ("pyperf-unstable" in flags) is warned


def test_rule_28_pop_metrics_are_computed_from_the_stamps() -> None:
    """Busy 2 and 1 s in 2.5 s: balance 1.5 / 2, communication 2 / 2.5; the loop took as long for the same tasks."""
    loop = stamps([(1, 0.0, 1.0), (1, 1.0, 2.0), (1, 2.0, 3.0)])
    shared = stamps([(1, 0.0, 1.0), (2, 0.0, 1.0), (1, 1.0, 2.0)])
    lines = series(BASE, [3.0] * 6, tasks=loop) + series(POOL2, [2.5] * 6, tasks=shared)
    pop = accounts(Dataset(planned([BASE, POOL2], blocks=6), lines), DRAWS)[1].pop
    assert pop.balance == pytest.approx(0.75)
    assert pop.communication == pytest.approx(0.8)
    assert pop.parallel == pytest.approx(0.6)
    assert pop.computation == pytest.approx(1.0)
    assert pop.total == pytest.approx(0.6)


def test_rule_29_the_serial_fraction_stands_with_its_interval_above_one_core() -> None:
    """8 s and 5 s on two cores: 1.6, hence (1 / 1.6 - 1 / 2) / (1 - 1 / 2) = 0.25."""
    lines = series(BASE, [8.0] * 10) + series(POOL2, 5.0 * WOBBLE)
    found = row_of(POOL2, lines).karp_flatt
    assert found.point == pytest.approx(0.25)
    assert 0.2 < found.low < 0.25 < found.high < 0.3
    assert row_of(BASE, lines).karp_flatt is None


def test_rule_33_metg_follows_from_known_costs_and_is_marked_where_it_is_not_reached() -> None:
    """2 ms per task: efficiency x needs x / (1 - x) 2 ms of work, so 2, 4.67 and 8 ms; 5 s per task reach nothing."""
    unit_s, tasks = 1e-8, 200
    works = [int(0.25 / 2**k / unit_s) for k in range(13)]

    def ladder(cpus: int, overhead_s: float) -> tuple[LadderPoint, ...]:
        walls = [(work, tasks * (work * unit_s + overhead_s) / cpus) for work in works]
        return tuple(LadderPoint(work=w, tasks=tasks, wall_s=wall, busy_s=wall, workers=cpus) for w, wall in walls)

    def found(overhead_s: float) -> list[metg.Metg]:
        lines = [measured(BASE, b, 1.0, ladder=ladder(1, 0.0)) for b in range(6)]
        lines += [measured(POOL2, b, 1.0, ladder=ladder(2, overhead_s)) for b in range(6)]
        (curve,) = metg.curves(Dataset(planned([BASE, POOL2], blocks=6), lines), DRAWS)
        assert curve.tasks == tasks
        return list(curve.metg)

    cheap = found(0.002)
    assert [m.level for m in cheap] == [0.5, 0.7, 0.8]
    assert [m.work.point for m in cheap] == pytest.approx([0.002, 0.002 * 7 / 3, 0.008], rel=0.05)
    assert {m.mark for m in cheap} == {""}
    assert {m.mark for m in found(5.0)} == {">"}


def test_rule_40_a_delta_is_a_ratio_of_means_over_ten_pairs_with_intervals_and_optimism() -> None:
    """Means 15 and 12.5: 1/6; the mean of the pairs' own deltas would be 1/4."""
    (found,) = deltas(pairs(10), DRAWS)
    assert (found.n, found.flags) == (10, ())
    assert found.relative.point == pytest.approx(1 / 6)
    assert found.relative.low < found.relative_rows.low < 1 / 6 < found.relative_rows.high < found.relative.high
    assert found.optimism.point == pytest.approx(1.0)
    assert deltas(pairs(9), DRAWS)[0].flags == ("only 9 pairs",)


def test_rule_41_anytime_curves_begin_before_the_backend_and_are_filled_forward() -> None:
    """Start-up 0.5 s and warm-up 0.25 s lie before the reports at 1 and 3 s; the search ends at 3.95 s."""
    lines = [searched(ARM, block, loss=6.0 + 0.1 * block) for block in range(6)]
    path = trajectory(lines[0], Axis.WALL)
    assert list(path.spent) == [1.75, 3.75]
    assert list(path.loss) == [9.0, 6.0]
    (curve,) = curves(Dataset(planned([ARM], blocks=6), lines))
    assert curve.spent == pytest.approx((1.75, 3.75, 3.95))
    assert [e.point for e in curve.loss] == pytest.approx([9.0, 6.25, 6.25])
    assert (curve.loss[-1].low, curve.loss[-1].high, curve.n) == (6.0, 6.5, 6)


def test_rule_42_time_to_target_is_censored_and_failures_cost_their_whole_time() -> None:
    """Four of six reach 6.0 at 3.75 s, two give up after 3.95 s: (4 x 3.75 + 2 x 3.95) / 4 = 5.725."""
    lines = [searched(LOOP_SEARCH, block, loss=6.0) for block in range(6)]
    lines += [searched(ARM, block, loss=6.0 if block < 4 else 7.0) for block in range(6)]
    found = times_to_target(Dataset(planned([LOOP_SEARCH, ARM], blocks=6), lines), DRAWS, factors=(1.0,))
    (arm,) = [t for t in found if t.cell == ARM]
    assert (arm.n, arm.successes) == (6, 4)
    assert arm.ert.point == pytest.approx(5.725)
    assert arm.median.point == pytest.approx(3.75)
    assert arm.median.high == math.inf


def test_rule_45_p_values_are_adjusted_over_the_whole_family() -> None:
    """Of 0.01, 0.04 and 0.03: 3 x 0.01, then 2 x 0.03, then no less than that."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.7, 0.8, VerdictKind.SUPPORTED),
        (0.699, 0.8, VerdictKind.INCONCLUSIVE),
        (0.7, 0.801, VerdictKind.INCONCLUSIVE),
        (0.6, 0.7, VerdictKind.INCONCLUSIVE),
        (0.6, 0.699, VerdictKind.REFUTED),
        (0.801, 0.9, VerdictKind.REFUTED),
        (0.6, 0.9, VerdictKind.INCONCLUSIVE),
    ],
)
def test_rule_46_the_interval_decides_at_the_edges_and_never_the_point(
    low: float, high: float, verdict: VerdictKind
) -> None:
    for point in (low, (low + high) / 2, high):
        assert band_verdict(Estimate(point=point, low=low, high=high, n=10), 0.7, 0.8) is verdict


def test_rule_49_lines_join_points_along_cores_only_and_captions_explain_the_bars() -> None:
    """Cores are ordered: their points are joined. Claims and arms are not: no line leads from one to the next."""
    made = loop_and(*((cell(backend, cpus), 9.0 / cpus) for backend in (POOL, RAY) for cpus in (1, 2, 4)))
    made = replace(made, qualities=tuple(pairs(10) + pairs(10, "asha")))
    found = analyse(made)
    found = replace(found, claims=judge(made, found))
    lines = {}
    for plot in PLOTS:
        if plot.name in ("speedup", "karp-flatt", "rmse-delta", "verdicts"):
            data, figure = plot.series(found), Figure(layout="constrained")
            plot.draw(data, figure)
            joined = [line for axes in figure.axes for line in axes.lines if line.get_linestyle() != "None"]
            lines[plot.name] = [line.get_xydata() for line in joined if len(line.get_xydata()) > 1]
            assert "interval" in plot.caption(data)
    assert sorted(lines) == ["karp-flatt", "rmse-delta", "speedup", "verdicts"]
    assert any(len(xy) == 3 and (np.diff(xy[:, 0]) > 0.9).all() for xy in lines["speedup"])
    for name in ("rmse-delta", "verdicts"):
        assert all(np.ptp(xy[:, 0]) == 0 or np.ptp(xy[:, 1]) == 0 for xy in lines[name]), name
