"""Controls: good studies are trusted, broken ones are not, and chance alone condemns nobody."""

import re
from dataclasses import replace

import numpy as np
import pytest

from made_study import CEILING, INJECTED, POOL, WORKLOAD, cell, measured, noisy, planned, series, stamps
from raybench.analysis.controls import ControlReport, ControlVerdict, Trust, judge_controls, residuals
from raybench.analysis.dataset import Dataset
from raybench.model.measurement import Details, Measurement
from raybench.model.plan import Tag
from raybench.model.stats import Resampler

BASE, SLOWED, POOL2, BARE = cell(), cell(INJECTED), cell(POOL, 2), cell(CEILING, 2)
SLEEPING = replace(WORKLOAD, name="sleep", params={"n": 10, "seconds": 0.1}, tags=(Tag.IO, Tag.SLEEP))
SLEEP_LOOP, SLEEP_POOL = cell(workload=SLEEPING), cell(POOL, 4, workload=SLEEPING)
DRAWS = Resampler(resamples=999)
EIGHT, TEN = stamps([(1, i, i + 1.0) for i in range(8)]), stamps([(1, i, i + 1.0) for i in range(10)])
CELLS = [BASE, SLOWED, BARE, SLEEP_LOOP, SLEEP_POOL]


def study(n: int = 30, cov: float = 0.01, **seconds: float) -> list[Measurement]:
    """Make a good study, one keyword per time that is to be broken."""
    found = {"second": 8.0, "injected": 8.4, "copy": 8.8, "sleep": 1.0005, "pool": 0.32} | seconds
    data = series(BASE, noisy(8.0, n, seed=1, cov=cov), tasks=EIGHT)
    data += [replace(m, replica=2) for m in series(BASE, noisy(found["second"], n, seed=2, cov=cov), tasks=EIGHT)]
    data += series(SLOWED, noisy(found["injected"], n, seed=3, cov=0.005), tasks=EIGHT)
    data += [
        measured(BARE, b, s, details=Details(copies_s=(s, s)))
        for b, s in enumerate(noisy(found["copy"], n, seed=4, cov=cov))
    ]
    data += series(SLEEP_LOOP, noisy(found["sleep"], n, seed=5, cov=1e-4), tasks=TEN)
    data += series(SLEEP_POOL, noisy(found["pool"], n, seed=6, cov=cov), tasks=TEN)
    return data


def judged(data: list[Measurement], **changes: object) -> ControlReport:
    return judge_controls(Dataset(planned(CELLS, **changes), data), DRAWS)


def test_a_good_study_is_trusted_and_has_a_noise_floor() -> None:
    found = judged(study())
    assert found.trusted, found.reasons
    assert sorted(row.kind for row in found.rows) == [
        "A/A",
        "hardware ceiling",
        "injected overhead",
        "sleep ideal",
        "sleep ideal",
    ]
    assert {row.verdict for row in found.rows} == {ControlVerdict.PASSED}
    assert found.trust is Trust.TRUSTED
    assert 0 < found.floor < 0.02
    assert found.pooled is not None
    assert 0.98 < found.pooled.low < 1 < found.pooled.high < 1.02


@pytest.mark.rule(17)
def test_the_injected_overhead_is_recovered_within_its_interval() -> None:
    """Each block has its level, from 7.84 to 8.16 s; 8 tasks of 50 ms more are 0.4 s in each of them."""
    level = np.linspace(7.84, 8.16, 10)
    wobble = 0.01 * np.array([1, -1, 1, -1, 1, -1, 1, -1, 1, -1])
    data = series(BASE, level, tasks=EIGHT) + series(SLOWED, level + 0.4 + wobble, tasks=EIGHT)
    (row,) = judge_controls(Dataset(planned([BASE, SLOWED]), data), DRAWS).rows
    assert row.estimate.low < 1 < row.estimate.high
    assert row.estimate.point == pytest.approx(1, abs=2e-3)
    assert row.verdict == "passed"


@pytest.mark.rule(17)
@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        ({"second": 9.0}, "A/A"),
        ({"injected": 9.2}, "injected overhead"),
        ({"copy": 7.0}, "hardware ceiling"),
        ({"sleep": 1.1}, "sleep ideal"),
        ({"sleep": 0.9}, "sleep ideal"),
        ({"pool": 0.2}, "sleep ideal"),
    ],
)
def test_a_broken_harness_is_not_trusted(broken: dict[str, float], kind: str) -> None:
    """Ten waits of 0.1 s take 1 s alone and 3 rounds, 0.3 s, on four workers: less is impossible."""
    found = judged(study(**broken))
    assert not found.trusted
    assert found.trust is Trust.NOT_TRUSTED
    missed = {row.kind for row in found.rows if row.verdict == "missed"}
    assert missed == {kind, "injected overhead"} if kind == "A/A" else {kind}  # a wrong baseline misleads all ratios
    assert found.reasons[0].startswith(kind)


def test_a_backend_may_be_slower_than_the_ideal_but_the_loop_may_not() -> None:
    assert judged(study(pool=0.5)).trusted
    assert not judged(study(sleep=1.5)).trusted


def test_a_certain_miss_below_2_percent_is_no_failure() -> None:
    """Sleep that takes 1 % too long in every block is equivalent."""
    found = judged(study(sleep=1.01))
    (row,) = [r for r in found.rows if r.kind == "sleep ideal" and r.cell == SLEEP_LOOP]
    assert row.estimate.low > 1
    assert row.verdict == "passed"
    assert found.trusted


