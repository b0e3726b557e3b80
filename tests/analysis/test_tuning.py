"""Error deltas over pairs, and the split of an early-stopping gain, worked out by hand."""

import numpy as np
import pytest

from made_study import ASHA, THREADS, WORKLOAD, cell, measured, planned, series, stamps
from raybench.analysis.dataset import Dataset
from raybench.analysis.tuning import deltas, split_gains
from raybench.model.measurement import Quality
from raybench.model.stats import Resampler

DRAWS = Resampler(resamples=999)
BASE, VARIANT = cell(), cell(ASHA, 2)


def lines(base: list[float], tuned: list[float], *, rows: int = 0, **changes: object) -> list[Quality]:
    """Make a pair per value; with rows, squared errors whose root mean square is the value."""
    rng = np.random.default_rng(5)
    made = []
    for pair, (b, t) in enumerate(zip(base, tuned, strict=True)):
        shape = rng.exponential(size=rows)
        shape = shape / shape.mean() if rows else shape
        made.append(
            Quality(
                workload="hpo",
                variant="tuned",
                pair=pair,
                metric="rmse",
                baseline="default",
                baseline_test=b,
                tuned_validation=t - 1,
                tuned_test=t,
                baseline_errors=tuple(b * b * shape),
                tuned_errors=tuple(t * t * shape),
                **changes,
            )
        )
    return made


@pytest.mark.rule("HB4", 40)
def test_delta_is_a_ratio_of_means_and_not_a_mean_of_ratios() -> None:
    """Means 20 and 15: 25 %. The mean of 1 - t/b would be (50 % + 16.7 %) / 2 = 33 %."""
    (found,) = deltas(lines([10, 30] * 5, [5, 25] * 5), DRAWS)
    assert found.relative.point == pytest.approx(0.25)
    assert found.n == 10
    assert found.flags == ()


def test_the_documented_sentence_is_13_6_percent() -> None:
    """RMSE 55.0 -> 47.5 is told as 15 %; it is 13.6 %."""
    (found,) = deltas(lines([55.0] * 10, [47.5] * 10), DRAWS)
    assert found.relative.point == pytest.approx(0.1364, abs=1e-4)


@pytest.mark.rule(40)
def test_optimism_is_test_minus_validation() -> None:
    (found,) = deltas(lines([10.0] * 10, [8.0] * 10), DRAWS)
    assert found.optimism.point == pytest.approx(1.0)
    assert found.tuned_validation.point == pytest.approx(7.0)


def test_identical_models_have_a_delta_of_zero_without_width() -> None:
    (found,) = deltas(lines([10.0] * 10, [10.0] * 10, rows=40), DRAWS)
    assert (found.relative.low, found.relative.high) == (pytest.approx(0, abs=1e-12), pytest.approx(0, abs=1e-12))
    assert (found.relative_rows.low, found.relative_rows.high) == (pytest.approx(0, abs=1e-12),) * 2
    assert found.p == 1.0
    assert found.better.point == 0.5


def test_errors_of_both_models_are_resampled_on_the_same_rows() -> None:
    """Row errors are proportional, so every resample has the same ratio: no width over rows."""
    (found,) = deltas(lines([10.0] * 10, [8.0] * 10, rows=50), DRAWS)
    assert found.relative_rows.low == pytest.approx(0.2)
    assert found.relative_rows.high == pytest.approx(0.2)


@pytest.mark.rule(40)
def test_interval_over_pairs_and_rows_is_wider_than_over_rows_alone() -> None:
    """The pairs differ among themselves by far more than their rows let expect."""
    rng = np.random.default_rng(9)
    (found,) = deltas(lines(list(10 + rng.normal(size=10)), list(8 + rng.normal(size=10)), rows=200), DRAWS)
    width = found.relative.high - found.relative.low
    assert width > 2 * (found.relative_rows.high - found.relative_rows.low)
    assert found.relative.low < found.relative.point < found.relative.high


def test_a_pair_drawn_twice_has_its_rows_drawn_twice() -> None:
    """Ten pairs alike differ by their rows only: then both intervals are equally wide (shared rows: 1.38 times)."""
    rng = np.random.default_rng(3)
    base, tuned = rng.exponential(4.0, size=100), rng.exponential(3.0, size=100)
    alike = {"baseline_test": np.sqrt(base.mean()), "tuned_test": np.sqrt(tuned.mean()), "tuned_validation": 1.0}
    alike |= {"baseline_errors": tuple(base), "tuned_errors": tuple(tuned)}
    made = [Quality(**{**_fields(q), **alike}) for q in lines([1.0] * 10, [1.0] * 10)]
    (found,) = deltas(made, Resampler())
    both, rows = (e.high - e.low for e in (found.relative, found.relative_rows))
    assert both == pytest.approx(rows, rel=0.1)


def test_row_interval_equals_that_of_a_plain_bootstrap() -> None:
    """One pair, rows resampled by the book with other random numbers: bounds within Monte-Carlo error."""
    rng = np.random.default_rng(2)
    base, tuned = rng.exponential(4.0, size=60), rng.exponential(3.0, size=60)
    quality = lines([1.0], [1.0])[0]
    made = Quality(
        workload=quality.workload,
        variant="a",
        pair=0,
        metric="rmse",
        baseline="b",
        baseline_test=float(np.sqrt(base.mean())),
        tuned_validation=1.0,
        tuned_test=float(np.sqrt(tuned.mean())),
        baseline_errors=tuple(base),
        tuned_errors=tuple(tuned),
    )
    (found,) = deltas([made], Resampler())
    drawn = rng.integers(0, 60, size=(20_000, 60))
    by_the_book = 1 - np.sqrt(tuned[drawn].mean(axis=1)) / np.sqrt(base[drawn].mean(axis=1))
    low, high = np.quantile(by_the_book, [0.025, 0.975])
    assert found.relative_rows.low == pytest.approx(low, abs=0.01)
    assert found.relative_rows.high == pytest.approx(high, abs=0.01)
    assert found.relative.flag == "insufficient"
    assert found.p is None


