"""Claims are judged by containment of the whole interval."""

import math
from dataclasses import replace

import pytest

from made_claims import COLD, JOBLIB, RAY, loop_and, named, run
from made_study import cell, noisy, planned, series
from raybench.analysis.analyze import analyse
from raybench.claims import reading
from raybench.claims.claim import Claim, Part, Select
from raybench.claims.judge import Judged, join_verdicts, judge, verdicts
from raybench.claims.selection import Sample
from raybench.model.estimate import Estimate, VerdictKind
from raybench.model.plan import Skip, Status

PAIR = cell(RAY, 2)
STUDY = loop_and((PAIR, 5.0))  # a speedup of 1.6 exactly
FASTER = Part(quantity="speedup", low=1.0)


def claim(*parts: Part, **changes) -> Claim:
    return Claim(id="C99", source="made", statement="made", parts=parts or (FASTER,), **changes)


def line(made, *parts: Part, **changes):
    (found,) = verdicts(made, analyse(made), [claim(*parts, **changes)])
    return found


# --- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.5, 1.7, VerdictKind.SUPPORTED),
        (1.6, 1.6, VerdictKind.SUPPORTED),  # ends belong to the band
        (1.7, 2.0, VerdictKind.REFUTED),
        (-math.inf, 1.5, VerdictKind.REFUTED),
    ],
)
def test_an_interval_inside_supports_and_one_outside_refutes(low, high, verdict):
    assert line(STUDY, Part(quantity="speedup", low=low, high=high)).verdict is verdict


@pytest.mark.rule(46)
def test_an_interval_across_an_edge_is_inconclusive():
    base = cell()
    made = run(
        planned([base, PAIR]),
        series(base, noisy(8.0, 10, seed=1)) + series(PAIR, noisy(5.0, 10, seed=2)),
    )

    assert line(made, Part(quantity="speedup", low=1.6)).verdict is VerdictKind.INCONCLUSIVE


@pytest.mark.rule(8)
def test_fewer_than_six_blocks_decide_nothing():
    found = line(loop_and((PAIR, 5.0), blocks=5))

    assert found.verdict is VerdictKind.INCONCLUSIVE
    assert "insufficient" in found.note


def test_a_claim_that_selects_no_cell_is_untestable_with_the_selection_printed():
    part = replace(FASTER, select=Select(workloads=("wor*",), backends=("dask*",), tags=("compute",), cpus=">=4"))
    found = line(STUDY, part, needs="four cores are needed")

    assert found.verdict is VerdictKind.UNTESTABLE
    assert found.value is None
    for words in ("workloads wor*", "backends dask*", "tags compute", "P >=4", "four cores are needed"):
        assert words in found.note


@pytest.mark.rule(38)
def test_a_claim_about_more_cores_than_measured_is_never_supported():
    part = replace(FASTER, select=Select(cpus="25"))

    found = line(loop_and((PAIR, 5.0)), part)
    assert (found.verdict, "the largest P measured here is 2" in found.note) == (VerdictKind.UNTESTABLE, True)


def test_cells_that_gave_nothing_name_their_reason():
    planned_only = replace(planned([cell()]), skips=(Skip(cell=PAIR, reason="asks for 2 cores; 1 is usable"),))
    made = run(planned_only, series(cell(), [8.0] * 10))

    found = line(made, replace(FASTER, select=Select(backends=("ray_*",))))
    assert found.verdict is VerdictKind.UNTESTABLE
    assert "asks for 2 cores; 1 is usable" in found.note


def test_a_failed_cell_beside_a_good_one_is_not_counted():
    other = cell(RAY, 2, workload=named("broken"))
    made = loop_and((PAIR, 5.0))
    plan = replace(made.plan, jobs=(*made.plan.jobs, *planned([other]).jobs))
    failed = series(other, [0.0] * 10, status=Status.FAILED, reason="boom")

    found = line(replace(made, plan=plan, measurements=(*made.measurements, *failed)))
    assert (found.verdict, len(found.cells)) == (VerdictKind.SUPPORTED, 2)


def test_a_claim_that_no_data_can_decide_says_why():
    (found,) = verdicts(STUDY, analyse(STUDY), [Claim(id="C8", source="s", statement="s", untestable="needs a server")])

    assert (found.verdict, found.note) == (VerdictKind.UNTESTABLE, "needs a server")


def test_a_number_from_a_model_is_predicted_even_where_it_fits():
    made = run(
        planned([cell(), cell(COLD, 2)]),
        series(cell(), [8.0] * 10) + series(cell(COLD, 2), [5.0] * 10, phases={"start_up": 3.0}),
    )
    found = line(made, Part(quantity="start_up_share", given={"sequential_s": 1800}, high=0.2))

    assert found.verdict is VerdictKind.PREDICTED
    assert "from a model" in found.note


@pytest.mark.rule("HB7")
def test_an_effect_below_the_noise_floor_is_no_difference():
    """Both replicas of the loop differ by up to 5 %, so 2 % faster is not faster; 60 % is."""
    base = cell()

    def study(seconds: float):
        plan = planned([base, PAIR])
        twice = tuple(replace(job, replica=2) for job in plan.jobs if job.cell is base)
        first, second = noisy(8.0, 10, seed=1, cov=0.05), noisy(8.0, 10, seed=2, cov=0.05)
        lines = series(base, first) + series(base, second, replica=2) + series(PAIR, first * seconds / 8.0)
        return run(replace(plan, jobs=(*plan.jobs, *twice)), lines)

    slightly = study(8.0 / 1.02)
    floor = analyse(slightly).controls.floor["work"]
    assert 0.02 < floor < 0.2
    assert line(slightly).value.low == pytest.approx(1.02)
    assert line(slightly).verdict is VerdictKind.INCONCLUSIVE
    assert line(slightly, Part(quantity="speedup", low=1.01)).verdict is VerdictKind.SUPPORTED
    assert line(study(5.0)).verdict is VerdictKind.SUPPORTED


