"""Two runs compared: made runs with known changes, mirror images, other machines, and what only one run has."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from made_claims import run
from made_study import ASHA, POOL, WORKLOAD, cell, measured, noisy, planned, series
from raybench.analysis.compare import Change, Comparison, Outcome, as_estimate, compare, detectable, judge, subtract
from raybench.analysis.compare import Draft as Drafted
from raybench.analysis.dataset import Dataset, RunData
from raybench.analysis.quantities import CellName, Quantity, Readings, name_cell, read
from raybench.analysis.results import ClaimLine
from raybench.model.estimate import VerdictKind
from raybench.model.log_ratio import LogRatio
from raybench.model.measurement import Environment, Sample, SweepTiming
from raybench.model.plan import Spec, Status, Tag
from raybench.model.stats import holm

SECONDS = {("sequential", 1): 8.0, ("pool", 2): 4.4, ("pool", 4): 2.4, ("pool", 8): 1.4}
HERE = {"cpu": {"model": "Made", "usable": 16}, "code": {"commit": "c0"}, "packages": {"ray": "1"}}


def made(
    slower: Mapping[int, float] | None = None, *, seed: int = 1, noise: float = 0.003, blocks: int = 8, **where: str
) -> RunData:
    """Make a run whose cells of the pool take `slower` times as long, by cores; blocks share a drift of 5 %."""
    factors = dict(slower or {})
    drift = noisy(1.0, blocks, seed=seed, cov=0.05)
    cells = [cell(), *(cell(POOL, cpus) for cpus in (2, 4, 8))]
    lines = []
    for i, one in enumerate(cells):
        seconds = SECONDS[one.backend.name, one.cpus] * factors.get(one.cpus, 1.0)
        lines += series(one, drift * noisy(seconds, blocks, seed=100 * seed + i, cov=noise))
    found = run(planned(cells, blocks=blocks), lines)
    environment = Environment(machine=where.get("machine", "made"), identity={}, began="", facts=HERE)
    return replace(found, environment=environment)


def readings(of: RunData) -> Readings:
    return read(of, Dataset(of.plan, of.measurements, of.samples))


def compared(a: RunData, b: RunData, *, same: float = 0.05) -> Comparison:
    return compare(readings(a), readings(b), same=same)


def speedups(found: Comparison) -> dict[int, Change]:
    return {one.cell.cpus: one for one in found.changes if one.quantity is Quantity.SPEEDUP}


# --- outcomes -------------------------------------------------------------------------------------


def test_each_cell_is_better_the_same_or_worse_by_its_paired_speedup() -> None:
    found = speedups(compared(made(), made({2: 1.25, 8: 1 / 1.25}, seed=2)))

    assert {cpus: str(one.outcome) for cpus, one in found.items()} == {2: "WORSE", 4: "SAME", 8: "BETTER"}
    assert found[2].change.point == pytest.approx(1 / 1.25, rel=0.01)
    assert found[2].a.point == pytest.approx(8 / 4.4, rel=0.01)


def test_a_slower_cell_is_worse_in_seconds_too() -> None:
    found = compared(made(), made({2: 2.0}, seed=2))

    (time,) = [one for one in found.changes if one.quantity is Quantity.TIME and one.cell.cpus == 2]
    assert time.outcome is Outcome.WORSE
    assert time.change.point == pytest.approx(2.0, rel=0.15)  # blocks drift by 5 %
    assert found.outcome is Outcome.WORSE


def test_what_is_too_noisy_to_tell_is_undecided_with_the_change_that_would_be_found() -> None:
    found = speedups(compared(made(noise=0.2), made(seed=2, noise=0.2)))

    assert {one.outcome for one in found.values()} == {Outcome.UNDECIDED}
    assert all(0.2 < one.detectable < 3 for one in found.values())


def test_two_blocks_give_no_verdict() -> None:
    found = compared(made(blocks=2), made({2: 3.0}, blocks=2))

    assert {one.outcome for one in found.changes} == {Outcome.UNDECIDED}
    assert all(math.isinf(one.detectable) for one in found.changes)


def test_b_against_a_is_the_mirror_image() -> None:
    a, b = made(), made({2: 1.25, 8: 1 / 1.25}, seed=2, noise=0.02)
    there, back = compared(a, b), compared(b, a)
    mirrored = {Outcome.WORSE: Outcome.BETTER, Outcome.BETTER: Outcome.WORSE}

    assert Outcome.WORSE in {one.outcome for one in there.changes}
    for one, other in zip(there.changes, back.changes, strict=True):
        assert other.outcome is mirrored.get(one.outcome, one.outcome)
        assert other.change.point == pytest.approx(1 / one.change.point)
        assert other.change.low == pytest.approx(1 / one.change.high)
        assert (other.p, other.detectable) == pytest.approx((one.p, one.detectable))
    for mean, other in zip(there.means, back.means, strict=True):
        assert other.change.point == pytest.approx(1 / mean.change.point)


def draft(mean: float, error: float = 0.01) -> Drafted:
    log = LogRatio(mean=mean, error=error, degrees=10, n=6)
    return Drafted(cell=name_cell(cell(POOL, 2)), quantity=Quantity.TIME, a=log, b=log, change=log)


def test_all_comparisons_are_one_family() -> None:
    edge = math.log1p(0.05)
    alone, first = judge([draft(edge + 0.025)], same=0.05)[0], judge([draft(edge + 0.025)] * 2, same=0.05)[0]

    assert alone.outcome is Outcome.WORSE  # t = 2.5 at 10 degrees: two-sided p = 0.03, of two 0.06
    assert first.outcome is Outcome.UNDECIDED
    assert first.p == pytest.approx(holm([alone.p, alone.p])[0])
    assert first.detectable > alone.detectable


def test_a_detectable_change_is_found_with_its_power() -> None:
    """Draw the t statistic of many cells whose true change is just the detectable one."""
    rng, edge, degrees, error = np.random.default_rng(1), math.log1p(0.05), 10, 0.02
    effect = math.log1p(detectable(draft(0.0, error).change, edge, family=4))
    means = effect + error * rng.normal(size=4000)
    errors = error * np.sqrt(rng.chisquare(degrees, size=4000) / degrees)
    logs = [LogRatio(mean=m, error=e, degrees=degrees, n=6) for m, e in zip(means, errors, strict=True)]
    found = np.mean([log.p_above(edge) <= 0.05 / 2 / 4 for log in logs])

    assert 0.77 <= found <= 0.86


def test_the_error_of_a_difference_is_that_of_both_runs() -> None:
    a, b = LogRatio(mean=1.0, error=0.03, degrees=5, n=6), LogRatio(mean=1.2, error=0.04, degrees=9, n=10)
    found = subtract(b, a)

    assert (found.mean, found.error, found.n) == pytest.approx((0.2, 0.05, 6))
    assert found.degrees == pytest.approx(0.05**4 / (0.03**4 / 5 + 0.04**4 / 9))
    assert as_estimate(found).point == pytest.approx(math.exp(0.2))


# --- what is comparable ---------------------------------------------------------------------------


def test_seconds_of_another_machine_are_shown_and_not_judged() -> None:
    found = compared(made(), made({1: 3.0, 2: 3.0, 4: 3.0, 8: 3.0}, seed=2, machine="other"))

    assert found.ratios_only == "machine: made / other"
    assert {one.judged for one in found.changes if one.quantity.is_seconds} == {False}
    assert found.outcome is Outcome.SAME
    assert found.differing["machine"] == ("made", "other")
    assert {"commit", "package ray", "seed"} <= set(found.equal)


def test_seconds_are_not_judged_where_the_machine_had_become_slower() -> None:
    def with_spin(of: RunData, seconds: float) -> RunData:
        key = of.plan.cells[0].key
        spins = [
            Sample(
                cell=key, block=b, replica=1, attempt=1, round=0, place=0, seconds=8.0, spin_s=seconds * (1 + b / 500)
            )
            for b in range(8)
        ]
        return replace(of, samples=tuple(spins))

    a, same, slower = (with_spin(made(), s) for s in (0.005, 0.00501, 0.006))
    assert not compared(a, same).ratios_only
    assert "fixed work took +20" in compared(a, slower).ratios_only


def test_cells_meet_by_name_and_sizes_whatever_their_texts_and_tags() -> None:
    rewritten = replace(WORKLOAD, about="new words", tags=(Tag.COMPUTE, Tag.MEMORY), source="S9")
    larger = replace(WORKLOAD, params={"n": 9})

    assert name_cell(cell(POOL, 2)) == name_cell(cell(replace(POOL, target="y:Pool"), 2, workload=rewritten))
    assert name_cell(cell(POOL, 2)) != name_cell(cell(POOL, 2, workload=larger))
    assert name_cell(cell(POOL, 2)) != name_cell(cell(POOL, 2, workers=4, granted=2))


def test_what_only_one_run_has_is_named() -> None:
    a = made()
    b = run(
        planned([cell(), cell(POOL, 2)], blocks=8),
        [m for m in made(seed=2).measurements if m.cell != a.plan.cells[3].key],
    )
    found = compared(a, replace(b, environment=a.environment))

    assert {(name.cpus, quantity) for name, quantity in found.only_a} >= {(4, Quantity.SPEEDUP), (8, Quantity.SPEEDUP)}
    assert not found.only_b
    assert set(speedups(found)) == {2}


def test_runs_without_a_common_cell_are_not_comparable() -> None:
    other = cell(POOL, 2, workload=Spec(name="else", target="x:Else"))
    assert not compared(made(), run(planned([other]), series(other, [1.0] * 6))).comparable


def test_a_cell_that_fails_now_is_worse_and_one_that_did_is_better() -> None:
    a, key = made(), cell(POOL, 2).key
    lines = [replace(m, status=Status.FAILED, reason="boom") if m.cell == key else m for m in a.measurements]
    failing = replace(a, measurements=tuple(lines))
    there, back = compared(a, failing), compared(failing, a)

    assert (there.outcome, there.broken) == (Outcome.WORSE, {name_cell(cell(POOL, 2)): "8 x boom"})
    assert back.outcome is not Outcome.WORSE
    assert set(back.mended) == set(there.broken)


# --- quantities -----------------------------------------------------------------------------------


def test_less_work_is_compared_under_another_name_than_speedup() -> None:
    where = cell(ASHA, 2)
    lines = series(cell(), [8.0] * 4) + series(where, [3.0] * 4, steps_asked=100, steps_done=40)
    found = readings(run(planned([cell(), where], blocks=4), lines))

    kinds = {quantity for name, quantity in found.series if name.backend == "asha"}
    assert Quantity.SOONER in kinds
    assert Quantity.SPEEDUP not in kinds


def test_a_sweep_is_compared_by_metg_and_overhead() -> None:
    """1 ms of work per unit on 2 cores with 2 ms of overhead: METG(0.7) = 2 ms / (1 - 0.7), whatever the seconds."""

    def sweep(cpus: int, overhead: float) -> tuple[SweepTiming, ...]:
        return tuple(
            SweepTiming(work=w, tasks=200, wall_s=200 / cpus * (w * 1e-3 + overhead), busy_s=0.2 * w, workers=cpus)
            for w in (256, 64, 16, 4, 1)
        )

    where = cell(POOL, 2)
    lines = [measured(cell(), b, 1.0, sweep=sweep(1, 0.0)) for b in range(4)]
    lines += [measured(where, b, 1.0, sweep=sweep(2, 0.002)) for b in range(4)]
    found = readings(run(planned([cell(), where], blocks=4), lines)).series
    by_quantity = {quantity: series for (_, quantity), series in found.items()}

    assert set(by_quantity) == {Quantity.METG, Quantity.OVERHEAD}
    assert np.exp(by_quantity[Quantity.OVERHEAD].logs) == pytest.approx(0.002)
    assert np.exp(by_quantity[Quantity.METG].logs) == pytest.approx(0.002 / 0.3, rel=0.01)


# --- claims ---------------------------------------------------------------------------------------


def test_claims_whose_verdict_changes_are_told_apart_from_those_that_one_run_does_not_test() -> None:
    def lines(*kinds: VerdictKind) -> list[ClaimLine]:
        return [
            ClaimLine(id=f"C0{i}", source="S0", statement="s", band="b", verdict=kind) for i, kind in enumerate(kinds)
        ]

    yes, no, untested = VerdictKind.SUPPORTED, VerdictKind.REFUTED, VerdictKind.UNTESTABLE
    here = readings(made())
    found = compare(here, here, same=0.05, claims=(lines(yes, yes, untested), lines(yes, no, yes)))

    assert [(line.id, before, line.verdict) for line, before in found.changed_claims] == [("C01", yes, no)]
    assert found.tested_once == 1


# --- calibration ----------------------------------------------------------------------------------


def resample(
    of: Readings, rng: np.random.Generator, *, slower: float = 1.0, cells: frozenset[CellName] = frozenset()
) -> Readings:
    """Draw a further run from a run's own blocks; the chosen cells are so many times as slow."""
    drawn = {}
    for key, one in of.series.items():
        logs = rng.choice(one.logs, size=len(one.logs))
        sign = 1 if key[1].more_is_worse else -1
        shift = sign * math.log(slower) if key[0] in cells else 0.0
        drawn[key] = replace(one, logs=tuple(float(x) for x in logs + shift))
    return replace(of, series=drawn)


