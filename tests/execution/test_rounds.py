"""How many rounds a group gets, from what earlier blocks of its cells showed."""

import math

from made_study import POOL, cell, measured
from raybench.execution.rounds import FIRST, choose_rounds
from raybench.model.measurement import Measurement, Sample
from raybench.model.plan import Job

BASE, POOL2 = cell(), cell(POOL, 2)
WITHIN = (0.05, -0.05)  # of log seconds, in the two rounds of a group


def run_so_far(between: float) -> tuple[list[Job], list[Measurement], list[Sample]]:
    """Two blocks of a baseline and a pool; the pool's log ratio differs by `between` from block to block."""
    lines = [measured(cell, block, 1.0) for cell in (BASE, POOL2) for block in (0, 1)]
    samples = [
        Sample(
            cell=line.cell, block=line.block, replica=1, attempt=1, round=number, place=number,
            seconds=math.exp((WITHIN[number % 2] + between * line.block) * (line.cell == POOL2.key)),
        )
        for line in lines
        for number in range(3 if line.cell == BASE.key else 2)
    ]  # fmt: skip
    jobs = [Job(cell=cell, block=2, order=0, seed=1) for cell in (BASE, POOL2)]
    return jobs, lines, samples


def test_the_first_two_blocks_have_two_rounds() -> None:
    assert choose_rounds([Job(cell=BASE, block=1, order=0, seed=1)], [], []) == FIRST


def test_noise_within_groups_asks_for_more_rounds_and_noise_between_them_for_fewer() -> None:
    assert choose_rounds(*run_so_far(0.0)).count == 4
    assert choose_rounds(*run_so_far(1.0)).count == 1


def test_further_rounds_are_taken_only_where_the_budget_has_room() -> None:
    found = choose_rounds(*run_so_far(0.0), spare_s=-10.0)
    assert found.count == FIRST.count
    assert "budget" in found.reason
    assert choose_rounds(*run_so_far(0.0), spare_s=1e6).count == 4