def test_not_significant_is_no_pass() -> None:
    """With 20 % noise neither a bias nor its absence is known."""
    found = judged(study(n=6, cov=0.2))
    assert found.trust is Trust.NOT_YET_KNOWN
    assert {r.verdict for r in found.rows if r.kind == "A/A"} == {ControlVerdict.OPEN}


def test_what_is_missing_for_trust_is_told_in_minutes() -> None:
    """Six blocks in 50 minutes; the interval shrinks with the square root of the time."""
    began = [replace(m, began=600.0 * m.block) for m in study(n=6, cov=0.02)]
    found = judged(began)
    assert found.trust is Trust.NOT_YET_KNOWN
    (reason,) = found.reasons
    assert reason.startswith("A/A ")
    assert re.search(r"\]; needs about \d+ min more$", reason)


def test_a_contended_host_has_a_wider_region() -> None:
    data, plan = study(n=6, cov=0.02), planned(CELLS)
    quiet = judge_controls(Dataset(plan, data), DRAWS)
    busy = judge_controls(Dataset(plan, data), DRAWS, facts={"host_state": {"contended": True}})
    assert (quiet.trust, busy.trust, busy.contended) == (Trust.NOT_YET_KNOWN, Trust.TRUSTED, True)


def biased(seed: int, bias: float, *, workloads: int = 12, blocks: int = 6) -> ControlReport:
    """Simulate a full study on a quiet host: one replica of each baseline is slower by `bias`; noise 1 to 3 %."""
    rng = np.random.default_rng(seed)
    cells = [cell(workload=replace(WORKLOAD, name=f"w{i}")) for i in range(workloads)]
    data = []
    for where in cells:
        noise = rng.uniform(0.01, 0.03)
        first, second = 8 * np.exp(noise * rng.normal(size=(2, blocks)))
        data += series(where, first) + [replace(m, replica=2) for m in series(where, second * (1 + bias))]
    return judge_controls(Dataset(planned(cells), data), DRAWS)


@pytest.mark.parametrize("studies", [20, pytest.param(400, marks=pytest.mark.slow)])
def test_a_planted_bias_of_5_percent_is_caught(studies: int) -> None:
    caught = [biased(seed, 0.05).trust is Trust.NOT_TRUSTED for seed in range(studies)]
    assert np.mean(caught) >= 0.8


def test_a_study_without_bias_is_seldom_condemned() -> None:
    found = [biased(seed, 0.0).trust for seed in range(40)]
    assert found.count(Trust.NOT_TRUSTED) == 0
    assert found.count(Trust.TRUSTED) > 20


def test_a_study_without_its_controls_is_not_trusted() -> None:
    assert judged(study(), controls=False).reasons == ("this study has no controls",)
    bare = judge_controls(Dataset(planned([POOL2]), series(POOL2, noisy(4, 10, seed=0))), DRAWS)
    assert bare.reasons == ("A/A: not measured",)


def test_too_few_blocks_judge_nothing() -> None:
    found = judged(study(n=2), blocks=2)
    assert found.trust is Trust.NOT_YET_KNOWN
    assert found.reasons == ("A/A: 2 blocks, needs 3",)
    assert found.floor == 0


def test_an_overhead_lost_in_the_noise_is_not_called_passed() -> None:
    data = [m for m in study() if m.cell != SLOWED.key]
    data += series(SLOWED, noisy(8.4, 30, seed=30, cov=0.3), tasks=EIGHT)
    found = judged(data)
    assert [r.verdict for r in found.rows if r.kind == "injected overhead"] == [ControlVerdict.OPEN]


def test_chance_alone_condemns_few_good_studies() -> None:
    """Sixty good studies with 5 % noise: at 5 % for the whole family at most a handful fail."""
    condemned = 0
    small = Resampler(resamples=99)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        data = series(BASE, 8 * np.exp(0.05 * rng.normal(size=10)), tasks=EIGHT)
        data += [replace(m, replica=2) for m in series(BASE, 8 * np.exp(0.05 * rng.normal(size=10)), tasks=EIGHT)]
        data += series(SLOWED, (8 + 8 * 0.05) * np.exp(0.01 * rng.normal(size=10)), tasks=EIGHT)
        report = judge_controls(Dataset(planned([BASE, SLOWED]), data), small)
        condemned += any(row.verdict == "missed" for row in report.rows)
    assert condemned <= 8  # 60 x 0.05 = 3 expected; 9 or more has a chance below 0.5 %


@pytest.mark.rule(20)
def test_drift_over_the_study_is_told() -> None:
    slow = [
        replace(m, began=float(m.block), phases=replace(m.phases, makespan=m.phases.makespan * 1.03**m.block))
        for m in study()
    ]
    assert judged(slow).drift.flag == "drift"
    steady = [replace(m, began=float(m.block)) for m in study()]
    assert judged(steady).drift.flag == ""


def test_residuals_stand_in_the_order_of_the_run() -> None:
    data = [measured(POOL2, b, s, index=5 - b) for b, s in enumerate([1.0, 2.0, 4.0])]
    found = residuals(Dataset(planned([POOL2]), data))
    assert [(r.index, round(r.value, 4)) for r in found] == [(3, 0.6931), (4, 0.0), (5, -0.6931)]
