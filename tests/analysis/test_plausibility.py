"""Lies of a backend: its row keeps the numbers, no claim and no decision is drawn from them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from made_claims import run
from made_study import POOL, cell, measured, planned, series, stamps
from raybench.analysis.analyze import analyse
from raybench.analysis.decision import Advice, decide
from raybench.claims.claim import Claim, Part
from raybench.claims.judge import verdicts
from raybench.model.estimate import Row, VerdictKind
from raybench.model.measurement import Measurement, Sample, SweepTiming
from raybench.model.plan import Cell

BASE, PAIR = cell(), cell(POOL, 2)
LOOP = stamps([(1, 0.0, 4.0), (1, 4.0, 8.0)])
SHARED = stamps([(1, 0.0, 4.0), (2, 0.0, 4.0)])
HONEST: dict[str, Any] = {
    "tasks": SHARED, "cpu_makespan_s": 8.0, "answers_hash": "a", "tasks_hash": "t", "scores": {"rmse": 1.0},
}  # fmt: skip
LIES = {
    "answers cached from an earlier run": ({"cpu_makespan_s": 0.1}, 4.1, "only 0.01 of the baseline's CPU time"),
    "work done before the makespan": ({}, 0.005, "times as fast per worker as the baseline"),
    "other answers": ({"answers_hash": "b"}, 4.1, "answers differ"),
    "other tasks": ({"tasks_hash": "u"}, 4.1, "tasks differ"),
    "other scores": ({"scores": {"rmse": 0.9}}, 4.1, "scores differ"),
    "stamps that overlap": ({"tasks": stamps([(1, 0, 4), (1, 0, 4), (2, 0, 4)])}, 4.1, "other above 5 %"),
}


def rows_of(lines: Sequence[Measurement], *cells: Cell) -> tuple[Row, ...]:
    return analyse(run(planned(cells), lines)).rows


def lines_of(seconds: float, where: Cell = PAIR, **lie: Any) -> list[Measurement]:
    loop = series(BASE, [8.0] * 10, **{**HONEST, "tasks": LOOP})
    return loop + series(where, [seconds] * 10, **{**HONEST, **lie})


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_keeps_its_row_and_decides_nothing(lie: str) -> None:
    changes, seconds, why = LIES[lie]
    made = run(planned([BASE, PAIR]), lines_of(seconds, **changes))
    findings = analyse(made)
    faster = Claim(id="C99", source="made", statement="faster", parts=(Part(quantity="speedup", low=1.1),))

    row = findings.rows[1]
    (claim,) = verdicts(made, findings, [faster])
    (decision,) = decide(findings.rows, floor=0.0, shortest={})

    assert any(why in doubt for doubt in row.doubts), row.doubts
    assert row.speedup is not None and row.speedup.point == pytest.approx(8 / seconds)
    assert row.band is VerdictKind.INCONCLUSIVE
    assert claim.verdict is VerdictKind.INCONCLUSIVE
    assert "not believed" in claim.note
    assert (decision.advice, decision.row) == (Advice.UNDECIDED, None)
    assert why in decision.why


def test_an_honest_gain_is_believed() -> None:
    assert [row.doubts for row in rows_of(lines_of(4.1), BASE, PAIR)] == [(), ()]


def test_a_believed_backend_is_recommended_beside_one_that_lies() -> None:
    liar = cell(POOL, 4)
    lines = lines_of(4.1) + series(liar, [0.001] * 10, **HONEST)
    (decision,) = decide(rows_of(lines, BASE, PAIR, liar), floor=0.0, shortest={})

    assert decision.row is not None and decision.row.cell == PAIR
    assert "not believed" in decision.why


def test_more_workers_than_cores_may_be_busy_for_more_than_all_core_seconds() -> None:
    """Eight workers that wait on two cores: their seconds add up to four times the core-seconds."""
    waiting = cell(POOL, 8, granted=2, oversubscribed=True)
    spans = stamps([(worker, 0.0, 1.0) for worker in range(8)])
    lines = series(BASE, [8.0] * 10, tasks=stamps([(1, i, i + 1.0) for i in range(8)]))
    lines += series(waiting, [1.05] * 10, tasks=spans)

    assert rows_of(lines, BASE, waiting)[1].doubts == ()


def test_less_cpu_time_for_less_work_is_no_doubt() -> None:
    lines = lines_of(2.0, steps_asked=100, steps_done=20, cpu_makespan_s=1.6)
    assert rows_of(lines, BASE, PAIR)[1].doubts == ()


def test_a_sweep_faster_than_the_machine_is_not_believed() -> None:
    works = [1_000, 500]

    def sweep(workers: int, unit_s: float) -> tuple[SweepTiming, ...]:
        return tuple(
            SweepTiming(work=w, tasks=10, wall_s=10 * w * unit_s, busy_s=10 * w * unit_s, workers=workers)
            for w in works
        )

    lines = [measured(BASE, b, 1.0, sweep=sweep(1, 1e-3)) for b in range(10)]
    lines += [measured(PAIR, b, 1.0, sweep=sweep(2, 1e-4)) for b in range(10)]

    assert rows_of(lines, BASE, PAIR)[1].doubts == ("timed wrongly",)


def samples_of(lines: Sequence[Measurement], cpu_s: Sequence[float]) -> tuple[Sample, ...]:
    """Give each process a series of samples of its own makespan with these CPU seconds."""
    return tuple(
        Sample(
            cell=m.cell, block=m.block, replica=m.replica, attempt=m.attempt, round=n, place=n,
            seconds=m.phases.makespan, cpu_s=used,
        )
        for m in lines
        for n, used in enumerate(cpu_s)
    )  # fmt: skip


def test_a_process_that_remembers_its_answers_is_not_believed() -> None:
    lines = lines_of(4.1)
    loop, pool = lines[:10], lines[10:]
    honest = samples_of(loop, [8.0, 8.0, 8.0, 8.0])

    def doubts(cpu_s: Sequence[float]) -> tuple[str, ...]:
        made = run(planned([BASE, PAIR]), lines)
        return analyse(replace(made, samples=honest + samples_of(pool, cpu_s))).rows[1].doubts

    assert doubts([8.0, 7.9, 8.1]) == ()
    assert any("remembers answers" in doubt for doubt in doubts([8.0, 0.1, 0.1]))
