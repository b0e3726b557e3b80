"""Each rule of validity, broken on purpose: the measurement gives no number, and the reason says why."""

from dataclasses import replace

import pytest

from made_emulation import BLOCKS, LONG_LEASE, anchored, logical, sample, waited
from made_study import cell, measured, stamps
from raybench.analysis.dataset import CellData, Dataset
from raybench.model.measurement import Burst, Details, TaskStamp
from raybench.model.plan import Requires, Spec, Tag

EIGHT = logical()
WAITS = [0.5] * 16


def found(*lines, ratio: float = 1.01, disturbance: dict[str, float] | None = None) -> CellData:
    plan, measurements = anchored(lines, [EIGHT], ratio=ratio)
    samples = [sample(m, **(disturbance or {})) for m in measurements]
    return next(of for of in Dataset(plan, measurements, samples).cells if of.cell == EIGHT)


def good(block: int, **changes):
    return waited(EIGHT, block, WAITS, **changes)


def three(**changes):
    return [good(block, **changes) for block in range(BLOCKS)]


def test_a_cell_that_keeps_every_rule_is_valid():
    of = found(*three())

    assert len(of.good) == BLOCKS
    assert of.reason() == ""


def remade(**changes):
    return [replace(m, details=replace(m.details, **changes)) for m in three()]


def without_first(m):
    return replace(m, tasks=m.tasks[1:], details=replace(m.details, waits_s=m.details.waits_s[1:]))


def failed(m):
    last = m.tasks[-1]
    wrong = TaskStamp(index=last.index, started=last.started, ended=last.ended, worker=last.worker, error="lost")
    return replace(m, tasks=(*m.tasks[:-1], wrong))


BROKEN = {
    "its own CPU share is 0.60": [replace(m, cpu_makespan_s=1.2 * m.phases.makespan) for m in three()],
    "its own CPU time is not known": three(cpu_makespan_s=None),
    "allowed is half of the 20": remade(burst=Burst(tasks=10, seconds=0.5)),
    "the rate that this machine manages was not measured": remade(burst=None),
    "waits end up to 30 ms late": three(late_s=0.03),
    "the lengths of its waits are not known": remade(waits_s=()),
    "2 of 8 workers were seen": [
        replace(m, tasks=stamps([(i % 2, t.started, t.ended) for i, t in enumerate(m.tasks)])) for m in three()
    ],
    "results are not one per task": list(map(without_first, three())),
    "1 tasks failed": list(map(failed, three())),
}


@pytest.mark.parametrize("said", BROKEN)
def test_a_broken_rule_leaves_no_number_and_is_named(said):
    of = found(*BROKEN[said])

    assert not of.good
    assert of.counts() == {"invalid": BLOCKS}
    assert said in of.reason()


def test_background_load_above_its_limit_leaves_no_number():
    assert "background load took 40%" in found(*three(), disturbance={"background_during": 0.4}).reason()
    assert found(*three(), disturbance={"background_during": 0.3}).good


@pytest.mark.parametrize("ratio", [0.93, 1.08])
def test_an_anchor_beyond_5_percent_leaves_no_number_in_its_block(ratio):
    of = found(*three(), ratio=ratio)

    assert not of.good
    assert "anchor of this block off" in of.reason()


def test_on_a_contended_host_the_anchor_holds_over_all_blocks_together():
    plan, lines = anchored(three(), [EIGHT])
    slow = [
        replace(m, phases=replace(m.phases, makespan=m.phases.makespan * 1.09))
        if m.block == 0 and m.cell == logical_anchor(plan).key
        else m
        for m in lines
    ]
    for steal, valid in ((0.0, 0), (0.05, BLOCKS)):
        data = Dataset(plan, slow, [sample(m, steal=steal) for m in slow])
        assert len(next(of for of in data.cells if of.cell == EIGHT).good) == valid


def logical_anchor(plan):
    return next(c for c in plan.cells if c.emulated and c.cpus == 2)


def test_without_an_anchor_in_its_block_a_replay_is_invalid():
    plan, lines = anchored(three(), [EIGHT])
    anchor = logical_anchor(plan)
    data = Dataset(plan, [m for m in lines if m.cell != anchor.key])

    assert "no anchor in this block" in next(of for of in data.cells if of.cell == EIGHT).reason()


def test_one_broken_block_of_four_is_left_out_and_of_three_leaves_no_number():
    late = good(3, late_s=0.03)
    plan, lines = anchored([*three(), late], [EIGHT])
    extra = [replace(m, block=3) for m in lines if m.block == 0 and m.cell != EIGHT.key]
    of_four = next(of for of in Dataset(plan, [*lines, *extra]).cells if of.cell == EIGHT)
    assert len(of_four.good) == BLOCKS
    assert "late" in of_four.reason()

    of_three = found(*three()[:2], good(2, late_s=0.03))
    assert not of_three.good


def test_real_waiting_on_logical_cpus_needs_no_anchor_and_cells_on_cores_no_rule():
    io = Spec(name="io", target="x:Io", tags=(Tag.IO, Tag.WAITS))
    where = cell(LONG_LEASE, 8, workload=io, real=2)
    lines = [replace(waited(where, b, WAITS), details=Details()) for b in range(BLOCKS)]
    real = cell(LONG_LEASE, 2, workload=Spec(name="w", target="x:W", requires=Requires()))
    lines += [measured(real, b, 1.0) for b in range(BLOCKS)]
    plan, measurements = anchored(lines, [where, real], ratio=1.5)

    data = {of.key: of for of in Dataset(plan, measurements).cells}
    assert len(data[where.key].good) == len(data[real.key].good) == BLOCKS
