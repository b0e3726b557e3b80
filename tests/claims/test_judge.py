"""Claims are judged by containment of the whole interval."""

import math
from dataclasses import replace

import numpy as np
import pytest

from made_claims import COLD, FOUR, JOBLIB, RAY, loop_and, named, run
from made_study import cell, noisy, planned, series, stamps
from raybench.analysis.analyze import analyse
from raybench.claims import reading
from raybench.claims.claim import Claim, ClaimKind, Part, Select
from raybench.claims.judge import judge, verdicts
from raybench.claims.selection import Sample
from raybench.claims.verdict import Judged, join
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
def test_fewer_than_three_blocks_decide_nothing():
    found = line(loop_and((PAIR, 5.0), blocks=2))

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
@pytest.mark.parametrize(
    ("kind", "speed", "low", "high", "verdict"),
    [
        # "do not": 4 % is no gain worth distributing for, 6 % is one counter-example
        (ClaimKind.UNIVERSAL, 1.04, -math.inf, 1.0, VerdictKind.SUPPORTED),
        (ClaimKind.UNIVERSAL, 1.06, -math.inf, 1.0, VerdictKind.REFUTED),
        (ClaimKind.UNIVERSAL, 0.96, 1.0, math.inf, VerdictKind.SUPPORTED),
        (ClaimKind.UNIVERSAL, 0.94, 1.0, math.inf, VerdictKind.REFUTED),
        # "is faster": by 5 % at least
        (ClaimKind.EXISTENCE, 1.06, 1.0, math.inf, VerdictKind.SUPPORTED),
        (ClaimKind.EXISTENCE, 1.04, 1.0, math.inf, VerdictKind.INCONCLUSIVE),
        (ClaimKind.EXISTENCE, 1.04, 1.01, math.inf, VerdictKind.SUPPORTED),  # only an edge at 1x has the region
    ],
)
def test_an_edge_at_one_has_a_region_of_five_percent(kind, speed, low, high, verdict):
    made = loop_and((PAIR, 8.0 / speed))

    assert line(made, Part(quantity="speedup", low=low, high=high), kind=kind).verdict is verdict


@pytest.mark.parametrize(("speed", "verdict"), [(1.9, VerdictKind.SUPPORTED), (1.88, VerdictKind.REFUTED)])
def test_a_single_documented_figure_may_be_off_by_a_tenth(speed, verdict):
    part = Part(quantity="speedup", low=2.1, figure=True)

    found = line(loop_and((PAIR, 8.0 / speed)), part)
    assert (found.verdict, found.band) == (verdict, "speedup over the sequential baseline: at least 2.1x within 10 %")


def test_one_cell_is_enough_for_a_claim_of_existence():
    made = loop_and((PAIR, 10.0), (cell(RAY, 4), 5.0))

    found = line(made, kind=ClaimKind.EXISTENCE)
    assert (found.verdict, found.value.point) == (VerdictKind.SUPPORTED, pytest.approx(1.6))
    assert line(made).verdict is VerdictKind.REFUTED


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [
        (8.0 / 1.06, VerdictKind.SUPPORTED),
        (8.0 / 1.04, VerdictKind.INCONCLUSIVE),  # real, and not worth it
        (8.0, VerdictKind.INCONCLUSIVE),
        (8.0 / 0.99, VerdictKind.REFUTED),
    ],
)
def test_a_gain_below_five_percent_neither_supports_nor_refutes_that_something_is_faster(seconds, verdict):
    found = line(loop_and((PAIR, seconds)), kind=ClaimKind.EXISTENCE)
    assert found.verdict is verdict
    assert ("smaller than 5 %" in found.note) is (verdict is VerdictKind.INCONCLUSIVE)


def test_the_best_of_many_pays_for_the_choice():
    """One cell of eight passes 1.05 with p about 0.02: alone it would do, chosen among eight it does not."""
    base = cell()
    lucky = 8.0 / 1.1 * np.exp(0.061 * standard_noise(10))
    others = [cell(RAY, cpus) for cpus in range(3, 10)]
    lines = series(base, [8.0] * 10) + series(PAIR, lucky)
    alone = run(planned([base, PAIR]), lines)
    among = run(
        planned([base, PAIR, *others]), lines + [m for c in others for m in series(c, noisy(8.0, 10, seed=c.cpus))]
    )

    assert line(alone, kind=ClaimKind.EXISTENCE).verdict is VerdictKind.SUPPORTED
    assert line(among, kind=ClaimKind.EXISTENCE).verdict is VerdictKind.INCONCLUSIVE


def standard_noise(n: int) -> np.ndarray:
    values = np.random.default_rng(0).normal(size=n)
    return (values - values.mean()) / values.std(ddof=1)


def thumb(efficiencies):
    """Make a study of one workload per efficiency, on two cores, with 1 % noise."""
    cells, lines = [], []
    for i, efficiency in enumerate(efficiencies):
        base = cell(workload=named(f"w{i}"))
        pool = cell(RAY, 2, workload=named(f"w{i}"))
        cells += [base, pool]
        lines += series(base, noisy(8.0, 6, seed=i, cov=0.01)) + series(pool, [4.0 / efficiency] * 6)
    return run(planned(cells, blocks=6), lines)


