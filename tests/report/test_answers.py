"""Each sentence says what the numbers say: read back by its digits, and never more than the interval allows."""

import re
from dataclasses import replace

import pytest

from raybench.analysis.analyze import analyse
from raybench.analysis.decision import Advice
from raybench.analysis.results import ClaimLine
from raybench.analysis.rule import side
from raybench.analysis.tuning import deltas
from raybench.model.estimate import Estimate, VerdictKind
from raybench.model.measurement import Quality
from raybench.model.serialize import to_json
from raybench.report import build, recorded, texts
from raybench.report.answers import answers, main_lines
from raybench.system.host_state import HostState
from report import made_run

NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def numbers(text: str) -> list[float]:
    return [float(found) for found in NUMBER.findall(text)]


def estimate(low: float, high: float, point: float | None = None, n: int = 6) -> Estimate:
    return Estimate(point=(low + high) / 2 if point is None else point, low=low, high=high, n=n)


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """Analyse the made run; beside it two claims and a quality pass whose tuned error is 10 % lower."""
    reports = tmp_path_factory.mktemp("answers") / "reports"
    found = analyse(build.read(made_run.write(reports), reports))
    keys = tuple(row.cell.key for row in found.rows if row.cell.backend.name in ("joblib", "ray_tasks"))
    claim = {"source": "S3", "statement": "s", "band": "b"}
    pairs = [
        Quality(workload="friedman", variant="tuned", pair=pair, metric="rmse", baseline="b", baseline_test=2.0,
                tuned_validation=1.7, tuned_test=1.8 + 0.01 * (pair % 3 - 1))
        for pair in range(12)
    ]  # fmt: skip
    lines = (
        ClaimLine(id="C13", verdict=VerdictKind.REFUTED, value=estimate(0.9, 0.99), cells=keys, **claim),
        ClaimLine(id="C17", verdict=VerdictKind.REFUTED, value=estimate(12.0, 14.0), unit="s", **claim),
        ClaimLine(id="C08", verdict=VerdictKind.UNTESTABLE, note="needs MLflow", **claim),
    )
    return replace(found, claims=lines, deltas=tuple(deltas(pairs)), documented={"friedman": 0.15})


def said(findings, start: str) -> str:
    (found,) = [one for one in answers(findings) if one.startswith(start)]
    return found


def test_the_counts_of_gains_are_those_of_the_decisions(findings):
    warm, workloads, cores, cold = numbers(said(findings, "Distributing pays"))[:4]
    advice = [line.advice for line in main_lines(findings)]
    assert workloads == len(advice)
    assert cores == 2
    assert warm == sum(one in (Advice.DISTRIBUTE, Advice.WARM_ONLY) for one in advice) == 1
    assert cold == advice.count(Advice.DISTRIBUTE)


def test_start_up_and_break_even_are_the_measured_seconds(findings):
    text = said(findings, "Starting from nothing")
    assert f"joblib {1000 * made_run.START_UP['joblib']:.0f} ms" in text
    assert f"ray_tasks {made_run.START_UP['ray_tasks']:.2f} s" in text
    assert numbers(text.partition("takes longer than ")[2]) == [13.0, 12.0, 14.0, 6.0]


def test_the_shortest_task_is_the_metg_at_seventy_percent(findings):
    (curve,) = [curve for curve in findings.curves if curve.metg]
    (found,) = [one for one in curve.metg if one.level == 0.7]
    level, cores, length, low, high, n = numbers(said(findings, "To keep"))
    assert (level, cores, n) == (70, 2, 6)
    assert length == pytest.approx(1000 * found.work.point, rel=0.005)
    assert low <= 1000 * found.work.low
    assert high >= 1000 * found.work.high


def test_early_stopping_is_never_called_a_speedup(findings):
    text = said(findings, "Early stopping")
    (row,) = [row for row in findings.rows if row.time_to_score is not None]
    assert f"{100 * row.work_ratio:.0f} % of the training steps" in text
    assert f"({row.time_to_score.point:.2f}x [" in text
    assert "not a like-for-like speedup" in text
    assert "sooner" in text


def test_tuning_stands_beside_its_documented_figure(findings):
    gain, low, high, n, documented = numbers(said(findings, "Tuning lowers the test error of friedman"))
    assert gain == pytest.approx(10.0, abs=0.1)
    assert low <= gain <= high
    assert (n, documented) == (12, 15)


def test_the_rule_counts_each_cell_of_its_claim_once(findings):
    found = numbers(said(findings, "The rule of"))
    (claim,) = [line for line in findings.claims if line.id == "C13"]
    rows = [row for row in findings.rows if row.cell.key in claim.cells and row.efficiency and row.cell.cpus > 1]
    assert found[:3] == [0.7, 0.8, len(rows)]
    assert sum(found[3:]) == len(rows)
    assert found[5] == sum(row.efficiency.low > 0.8 for row in rows)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.5, 0.69, "below"),
        (0.7, 0.8, "inside"),
        (0.81, 0.9, "above"),
        (0.69, 0.75, "undecided"),
        (0.6, 0.9, "undecided"),
    ],
)
def test_a_side_needs_the_whole_interval(low, high, expected):
    assert side(estimate(low, high)) == expected


def test_claims_are_counted_by_verdict(findings):
    assert said(findings, "Of 3 ") == "Of 3 documented claims: 2 refuted and 1 not tested by this study."


@pytest.mark.parametrize(
    ("low", "high", "word"), [(1.1, 1.2, "sooner by"), (0.8, 0.9, "later"), (0.9, 1.1, "neither sooner nor later")]
)
def test_early_stopping_says_no_more_than_its_interval(low, high, word):
    assert word in texts.early_stopping("w", "asha", estimate(low, high), 0.3)


@pytest.mark.parametrize(
    ("low", "high", "word"), [(0.01, 0.02, "lowers"), (-0.02, -0.01, "raises"), (-0.01, 0.01, "does not measurably")]
)
def test_tuning_says_no_more_than_its_interval(low, high, word):
    assert word in texts.tuning("w", estimate(low, high), None)


def test_an_empty_run_gives_no_answer(tmp_path):
    folder = made_run.write(tmp_path / "reports", keep=slice(0, 0))
    assert answers(analyse(build.read(folder, tmp_path / "reports"))) == ()


def test_a_source_names_its_claims_as_ranges():
    told = texts.source("S3", "a guide", ["C13", "C14", "C15", "C34", "MINE1"])
    assert told == "S3: a guide. Its sentences: C13 to C15, C34 and MINE1, each with its test in conf/claim."
    assert texts.source("S4", "a project", []) == "S4: a project."


def test_the_host_s_state_stands_in_the_status_where_it_was_probed(tmp_path, findings):
    """As `execution.run_folder` records it: the fields of a `HostState`."""
    reports = tmp_path / "reports"
    run = build.read(made_run.write(reports), reports)
    state = HostState(
        speed=900.0, spread=0.042, step=0.03, correlation=None, asymmetry=0.01, slowdown=0.0, cores=(0, 1)
    )
    facts = {**run.environment.facts, "host_state": to_json(state)}
    probed = replace(run, environment=replace(run.environment, facts=facts))
    assert ", core speed varied by 4.2 % within seconds, measured " in recorded.status(probed, findings)
    assert "core speed" not in recorded.status(run, findings)
