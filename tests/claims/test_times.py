"""Quantities of times and checks by hand: round numbers, so that every ratio can be worked out on paper."""

from dataclasses import replace

import pytest

from made_claims import COLD, FOUR, JOBLIB, RAY, TUNED, found, loop_and, named, only, points, run
from made_study import (
    ASHA,
    CEILING,
    LOGICAL_GPU,
    SEQUENTIAL,
    SHARED_HEAD,
    THREADS,
    cell,
    measured,
    planned,
    series,
    stamps,
)
from raybench.claims.claim import Select
from raybench.claims.quantities import QUANTITIES
from raybench.model.measurement import Details, PlantedFailures, TaskStamp
from raybench.model.plan import Status

PAIR = cell(RAY, 2)  # two cores, 5 s where the loop takes 8 s
STUDY = loop_and((PAIR, 5.0))
FORTY = stamps([(1, float(i), float(i + 1)) for i in range(40)])


def test_speedup_is_the_loop_over_the_cell():
    sample = only(found(STUDY, "speedup"))

    assert sample.estimate.point == sample.estimate.low == sample.estimate.high == 1.6
    assert (sample.estimate.n, sample.about) == (10, "work on ray_tasks, P=2")
    assert [of.cell for of in sample.cells] == [PAIR, cell()]


def test_a_cell_that_did_less_work_has_no_speedup_but_a_search_speedup_that_says_so():
    asha = cell(ASHA, 2)
    made = loop_and((asha, 2.0), steps_asked=200, steps_done=100)

    assert found(made, "speedup") == []
    sample = only(found(made, "search_speedup"))
    assert (sample.estimate.point, sample.note) == (4.0, "50 % of the steps")


def test_controls_are_in_no_claim():
    assert found(loop_and((cell(CEILING, 2), 8.0)), "speedup") == []


def test_efficiency_is_speedup_by_cores():
    made = run(
        planned([cell(), PAIR]),
        [line for where, s in ((cell(), 8.0), (PAIR, 5.0)) for line in series(where, [s] * 10, tasks=FORTY)],
    )

    assert points(found(made, "efficiency")) == [0.8]


def test_an_efficiency_of_too_few_tasks_is_shown_with_its_cap_and_not_judged():
    sample = only(found(loop_and((cell(RAY, 3), 5.0)), "efficiency"))

    assert (sample.aside, sample.note) == ("", "4 tasks: divided by their cap of 0.667")


def test_the_documents_estimate_is_right_at_an_efficiency_of_four_fifths_and_twice_too_long_at_twice_that():
    assert points(found(STUDY, "estimate_error", assumed=0.8)) == pytest.approx([0.0])
    assert points(found(loop_and((PAIR, 2.5)), "estimate_error", assumed=0.8)) == pytest.approx([1.0])


def test_serial_fraction_is_karp_and_flatt_s():
    assert points(found(STUDY, "serial_fraction")) == pytest.approx([(1 / 1.6 - 1 / 2) / (1 - 1 / 2)])


def test_gain_is_over_the_threaded_loop_and_relative_over_the_same_backend_on_one_core():
    threads = cell(THREADS, 1, cpus_per_task=2)
    one = cell(RAY, 1)
    made = loop_and((PAIR, 5.0), (threads, 6.0), (one, 9.0))

    assert points(found(made, "gain", select=Select(backends=("ray_tasks",), cpus="2"))) == [1.2]
    assert points(found(made, "relative", select=Select(backends=("ray_*",)))) == [1.8]


def test_the_alternative_is_the_fastest_of_those_named_on_as_many_cores():
    made = loop_and((PAIR, 5.0), (cell(JOBLIB, 2), 4.0), (cell(JOBLIB, 4), 2.0), (cell(COLD, 2), 1.0))

    sample = only(
        found(made, "alternative_ratio", select=Select(backends=("ray_tasks",)), against=["joblib*", "sequential*"])
    )
    assert (sample.estimate.point, sample.note) == (0.8, "against joblib")


def test_two_workloads_are_compared_on_the_same_backend_and_cores():
    other = named("work_value")
    cells = [PAIR, cell(RAY, 2, workload=other), cell(RAY, 4, workload=other), cell(JOBLIB, 2, workload=other)]
    lines = []
    for where, seconds, warm_up in zip(cells, (5.0, 10.0, 1.0, 2.0), (1.0, 2.0, 0.0, 0.0), strict=True):
        lines += series(where, [seconds] * 6, phases={"warm_up": warm_up})
    made = run(planned(cells, blocks=6), lines)
    select = Select(workloads=("work",))

    warm = only(found(made, "workload_ratio", select=select, against="{name}_value", with_data=False))
    data = only(found(made, "workload_ratio", select=select, against="work_value", with_data=True))
    assert (warm.estimate.point, warm.note) == (2.0, "against work_value")
    assert data.estimate.point == 12 / 6


def test_the_journey_of_the_data_counts_where_it_is_asked_for():
    made = run(
        planned([cell(), PAIR]),
        series(cell(), [8.0] * 10)
        + series(PAIR, [3.0] * 10, phases={"warm_up": 1.0, "start_up": 9.0}, details=Details(bytes_used=12_000_000)),
    )

    assert points(found(made, "speedup_with_data")) == [2.0]
    assert points(found(made, "bytes_per_second")) == [3_000_000]


def test_the_longest_task_limits_the_speedup():
    """4, 2, 1, 1 s on four cores: nobody finishes before the longest, 8 / 4 = 2."""
    assert points(found(loop_and((cell(RAY, 4), 5.0)), "graham_limit", select=Select(backends=("ray_*",)))) == [2.0]


