"""Where a run's wall time went, what disturbed rounds change, and for how long a study would have to go on."""

import math

import numpy as np
import pytest

from made_study import POOL, SEQUENTIAL, cell, measured, planned, series
from raybench.analysis import speedup
from raybench.analysis.dataset import Dataset
from raybench.analysis.needs import needed, stops_short
from raybench.analysis.timing import sensitivity, timed_share
from raybench.model.measurement import Disturbance, Sample
from raybench.model.plan import Cell, Tag

PAIR = cell(POOL, 2)
LOOP = cell(SEQUENTIAL)
LOUD = Disturbance(reason="others used 30 % of the CPU")


def sample(where: Cell, block: int, number: int, seconds: float, **changes: object) -> Sample:
    return Sample(
        cell=where.key, block=block, replica=1, attempt=1, round=number, place=number, seconds=seconds, **changes
    )


def test_the_timed_share_is_makespans_and_the_rest_of_cold_times_over_the_wall_time() -> None:
    """Spawned at 10 s, 3 s of start-up and imports, a first sample of 2 s, then two more, each of two sets of 1 s."""
    line = measured(LOOP, 0, 2.0, began=10.0, phases={"imports": 1.0, "start_up": 2.0})
    samples = [
        sample(LOOP, 0, 0, 2.0, began=13.0),
        *(sample(LOOP, 0, i, 1.0, loops=2, began=14.0 + 2 * i) for i in (1, 2)),
    ]

    found = timed_share([line], samples)
    assert (found.wall_s, found.makespans_s, found.timed_s) == (20.0, 6.0, 9.0)
    alone = timed_share([line], [])
    assert (alone.makespans_s, alone.timed_s) == (2.0, 5.0)
    assert timed_share([], []) is None


def test_disturbed_rounds_are_left_out_and_what_they_would_change_is_told() -> None:
    """Four blocks of three rounds: twice as fast, but three times as fast in the one round that was disturbed."""
    lines, samples = [], []
    for block in range(4):
        lines += [measured(LOOP, block, 2.0), measured(PAIR, block, 1.0)]
        samples += [sample(LOOP, block, number, 2.0) for number in range(4)]
        samples += [sample(PAIR, block, number, 1.0) for number in range(2)]
        samples.append(sample(PAIR, block, 2, 2 / 3, disturbance=LOUD))
    plan = planned([LOOP, PAIR], blocks=4)

    found = sensitivity(Dataset(plan, lines, samples), lines, samples)
    assert (found.disturbed, found.samples, found.cells) == (4, 28, 1)
    assert found.change == pytest.approx(1.5 ** (1 / 3) - 1)
    assert found.most == pytest.approx(found.change)
    assert sensitivity(Dataset(plan, lines), lines, ()) is None


def test_an_interval_twice_as_wide_as_asked_needs_four_times_the_blocks() -> None:
    noise = 0.1 * np.array([-1.0, 1.0, -1.0, 1.0, 0.0, 0.0])
    lines = []
    for block, (base, seconds) in enumerate(zip([2.0] * 6, np.exp(noise), strict=True)):
        lines += [
            measured(LOOP, block, base, began=60.0 * block),
            measured(PAIR, block, float(seconds), began=60.0 * block + 30),
        ]
    data = Dataset(planned([LOOP, PAIR], blocks=10), lines)
    rows = speedup.rows(data)
    half = math.log(rows[1].speedup.high / rows[1].speedup.low) / 2

    found = needed(data, rows)
    blocks = math.ceil(6 * (half / 0.05) ** 2 - 6)
    assert found.minutes == pytest.approx(blocks * (330 + math.exp(noise[-1])) / 6 / 60)
    assert (found.narrow, found.cells, found.predicted) == (0, 1, False)
    assert stops_short(data)


def test_before_there_are_intervals_the_host_s_state_tells() -> None:
    lines = [measured(LOOP, 0, 2.0, began=0.0), measured(PAIR, 0, 1.0, began=59.0)]
    data = Dataset(planned([LOOP, PAIR], blocks=3), lines)
    rows = speedup.rows(data)

    quiet, restless = (needed(data, rows, facts={"host_state": {"step": step}}) for step in (0.005, 0.1))
    assert quiet.predicted
    assert 1 <= quiet.minutes < restless.minutes
    assert needed(data, rows) is None


def test_nothing_is_needed_where_every_interval_is_narrow() -> None:
    lines = series(LOOP, [2.0] * 6) + series(PAIR, [1.0, 1.001] * 3)
    data = Dataset(planned([LOOP, PAIR], blocks=6), lines)
    assert needed(data, speedup.rows(data)) is None
    assert not stops_short(data)
    assert Tag.SERIAL in LOOP.backend.tags