def test_a_claim_about_many_cells_is_refuted_by_one_and_names_it():
    slow = cell(RAY, 4)
    found = line(loop_and((PAIR, 5.0), (slow, 10.0)))

    assert found.verdict is VerdictKind.REFUTED
    assert found.value.point == 0.8
    assert found.cells[0] == slow.key
    assert found.note.startswith("work on ray_tasks, P=4, below the band")
    assert "of 2: 1 REFUTED below the band, 1 SUPPORTED" in found.note


def judged(kind: VerdictKind, p: float) -> Judged:
    sample = Sample(about="made", estimate=Estimate(point=1, low=1, high=1, n=10))
    return Judged(part=FASTER, sample=sample, kind=kind, p=p)


@pytest.mark.rule(45)
@pytest.mark.parametrize(("p", "verdict"), [(0.013, VerdictKind.INCONCLUSIVE), (0.012, VerdictKind.REFUTED)])
def test_one_refuted_cell_of_four_must_withstand_holm_s_adjustment(p, verdict):
    """The smallest of four p values is multiplied by four: 0.052 and 0.048."""
    family = [judged(VerdictKind.REFUTED, p), *[judged(VerdictKind.SUPPORTED, 1.0)] * 3]

    assert join_verdicts(claim(), family) is verdict


def test_all_parts_must_hold_and_one_that_was_not_measured_leaves_it_open():
    count = Part(quantity="tasks", low=27, high=27, say="configurations")
    missing = Part(quantity="tasks", low=4, high=4, select=Select(backends=("dask*",)))

    assert line(STUDY, FASTER, count).verdict is VerdictKind.REFUTED
    assert "configurations: 4" in line(STUDY, FASTER, count).note
    assert line(STUDY, FASTER, missing).verdict is VerdictKind.INCONCLUSIVE
    assert "backends dask*" in line(STUDY, FASTER, missing).note
    assert line(STUDY, FASTER, replace(missing, select=Select())).verdict is VerdictKind.SUPPORTED


def test_what_is_not_fit_to_judge_is_shown_and_judged_by_nobody():
    part = Part(quantity="efficiency", low=0.7, high=0.8)
    found = line(STUDY, part)

    assert found.verdict is VerdictKind.UNTESTABLE
    assert "4 tasks on 2 cores: too few, cap 1" in found.note


def test_the_documents_own_way_stands_beside_the_verdict():
    beside = Part(quantity="tasks", say="their way", select=Select(cpus="2"))
    absent = Part(quantity="fit_ratio", given={"at_least": 2.0}, say="fits")

    brief, details = line(STUDY, context=(beside, absent), documented="2.1x", note="a remark").note.splitlines()
    assert brief.startswith("source: 2.1x; work on ray_tasks, P=2")
    assert brief.endswith("base: sequential, P=1")
    assert details == (
        "their way: 4.00 tasks [4.00, 4.00], n=10 (work on ray_tasks, P=2); fits: not measured; a remark"
    )


def test_the_first_line_of_a_note_has_the_cold_number_and_that_of_a_pool():
    pool = cell(JOBLIB, 2)
    cold = Part(quantity="speedup", say="cold", cold=True, select=Select(backends=("ray_*",)))
    other = Part(quantity="speedup", say="joblib", select=Select(backends=("joblib",)))
    ray = replace(FASTER, select=Select(backends=("ray_*",)))

    brief = line(loop_and((PAIR, 5.0), (pool, 4.0)), ray, context=(cold, other)).note.splitlines()[0]
    assert "ray_tasks, cold: 1.60x [1.60, 1.60], n=10; joblib: 2.00x [2.00, 2.00], n=10" in brief


def test_a_study_without_verdicts_judges_nothing():
    assert judge(replace(STUDY, plan=replace(STUDY.plan, verdicts=False)), analyse(STUDY)) == ()


def test_a_cell_is_selected_by_name_tags_cores_and_number_of_tasks():
    made = loop_and((PAIR, 5.0), (cell(RAY, 4), 4.0))

    def cells(**select) -> int:
        return len(line(made, replace(FASTER, select=Select(**select))).cells)

    assert cells(cpus="max") == cells(cpus=">2") == cells(cpus="4") == 2
    assert cells(cpus="<=2") == cells(cpus="<4") == 2
    assert cells(backend_tags=("parallel",), tasks=">=4") == 3
    assert cells(tasks=">4") == cells(without=("compute",)) == cells(tags=("io",)) == 0


# --- the project's own claims ---------------------------------------------------------------------


OWN = reading.read()


def test_every_documented_claim_is_there_once():
    assert [found.id for found in OWN] == [f"C{number:02d}" for number in range(1, 39)]


def test_claims_without_data_are_untestable_with_a_reason_each():
    made = run(planned([cell()]), [])

    lines = judge(made, analyse(made))
    assert {found.verdict for found in lines} == {VerdictKind.UNTESTABLE}
    assert all(found.note for found in lines)


@pytest.mark.rule(38)
@pytest.mark.parametrize("speed", [1.0, 40.0])
def test_no_claim_about_twenty_five_cores_is_supported_by_two(speed):
    made = loop_and(*((cell(RAY, 2, workload=named(name, "compute", "io")), 8.0 / speed) for name in ("primes", "x")))

    about_25 = {
        found.id: found for found in judge(made, analyse(made)) if found.id in ("C21", "C22", "C23", "C24", "C25")
    }
    assert {found.verdict for found in about_25.values()} == {VerdictKind.UNTESTABLE}
    assert all("predictor" in found.note for found in about_25.values())
