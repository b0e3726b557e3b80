"""Claims about more cores than there are: an emulated sentence that carries its side and the contention it needs."""

from dataclasses import replace

import pytest

from made_emulation import LONG_LEASE, MADE_UP, RAY, REAL, emulated_run, logical
from made_study import SEQUENTIAL, cell, measured, stamps
from raybench.analysis.analyze import analyse
from raybench.claims.claim import Claim, ClaimKind, Part, Select
from raybench.claims.judge import verdicts
from raybench.claims.reading import read
from raybench.model.estimate import VerdictKind
from raybench.model.plan import Spec, Tag

TWENTY_FIVE = logical(
    replace(MADE_UP, name="replay_training", params={"recorded": {"workload": REAL.name, "backend": "sequential",
            "cpus": 1}, "per_cpu": 0, "count": 50}),
    LONG_LEASE, 25,
)  # fmt: skip
ON_LOGICAL = Select(workloads=("replay_*",), cpus="25", logical=True)


def claim(low: float, high: float, *, quantity: str = "emulated_speedup", kind=ClaimKind.UNIVERSAL, **given) -> Claim:
    part = Part(quantity=quantity, select=ON_LOGICAL, low=low, high=high, given=given, say="on 25 CPUs")
    real = Part(quantity="speedup", select=Select(cpus="25"), low=low, high=high)
    return Claim(id="C23", source="S3", statement="25 CPUs: 12-15x", kind=kind, parts=(real,), emulated=(part,))


def judged(one: Claim, run=None):
    run = run or emulated_run(TWENTY_FIVE)
    (line,) = verdicts(run, analyse(run), [one])
    return line


def test_an_emulated_speedup_is_never_a_verdict_and_names_side_and_contention():
    line = judged(claim(12, 15))

    assert line.verdict is VerdictKind.EMULATED
    assert line.side == "REFUTED above"
    assert line.value.point == pytest.approx(25 / 1.021, rel=1e-3)
    assert "a factor of 1.63 to 2.04 of contention on top of 24.5x" in line.note
    assert "measured here at P = 2: 1.20 to 1.20" in line.note


def test_a_band_that_holds_the_number_is_emulated_all_the_same():
    line = judged(claim(20, 25))

    assert (line.verdict, line.side) == (VerdictKind.EMULATED, "SUPPORTED")


def test_an_open_band_needs_at_most_so_much_contention():
    assert "at most 2.45 of contention" in judged(claim(10, float("inf"), kind=ClaimKind.EXISTENCE)).note


def test_the_estimate_of_the_source_is_held_against_the_emulated_time():
    line = judged(claim(-0.1, 0.1, quantity="emulated_estimate_error", kind=ClaimKind.TYPICAL, assumed=0.8))

    assert line.verdict is VerdictKind.EMULATED
    assert line.value.point == pytest.approx(1 / (0.8 * 1.021) - 1, abs=1e-3)


def test_the_alternative_on_one_machine_is_compared_on_the_same_waits():
    pool = Spec(name="joblib", target="x:Joblib", tags=(Tag.PARALLEL,))
    other = logical(TWENTY_FIVE.workload, pool, 25)
    run = emulated_run(TWENTY_FIVE, other)
    part = Part(
        quantity="emulated_alternative_ratio",
        select=replace(ON_LOGICAL, backends=("ray_tasks",)),
        given={"against": ["joblib"]},
        low=1,
        say="joblib / Ray",
    )
    line = judged(replace(claim(12, 15), emulated=(part,)), run)

    assert line.verdict is VerdictKind.EMULATED
    assert line.value.point == pytest.approx(1.0)


def test_an_invalid_emulation_says_nothing():
    assert judged(claim(12, 15), emulated_run(TWENTY_FIVE, ratio=1.3)).verdict is VerdictKind.UNTESTABLE


def test_a_measured_number_comes_before_an_emulated_one():
    run = emulated_run(TWENTY_FIVE)
    work = replace(REAL, name="big")
    alone, many = cell(SEQUENTIAL, workload=work), cell(RAY, 25, workload=work)
    jobs = [replace(run.plan.jobs[0], cell=c, block=b) for c in (alone, many) for b in range(3)]
    lines = [measured(c, b, s, tasks=stamps([(1, 0.0, s)])) for c, s in ((alone, 26.0), (many, 2.0)) for b in range(3)]
    both = replace(
        run,
        plan=replace(run.plan, jobs=(*run.plan.jobs, *jobs)),
        measurements=(*run.measurements, *lines),
    )

    assert judged(claim(12, 15), both).verdict is VerdictKind.SUPPORTED


def test_logical_cpus_belong_to_no_other_claim():
    run = emulated_run(TWENTY_FIVE)
    quantity = Part(quantity="speedup", select=Select(cpus=">1"), low=1)
    line = judged(Claim(id="C1", source="S3", statement="x", parts=(quantity,)), run)

    assert all(key != TWENTY_FIVE.key for key in line.cells)


def test_every_claim_about_more_cores_than_usual_has_an_emulated_part_or_real_waiting():
    claims = {one.id: one for one in read()}

    assert all(claims[id_].emulated for id_ in ("C13", "C19", "C20", "C21", "C22", "C23", "C25"))
    assert all(part.select.logical for one in claims.values() for part in one.emulated)
    assert claims["C24"].parts[0].select.logical
