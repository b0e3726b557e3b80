"""Distribute only where the whole interval says so, warm and cold, against the better of the two loops."""

from collections.abc import Mapping
from typing import Any

import pytest

from raybench.analysis.decision import Advice, decide
from raybench.model.estimate import Estimate, Row
from raybench.model.plan import Cell, Role, Spec, Tag

COLD_START = {"role": Role.COLD_START, "variant_of": "ray_tasks"}


def estimate(low: float, high: float) -> Estimate:
    return Estimate(point=(low + high) / 2, low=low, high=high, n=10)


def row(
    backend: str, cpus: int = 2, *, workload: str = "w", backend_is: Mapping[str, Any] | None = None, **ratios
) -> Row:
    cell = Cell(
        workload=Spec(name=workload, target="m:W"),
        backend=Spec(name=backend, target="m:B", **(backend_is or {})),
        workers=cpus,
    )
    reason = ratios.pop("reason", "")
    found = {name: estimate(*bounds) for name, bounds in ratios.items()}
    return Row(cell=cell, counts={"ok": 10}, n=0 if reason else 10, tasks=8, reason=reason, **found)


def only(*rows: Row, floor: float = 0.02, shortest=None):
    (decision,) = decide(rows, floor=floor, shortest=shortest or {})
    return decision


def test_a_gain_that_is_sure_warm_and_cold_says_distribute():
    decision = only(row("joblib", speedup=(1.8, 1.9), speedup_cold=(1.3, 1.4), gain=(1.4, 1.5)))
    assert decision.advice is Advice.DISTRIBUTE
    assert decision.warm == estimate(1.4, 1.5)
    assert decision.against == "the threaded baseline"
    assert decision.cold == estimate(1.3, 1.4)
    assert decision.why == ""


def test_an_interval_within_the_noise_floor_is_no_gain():
    close = row("joblib", speedup=(1.03, 1.2), speedup_cold=(1.03, 1.2))
    assert only(close, floor=0.02).advice is Advice.DISTRIBUTE
    assert only(close, floor=0.03).advice is Advice.UNDECIDED


def test_a_gain_that_start_up_eats_is_only_for_warm_workers():
    decision = only(row("ray_tasks", speedup=(1.8, 1.9), speedup_cold=(0.4, 0.5), gain=(1.4, 1.5)))
    assert decision.advice is Advice.WARM_ONLY
    assert "start-up" in decision.why


@pytest.mark.rule(4)
def test_the_loop_with_all_threads_is_the_honest_competitor():
    decision = only(row("ray_tasks", speedup=(1.8, 1.9), speedup_cold=(1.5, 1.6), gain=(0.8, 0.9)))
    assert decision.advice is Advice.DO_NOT
    assert decision.why == "the threaded baseline is at least as fast"


def test_without_a_loop_with_all_threads_the_table_says_so():
    decision = only(row("joblib", speedup=(1.8, 1.9), speedup_cold=(1.5, 1.6)))
    assert decision.advice is Advice.DISTRIBUTE
    assert "not compared with" in decision.why


def test_the_best_advice_wins_and_then_the_surest_gain():
    warm = row("ray_tasks", speedup=(2.5, 2.6), speedup_cold=(0.5, 0.6))
    worse = row("joblib", speedup=(1.8, 1.9), speedup_cold=(1.2, 1.3))
    better = row("joblib_b1", speedup=(1.7, 1.9), speedup_cold=(1.4, 1.5))
    assert only(warm, worse, better).row.cell.backend.name == "joblib_b1"


def test_equal_gains_take_the_fewer_cores():
    bounds = {"speedup": (1.8, 1.9), "speedup_cold": (1.4, 1.5)}
    assert only(row("joblib", 4, **bounds), row("joblib", 2, **bounds)).row.cell.cpus == 2


def test_a_cell_that_joined_a_shared_head_takes_its_cold_start_from_its_twin():
    shared = row("ray_tasks", speedup=(1.8, 1.9))
    twin = row("from_nothing", backend_is=COLD_START, speedup=(1.7, 1.8), speedup_cold=(1.2, 1.3))
    assert only(shared).advice is Advice.WARM_ONLY
    assert only(shared).why == "the cold start was not measured"
    decision = only(shared, twin)
    assert decision.advice is Advice.DISTRIBUTE
    assert decision.row.cell.backend.name == "ray_tasks"
    assert decision.cold == estimate(1.2, 1.3)


@pytest.mark.parametrize("backend_is", [{"tags": (Tag.SERIAL,)}, {"role": Role.CONTROL}, COLD_START])
def test_loops_controls_and_cold_twins_are_no_candidates(backend_is):
    decision = only(row("other", backend_is=backend_is, speedup=(1.8, 1.9), speedup_cold=(1.5, 1.6)))
    assert decision.advice is Advice.NO_DATA


def test_less_work_is_told_beside_and_is_never_the_gain():
    asha = row("ray_tune_asha", time_to_score=(2.4, 2.6))
    decision = only(asha)
    assert decision.advice is Advice.NO_DATA
    assert decision.warm is None
    assert decision.sooner == (asha,)


def test_what_failed_says_why():
    assert only(row("joblib", reason="6 x out\nof memory")).why == "6 x out\nof memory"


def test_the_shortest_task_is_that_of_the_chosen_backend_and_cores():
    chosen = row("joblib", speedup=(1.8, 1.9), speedup_cold=(1.5, 1.6))
    task = estimate(0.01, 0.02)
    decision = only(chosen, shortest={("joblib", 2): (task, "<"), ("joblib", 4): (estimate(1, 2), "")})
    assert (decision.shortest_task_s, decision.shortest_mark) == (task, "<")


def test_each_workload_has_its_line_in_order():
    bounds = {"speedup": (1.06, 1.2), "speedup_cold": (1.06, 1.2)}
    rows = [row("joblib", workload=name, **bounds) for name in ("b", "a", "c")]
    decided = decide(rows, floor=0.05, shortest={})
    assert [(d.workload, d.advice) for d in decided] == [(name, Advice.DISTRIBUTE) for name in ("b", "a", "c")]