def test_busy_cores_are_compared_with_those_of_the_loop():
    made = run(
        planned([cell(), PAIR]),
        series(cell(), [8.0] * 10, cpu_makespan_s=4.0) + series(PAIR, [5.0] * 10, cpu_makespan_s=9.0),
    )

    assert points(found(made, "utilisation_ratio")) == [pytest.approx(1.8 / 0.5)]
    assert points(found(made, "utilisation", select=Select(cpus="2"))) == [0.9]


def test_seconds_per_task_warm_and_cold():
    made = run(
        planned([PAIR, cell(COLD, 2)]),
        series(PAIR, [2.0] * 6, tasks=stamps(FOUR), head=SHARED_HEAD, phases={"start_up": 7.0})
        + series(cell(COLD, 2), [2.0] * 6, tasks=stamps(FOUR), phases={"start_up": 4.0}),
    )

    assert points(found(made, "seconds_per_task")) == [0.5, 0.5]
    assert points(found(made, "seconds_per_task", cold=True)) == [1.5]  # a cell on a shared head has no cold time


def test_tasks_are_counted():
    sample = only(found(STUDY, "tasks", select=Select(cpus="2")))

    assert (sample.estimate.point, sample.estimate.low, sample.estimate.high) == (4, 4, 4)


def test_the_search_is_a_share_of_the_whole_sequential_program():
    made = run(planned([cell()]), series(cell(), [8.0] * 10, phases={"interpreter": 0.5, "imports": 1.0, "data": 0.5}))

    assert points(found(made, "search_share")) == [0.8]


@pytest.mark.parametrize(
    ("spans", "share"),
    [
        (((1, 0.0, 1.0), (2, 0.5, 1.5), (1, 1.5, 2.5)), 1.0),
        (((1, 0.0, 1.0), (2, 0.5, 1.5), (3, 0.9, 2.0)), 1.5),
        (((1, 0.0, 1.0), (1, 1.0, 2.0)), 0.5),
    ],
)
def test_gpus_held_at_once_are_read_from_the_stamps(spans, share):
    where = cell(RAY, 2, workload=named("queue", "gpu", gpus=1, gpus_per_task=0.5))
    made = run(planned([where], blocks=2), series(where, [2.5] * 2, tasks=stamps(spans), details=LOGICAL_GPU))

    sample = only(found(made, "gpu_share_at_once"))
    assert (sample.estimate.point, sample.note) == (share, "LOGICAL GPUs")


@pytest.mark.parametrize(
    ("retries", "counts", "status", "share"),
    [
        (3, {"errors": 0, "tries": 6}, Status.OK, 1.0),
        (3, {"errors": 0, "tries": 4}, Status.OK, 0.5),  # nothing was tried again
        (0, {"errors": 2, "tries": 4}, Status.OK, 1.0),
        (0, {"errors": 1, "tries": 4}, Status.OK, 0.5),  # one failure was lost
        (3, {"errors": 0, "tries": 6}, Status.FAILED, 0.5),
    ],
)
def test_planted_failures_must_all_come_back_or_be_made_good(retries, counts, status, share):
    where = cell(RAY, 2, workload=named("flaky", "faults", retries=retries))
    good = PlantedFailures(planted={"exception": 2}, errors=0 if retries else 2, tries=6 if retries else 4)
    lines = [
        measured(where, 0, 1.0, tasks=stamps(FOUR), details=Details(failures=good)),
        measured(where, 1, 1.0, tasks=stamps(FOUR), details=Details(failures=replace(good, **counts)), status=status),
    ]

    sample = only(found(run(planned([where], blocks=2), lines), "failures_handled"))
    assert (sample.estimate.point, sample.note) == (share, "planted: 2 x exception")


def test_one_fit_against_a_fit_of_fewer_trees_is_any_speedup_one_likes():
    """0.1, 0.2 and 0.4 s: the longest over the shortest is 4; of the three pairs only that one passes 2.1."""
    spans = ((60, 0.0, 0.2), (50, 0.2, 0.3), (100, 0.3, 0.7))
    fits = tuple(TaskStamp(index=i, started=a, ended=b, worker=1, steps=steps) for i, (steps, a, b) in enumerate(spans))
    where = cell(workload=TUNED)
    made = run(planned([where]), series(where, [0.7] * 10, tasks=fits))

    sample = only(found(made, "fit_ratio", at_least=2.1))
    assert sample.estimate.point == pytest.approx(4.0)
    assert sample.note.startswith("100 steps in 400 ms, 50 in 100 ms; 33.3 % of all pairs")


@pytest.mark.parametrize("power", [1.0, 1.5])
def test_growth_is_the_power_of_the_number_of_finished_tasks(power):
    ends = [k**power for k in range(1, 13)]
    tasks = tuple(TaskStamp(index=i, started=0.0, ended=end, worker=1) for i, end in enumerate(ends))
    made = run(planned([cell()]), series(cell(), [ends[-1]] * 6, tasks=tasks))

    assert points(found(made, "growth")) == [pytest.approx(power)]


def test_what_was_not_measured_has_no_number():
    """Planned cells without a line, and the loop alone: every quantity gives nothing rather than failing."""
    made = run(planned([cell(), PAIR, cell(SEQUENTIAL, workload=TUNED)]), [])
    given = {float: 1.0, str: "none", bool: False}

    for name, quantity in QUANTITIES.items():
        assert found(made, name, **{key: given.get(kind, ["none"]) for key, kind in quantity.wanted.items()}) == []
