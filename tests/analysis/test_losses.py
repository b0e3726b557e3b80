"""Lost core-seconds: hand-made timelines whose terms can be counted on fingers."""

import numpy as np
import pytest
from msgspec import structs

from made_study import ASHA, POOL, SHARED_HEAD, cell, measured, noisy, planned, series, stamps
from raybench.analysis.dataset import Dataset
from raybench.analysis.losses import PARTS, accounts, graham_low, lost, useful_seconds
from raybench.model.measurement import Phases
from raybench.model.stats import Resampler

BASE, POOL2 = cell(), cell(POOL, 2)
DRAWS = Resampler(resamples=499)
LOOP = stamps([(1, 0.0, 1.0), (1, 1.0, 2.0), (1, 2.0, 3.0), (1, 3.0, 4.0)])  # four tasks of 1 s
# worker 1 waits 0.25, works 1.2, waits 0.05, works 1.0 until 2.5; worker 2 waits 0.25, works 1.0 and 0.75 until 2.0
SHARED = stamps([(1, 0.25, 1.45), (2, 0.25, 1.25), (2, 1.25, 2.0), (1, 1.5, 2.5)])


def test_terms_are_those_counted_by_hand_and_add_up() -> None:
    """P x T = 2 x 2.75. Busy 3.95 against 4.0 alone; dispatch 0.25 + 0.25 + 0.05 + 2 x 0.25; tail 0.5."""
    found = lost(POOL2, measured(POOL2, 0, 2.75, tasks=SHARED), measured(BASE, 0, 4.0, tasks=LOOP))
    assert found.total == pytest.approx(5.5)
    assert found.useful == pytest.approx(4.0)
    assert found.inflation == pytest.approx(-0.05)
    assert found.dispatch == pytest.approx(1.05)
    assert found.idle_tail == pytest.approx(0.5)
    assert found.other == pytest.approx(0.0, abs=1e-12)
    assert sum(getattr(found, part) for part in PARTS) == pytest.approx(found.total, abs=1e-12)


def test_cold_identity_adds_start_up_and_shutdown_of_all_cores() -> None:
    """Start-up 0.1 + 0.2 + 1.0 + 0.5 and shutdown 0.3 on each of 2 cores."""
    phases = {"interpreter": 0.1, "imports": 0.2, "start_up": 1.0, "warm_up": 0.5, "shutdown": 0.3, "data": 9.0}
    m = measured(POOL2, 0, 2.75, tasks=SHARED, phases=phases)
    found = lost(POOL2, m, measured(BASE, 0, 4.0, tasks=LOOP), inclusive=True)
    assert found.start_up == pytest.approx(3.6)
    assert found.shutdown == pytest.approx(0.6)
    assert found.total == pytest.approx(2 * m.phases.cold)
    assert found.other == pytest.approx(0.0, abs=1e-12)


def test_a_worker_that_never_got_a_task_is_idle() -> None:
    """One of four workers has a task of 1 s, then the driver takes 0.5 s: 3 x 1 idle, 4 x 0.5 collecting."""
    four = cell(POOL, 4)
    one = stamps([(1, 0.0, 1.0)])
    found = lost(four, measured(four, 0, 1.5, tasks=one), measured(BASE, 0, 1.0, tasks=one))
    assert (found.idle_tail, found.dispatch, found.other) == (pytest.approx(3), pytest.approx(2), pytest.approx(0))


def test_a_process_that_replaced_another_takes_its_place() -> None:
    """Three processes on two workers, one after the other: nothing is left unexplained."""
    tasks = stamps([(1, 0.0, 1.0), (2, 0.0, 2.0), (3, 1.2, 2.0)])
    found = lost(POOL2, measured(POOL2, 0, 2.0, tasks=tasks), measured(BASE, 0, 3.0, tasks=tasks))
    assert found.dispatch == pytest.approx(0.2)
    assert found.other == pytest.approx(0.0, abs=1e-12)


def test_more_tasks_at_once_than_workers_shows_as_other() -> None:
    """Two stamps of 2 s overlap on one core of 2 s: 2 core-seconds too many."""
    tasks = stamps([(1, 0.0, 2.0), (1, 0.0, 2.0)])
    one = cell(POOL, 1)
    found = lost(one, measured(one, 0, 2.0, tasks=tasks), measured(BASE, 0, 4.0, tasks=tasks))
    assert found.other == pytest.approx(-2.0)


def test_threads_of_a_task_hold_their_cores() -> None:
    """Two threads finish each task in 0.6 s instead of 1: busy 2 x 2.4, useful 4, inflation 0.8."""
    pair = cell(POOL, 2, workers=1, cpus_per_task=2)
    tasks = stamps([(1, 0.6 * i, 0.6 * (i + 1)) for i in range(4)])
    found = lost(pair, measured(pair, 0, 2.4, tasks=tasks), measured(BASE, 0, 4.0, tasks=LOOP))
    assert (found.useful, found.inflation) == (pytest.approx(4), pytest.approx(0.8))
    assert found.other == pytest.approx(0, abs=1e-12)