@pytest.mark.parametrize(
    ("efficiencies", "verdict"),
    [
        ([0.80, 0.85, 0.90, 0.82, 0.86], VerdictKind.SUPPORTED),
        ([0.50, 0.55, 0.60, 0.52, 0.56], VerdictKind.REFUTED),
        ([0.50, 0.90, 0.95, 0.60, 0.65], VerdictKind.INCONCLUSIVE),
        ([0.80, 0.85, 0.90, 0.82], VerdictKind.INCONCLUSIVE),  # four workloads are no rule of thumb
        ([0.65, 0.85, 0.90, 0.82, 0.86, 0.88], VerdictKind.SUPPORTED),  # one exception refutes no rule of thumb
    ],
)
def test_a_rule_of_thumb_is_judged_by_its_mean_over_workloads(efficiencies, verdict):
    part = Part(quantity="efficiency", low=0.7)

    found = line(thumb(efficiencies), part, kind=ClaimKind.TYPICAL)
    assert found.verdict is verdict
    assert found.value.n == len(efficiencies)
    inside = sum(e > 0.75 for e in efficiencies)
    assert f"{inside} of {len(efficiencies)} workloads on the right side" in found.note


def test_a_question_is_answered_with_a_number():
    part = Part(quantity="speedup")

    assert line(STUDY, part, kind=ClaimKind.QUESTION).verdict is VerdictKind.ANSWERED
    assert line(loop_and((PAIR, 5.0), blocks=2), part, kind=ClaimKind.QUESTION).verdict is VerdictKind.INCONCLUSIVE


def test_a_claim_that_the_study_was_never_meant_to_test_says_so():
    away = replace(FASTER, select=Select(backends=("dask*",)))

    assert line(STUDY).meant
    assert not line(STUDY, away, needs="dask").meant
    assert line(STUDY, away, needs="dask").needs == "dask"


def test_a_test_that_is_not_quite_the_sentence_s_says_so():
    assert line(STUDY, instead="tasks of 1 ms").note.startswith("not quite what the sentence asks for: tasks of 1 ms")


def test_compute_bound_means_busy_long_tasks():
    part = Part(quantity="efficiency", low=0.0, select=Select(compute_bound=True))

    def cells(seconds: float, cpu: float, spans=FOUR) -> int:
        base, pool = cell(), PAIR
        lines = series(base, [seconds] * 6, tasks=stamps(spans), cpu_makespan_s=cpu)
        lines += series(pool, [seconds / 2] * 6, tasks=stamps(spans))
        return len(line(run(planned([base, pool], blocks=6), lines), part).cells)

    short = tuple((1, i * 0.09, i * 0.09 + 0.09) for i in range(4))
    assert cells(8.0, 7.3) == 2
    assert cells(8.0, 7.1) == 0  # 0.89 of the time
    assert cells(0.36, 0.36, short) == 0  # tasks of 90 ms


def test_a_claim_about_many_cells_is_refuted_by_one_and_names_it():
    slow = cell(RAY, 4)
    found = line(loop_and((PAIR, 5.0), (slow, 10.0)))

    assert found.verdict is VerdictKind.REFUTED
    assert found.value.point == 0.8
    assert found.cells[0] == slow.key
    assert found.note.startswith("work on ray_tasks, P=4, below the band")
    assert "of 2: 1 REFUTED below the band, 1 SUPPORTED" in found.note


def judged(kind: VerdictKind, p: float, part: Part = FASTER) -> Judged:
    sample = Sample(about="made", estimate=Estimate(point=1, low=1, high=1, n=10))
    return Judged(part=part, sample=sample, kind=kind, p=p)


@pytest.mark.rule(45)
@pytest.mark.parametrize(("p", "verdict"), [(0.013, VerdictKind.INCONCLUSIVE), (0.012, VerdictKind.REFUTED)])
def test_one_refuted_cell_of_four_must_withstand_holm_s_adjustment(p, verdict):
    """The smallest of four p values is multiplied by four: 0.052 and 0.048."""
    family = [judged(VerdictKind.REFUTED, p), *[judged(VerdictKind.SUPPORTED, 1.0)] * 3]

    assert join(claim(), family) is verdict


def test_all_parts_must_hold_and_one_that_was_not_measured_leaves_it_open():
    count = Part(quantity="tasks", low=27, high=27, say="configurations")
    missing = Part(quantity="tasks", low=4, high=4, select=Select(backends=("dask*",)))

    assert line(STUDY, FASTER, count).verdict is VerdictKind.REFUTED
    assert "configurations: 4" in line(STUDY, FASTER, count).note
    assert line(STUDY, FASTER, missing).verdict is VerdictKind.INCONCLUSIVE
    assert "backends dask*" in line(STUDY, FASTER, missing).note
    assert line(STUDY, FASTER, replace(missing, select=Select())).verdict is VerdictKind.SUPPORTED


def test_the_efficiency_of_few_tasks_is_divided_by_their_cap():
    part = Part(quantity="efficiency", low=0.7, high=0.9)
    found = line(loop_and((cell(RAY, 3), 8 / 1.6)), part)

    assert found.value.point == pytest.approx(0.8)  # 1.6 / (3 x 2/3)
    assert "4 tasks: divided by their cap of 0.667" in found.note


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
    assert [found.id for found in OWN] == [f"C{number:02d}" for number in range(1, 51)]


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
    assert all("study=emulated" in found.note for found in about_25.values())