@pytest.mark.parametrize("pairs", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_pairs_of_equal_runs_are_called_different_in_at_most_5_percent(pairs: int) -> None:
    rng, source = np.random.default_rng(7), readings(made(noise=0.03, blocks=10))
    found = [compare(resample(source, rng), resample(source, rng), same=0.05) for _ in range(pairs)]
    false = sum(any(one.outcome in (Outcome.WORSE, Outcome.BETTER) for one in each.changes) for each in found)

    assert false <= 0.05 * pairs


@pytest.mark.parametrize("planted", [1.10, 1.25])
@pytest.mark.parametrize("pairs", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_planted_change_is_found_where_the_printed_power_promises_it(pairs: int, planted: float) -> None:
    """Of the comparisons that say they would find the planted change, at least 80 % must find it."""
    rng, source = np.random.default_rng(8), readings(made(noise=0.006, blocks=10))
    chosen = frozenset({name_cell(cell(POOL, 4))})
    hits = []
    for _ in range(pairs):
        found = compare(resample(source, rng), resample(source, rng, slower=planted, cells=chosen), same=0.05)
        mine = [one for one in found.changes if one.cell in chosen and one.detectable <= planted - 1]
        hits += [one.outcome is Outcome.WORSE for one in mine]

    assert len(hits) >= pairs / 2
    assert np.mean(hits) >= 0.8