def test_share_of_pairs_won_has_wilsons_interval() -> None:
    """9 of 10 won: Wilson gives 0.596 to 0.982; Wilcoxon with one small loss gives p = 2 x 2 / 1024."""
    base = [10.0] * 10
    tuned = [11 - 0.1] + [5.0 - i for i in range(9)]
    (found,) = deltas(lines(base, tuned), DRAWS)
    assert found.better.point == pytest.approx(0.9)
    assert (found.better.low, found.better.high) == (pytest.approx(0.596, abs=1e-3), pytest.approx(0.982, abs=1e-3))
    assert found.p == pytest.approx(4 / 1024)


def test_a_loss_that_is_no_rmse_is_averaged_without_a_root() -> None:
    made = [
        Quality(
            workload="w",
            variant="a",
            pair=i,
            metric="error",
            baseline="b",
            baseline_test=0.4,
            tuned_validation=0.2,
            tuned_test=0.2,
            baseline_errors=(1.0, 0.0, 1.0, 0.0, 0.0) * 10,
            tuned_errors=(1.0, 0.0, 0.0, 0.0, 0.0) * 10,
        )
        for i in range(10)
    ]
    (found,) = deltas(made, DRAWS)
    assert found.relative_rows.low < 0.5 < found.relative_rows.high
    assert found.relative.point == pytest.approx(0.5)


def test_few_pairs_few_rows_and_a_perfect_baseline_are_flagged() -> None:
    (found,) = deltas(lines([0.0] * 3, [1.0] * 3, rows=20), DRAWS)
    assert found.flags == ("only 3 pairs", "only 20 test rows", "baseline error is 0")
    assert found.relative.flag == "insufficient"


def test_variants_are_judged_apart() -> None:
    made = lines([10.0] * 6, [8.0] * 6)
    other = [Quality(**{**_fields(q), "variant": "random"}) for q in made]
    assert [(d.variant, d.n) for d in deltas(made + other, DRAWS)] == [("tuned", 6), ("random", 6)]


def _fields(q: Quality) -> dict:
    return {name: getattr(q, name) for name in Quality.__dataclass_fields__}


# --- early stopping -------------------------------------------------------------------------------


def search(threaded: bool = False) -> list:
    """Loop: 4 tasks of 2 s. Variant on 2 cores: half of the work, 2.5 s instead of 8."""
    full = stamps([(1, 2.0 * i, 2.0 * i + 2) for i in range(4)], steps=100)
    part = stamps([(1, 0.0, 2.0), (2, 0.0, 1.0), (2, 1.0, 1.5), (2, 1.5, 2.0)], steps=50)
    level = np.linspace(0.98, 1.02, 10)
    made = [measured(BASE, b, 8.0 * k, tasks=full, steps_asked=400, steps_done=400) for b, k in enumerate(level)]
    made += [measured(VARIANT, b, 2.5 * k, tasks=part, steps_asked=400, steps_done=160) for b, k in enumerate(level)]
    if threaded:
        made += series(cell(THREADS, 2, workers=1, cpus_per_task=2), 5.0 * level)
    return made


@pytest.mark.rule(43)
def test_the_factors_of_an_early_stopping_gain_multiply_to_the_total() -> None:
    """8 / 2.5 = 3.2 = saving 8 / 4 x 2 cores x efficiency 4 / (2 x 2.5)."""
    (found,) = split_gains(Dataset(planned([BASE, VARIANT]), search()), DRAWS)
    assert found.total.point == pytest.approx(3.2)
    assert found.saving.point == pytest.approx(2.0)
    assert found.efficiency.point == pytest.approx(0.8, rel=1e-3)
    assert found.saving.point * found.cores * found.efficiency.point == pytest.approx(found.total.point, rel=0.01)
    assert abs(found.product_error) < 0.01
    assert found.saving_steps.point == pytest.approx(2.5)
    assert found.flags == ()
    assert found.same_resources is None


def test_what_a_practitioner_gains_is_told_against_all_threads() -> None:
    threads = cell(THREADS, 2, workers=1, cpus_per_task=2)
    (found,) = split_gains(Dataset(planned([BASE, VARIANT, threads]), search(threaded=True)), DRAWS)
    assert found.same_resources.point == pytest.approx(2.0)


def test_a_loop_that_spends_time_between_its_tasks_is_flagged() -> None:
    """The loop's makespan is 5 % longer than its tasks: the product misses the total by that."""
    data = [
        m if m.cell == VARIANT.key else measured(BASE, m.block, 8.4, tasks=m.tasks, steps_asked=400, steps_done=400)
        for m in search()
    ]
    (found,) = split_gains(Dataset(planned([BASE, VARIANT]), data), DRAWS)
    assert found.flags == ("product misses the total",)


def test_cells_that_did_all_their_work_have_no_split() -> None:
    data = series(BASE, np.full(10, 8.0), steps_asked=4, steps_done=4)
    data += series(VARIANT, np.full(10, 4.0), steps_asked=4, steps_done=4)
    assert split_gains(Dataset(planned([BASE, VARIANT]), data), DRAWS) == []
    assert WORKLOAD.name == "work"