def test_work_stopped_early_is_useful_as_far_as_it_went() -> None:
    """The loop was at 50 of 100 steps after 0.4 s; at 25 steps, by interpolation, after 0.2 s."""
    alone = structs.replace(stamps([(1, 1.0, 2.0)], steps=100)[0], points=((50, None, 1.4), (100, None, 2.0)))
    stopped = structs.replace(alone, steps=50)
    assert useful_seconds([stopped], [alone]) == pytest.approx(0.4)
    assert useful_seconds([structs.replace(alone, steps=25)], [alone]) == pytest.approx(0.2)
    assert useful_seconds([alone], [alone]) == pytest.approx(1.0)


@pytest.mark.rule(27)
def test_shares_of_a_cell_add_up_to_one_and_efficiency_is_the_useful_share() -> None:
    rng = np.random.default_rng(0)
    data = series(BASE, np.full(10, 4.0), tasks=LOOP)
    data += [measured(POOL2, b, 2.75 + 0.1 * rng.random(), tasks=SHARED) for b in range(10)]
    (loop, pool) = accounts(Dataset(planned([BASE, POOL2]), data), DRAWS)
    assert sum(e.point for e in pool.warm.values()) == pytest.approx(1.0)
    assert loop.warm["useful"].point == pytest.approx(1.0)
    assert pool.warm["useful"].low < pool.warm["useful"].point < pool.warm["useful"].high
    assert pool.flags == ()
    assert pool.n == 10


@pytest.mark.rule(27)
def test_more_than_5_percent_unexplained_is_flagged() -> None:
    tasks = stamps([(1, 0.0, 2.0), (1, 0.0, 2.0), (2, 0.0, 2.0)])
    data = series(BASE, np.full(6, 6.0), tasks=stamps([(1, 2.0 * i, 2.0 * i + 2) for i in range(3)]))
    data += series(POOL2, np.full(6, 2.0), tasks=tasks)
    assert accounts(Dataset(planned([BASE, POOL2], blocks=6), data), DRAWS)[1].flags == ("other above 5 %",)


@pytest.mark.rule(28)
def test_pop_metrics_multiply_to_the_useful_share() -> None:
    """Busy 2.2 and 1.75 s in 2.75 s: LB = 1.975 / 2.2, CommE = 2.2 / 2.75, CompScal = 4 / 3.95, GE = 4 / 5.5."""
    data = series(BASE, np.full(6, 4.0), tasks=LOOP) + series(POOL2, np.full(6, 2.75), tasks=SHARED)
    pop = accounts(Dataset(planned([BASE, POOL2], blocks=6), data), DRAWS)[1].pop
    assert pop.balance == pytest.approx(1.975 / 2.2)
    assert pop.communication == pytest.approx(0.8)
    assert pop.computation == pytest.approx(4 / 3.95)
    assert pop.total == pytest.approx(4 / 5.5)


@pytest.mark.rule(31)
def test_no_schedule_is_shorter_than_its_share_or_its_longest_task() -> None:
    """Tasks 3, 3, 2, 2, 2 on two workers: 6; a task of 5 is no shorter on four workers."""
    assert graham_low([3, 3, 2, 2, 2], 2) == 6
    assert graham_low([5, 1], 4) == 5


def test_a_shared_head_leaves_the_cold_identity_out() -> None:
    data = series(BASE, np.full(6, 4.0), tasks=LOOP)
    data += series(POOL2, np.full(6, 2.75), tasks=SHARED, head=SHARED_HEAD)
    loop, pool = accounts(Dataset(planned([BASE, POOL2], blocks=6), data), DRAWS)
    assert pool.cold == {}
    assert sum(e.point for e in loop.cold.values()) == pytest.approx(1.0)


def test_cells_without_stamps_or_loop_have_no_account() -> None:
    data = series(POOL2, noisy(2.0, 6, seed=0), tasks=SHARED)
    assert accounts(Dataset(planned([POOL2], blocks=6), data), DRAWS) == []
    data += series(BASE, np.full(6, 4.0))
    assert accounts(Dataset(planned([BASE, POOL2, cell(ASHA, 4)], blocks=6), data), DRAWS) == []


@pytest.mark.rule("HB10")
def test_phases_are_those_of_the_model() -> None:
    """The cold identity relies on what `Phases.cold` adds up; a new phase would need a term."""
    phases = Phases(interpreter=1, imports=2, data=100, start_up=4, warm_up=8, makespan=16, shutdown=32, check=100)
    assert phases.cold == 63
