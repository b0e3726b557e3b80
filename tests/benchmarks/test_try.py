"""The benchmark of `raybench try`: its fit against errors of known spread, its table against numbers by hand."""

import importlib
import math
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from checkout import ROOT
from raybench.analysis import predictor
from raybench.analysis.held_out import LeftOut
from raybench.analysis.predictor import Parts, Spread
from raybench.model.serialize import decode

RECORD, TABLE = ROOT / "reports" / "try.json", ROOT / "reports" / "TRY.md"


@pytest.fixture(scope="module")
def tools() -> Any:
    """Import the benchmark's modules, whose folder has the name of a keyword."""
    sys.path.insert(0, str(ROOT / "benchmarks" / "try"))
    try:
        yield [importlib.import_module(name) for name in ("points", "fit", "table")]
    finally:
        sys.path.pop(0)


def points(module: ModuleType, spread: Spread, n: int) -> list[Any]:
    """Draw predictions whose errors have a known spread."""
    rng = np.random.default_rng(1)
    found = []
    for i in range(n):
        parts = Parts(overhead=(i % 4) / 3, lock=(i % 3) / 2)
        errors = rng.normal(size=2)
        sd = spread.sd(parts)
        found.append(
            module.Point(
                function=f"f{i % 12}",
                backend="joblib",
                cpus=1 + i % 2,
                predicted=1.0,
                blind=math.exp(-errors[1] * math.hypot(sd, spread.doubling) + errors[0] * sd),
                parts=parts,
                measured=math.exp(errors[0] * sd),
            )
        )
    return found


def test_a_known_spread_is_found_again_and_its_intervals_hold(tools: Any) -> None:
    module, fit, _ = tools
    true = Spread(model=0.05, overhead=0.4, lock=0.2, doubling=0.3)
    drawn = points(module, true, 2000)

    found = fit.fit_spread(drawn)

    assert found.model == pytest.approx(true.model, rel=0.25)
    assert found.overhead == pytest.approx(true.overhead, rel=0.25)
    assert found.doubling == pytest.approx(true.doubling, rel=0.35)
    errors = fit.judge(fit.held_out(drawn[:240], LeftOut.WORKLOAD), narrow=False)
    assert 0.85 <= errors.coverage <= 0.97


def test_what_is_left_out_takes_no_part_in_the_fit(tools: Any) -> None:
    module, fit, _ = tools
    drawn = points(module, Spread(model=0.05, overhead=0.4, lock=0.2, doubling=0.3), 48)

    seen = fit.held_out(drawn, LeftOut.WORKLOAD)
    rest = fit.fit_spread([point for point in drawn if point.function != "f0"])

    assert {spread for point, spread in seen if point.function == "f0"} == {rest}
    assert [point for point, _ in fit.held_out(drawn, LeftOut.CORES)] == [p.as_blind() for p in drawn if p.cpus == 2]


def outcome(module: ModuleType, *, use: str, seconds: dict[str, float], drawn: list[Any]) -> Any:
    ways = tuple(module.Way(backend=name, cpus=1 + (name != "sequential"), seconds=s) for name, s in seconds.items())
    return module.Outcome(
        function="f",
        task_s=0.01,
        count=100,
        use=use,
        cpus=1 + (use != "sequential"),
        sentence="",
        table_s=5.0,
        whole_s=30.0,
        ways=ways,
        points=tuple(drawn),
    )


def test_a_choice_is_judged_by_the_best_measured_way_with_its_start(tools: Any) -> None:
    module, _, table = tools
    seconds = {"sequential": 10.0, "joblib": 6.3, "ray_tasks": 6.0}

    good, near, far = (
        outcome(module, use=use, seconds=seconds, drawn=[]) for use in ("ray_tasks", "joblib", "sequential")
    )
    harm = outcome(module, use="joblib", seconds={"sequential": 6.0, "joblib": 6.4}, drawn=[])

    assert [table.loss(one) for one in (good, near, far)] == pytest.approx([0.0, 0.05, 4 / 6])
    assert [table.harmful(one) for one in (good, near, far, harm)] == [False, False, False, True]
    unmeasured = outcome(module, use="joblib_threads", seconds=seconds, drawn=[])
    assert table.loss(unmeasured) == math.inf
    assert table.harmful(unmeasured)


def test_the_table_counts_what_it_shows(tools: Any) -> None:
    module, fit, table = tools
    drawn = points(module, Spread(model=0.05, overhead=0.4, lock=0.2, doubling=0.3), 36)
    seconds = {"sequential": 10.0, "joblib": 6.0}
    outcomes = (
        outcome(module, use="joblib", seconds=seconds, drawn=drawn[:20]),
        outcome(module, use="sequential", seconds=seconds, drawn=drawn[20:]),
    )
    text = table.text(module.Record(machine="made", cpus=2, began="today", outcomes=outcomes))

    held = sum(fit.covers(point, spread) for point, spread in fit.held_out(drawn, LeftOut.WORKLOAD))
    assert "| chosen within 5 % of the best measured | 1 of 2 | 11 of 12 |" in text
    assert f"| 90 % intervals that hold | {held} of 36 " in text
    assert "| slowest first table | 5 s | 10 s |" in text


@pytest.mark.skipif(not TABLE.is_file(), reason="nothing was recorded yet")
def test_the_committed_table_and_fit_follow_from_the_committed_record(tools: Any) -> None:
    module, fit, table = tools
    record = decode(module.Record, RECORD.read_bytes())

    assert TABLE.read_text(encoding="utf-8") == table.text(record)
    assert predictor.fitted() == fit.fit(record.points)
