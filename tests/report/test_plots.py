"""Figures: right numbers, the same bytes, captions that name n, interval and base, no text from data as mathematics."""

import math
import re
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from made_claims import RAY, loop_and
from made_study import POOL, cell
from raybench.analysis.analyze import analyse
from raybench.claims.judge import judge
from raybench.model.measurement import Quality
from raybench.report import build
from raybench.report.charts import WRITERS
from raybench.report.plots import PLOTS, efficiency, forest, granularity, karp_flatt, start_up
from raybench.report.plots.canvas import COLOURS, DASHES, MARKERS, look, svg
from report import made_run

NOT_IN_MADE_RUN = ("rmse-delta", "verdicts", "karp-flatt", "scaleout")
MADE = [plot.name for plot in PLOTS if plot.name not in NOT_IN_MADE_RUN]


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    reports = tmp_path_factory.mktemp("plots") / "reports"
    return analyse(build.read(made_run.write(reports), reports))


def quality(pair: int, variant: str) -> Quality:
    """Make a pair whose baseline errs by 10 or 20 and whose tuned model errs by half of it or as much."""
    base, tuned = ((10.0, 5.0), (20.0, 20.0))[pair % 2]
    shape = np.linspace(0.1, 1.9, 40)
    return Quality(
        workload="hpo", variant=variant, pair=pair, metric="rmse", baseline="default", baseline_test=base,
        tuned_validation=tuned - 1, tuned_test=tuned, baseline_errors=tuple(base**2 * shape),
        tuned_errors=tuple(tuned**2 * shape),
    )  # fmt: skip


def drawn(findings) -> dict:
    return {plot.name: (plot, data) for plot in PLOTS if (data := plot.series(findings)) is not None}


def test_every_figure_that_has_data_is_drawn(findings):
    assert set(drawn(findings)) == {
        "forest", "efficiency", "granularity", "core-seconds", "start-up", "anytime", "order",
    }  # fmt: skip


def test_names_and_places_of_figures_are_unique_and_real():
    assert len({plot.name for plot in PLOTS}) == len(PLOTS)
    assert {plot.section for plot in PLOTS} <= {
        "answers",
        "claims",
        "cells",
        "metg",
        "start-up",
        "losses",
        "deltas",
        "controls",
        "emulated",
    }


def test_what_no_picture_shows_the_page_draws_itself():
    assert {plot.name for plot in PLOTS if plot.draw is None} <= set(WRITERS)
    assert all(plot.draw for plot in PLOTS if plot.brief)


@pytest.mark.parametrize("name", [plot.name for plot in PLOTS if plot.name in MADE and plot.draw])
def test_a_figure_has_the_same_bytes_each_time_and_no_date(findings, name):
    plot, data = drawn(findings)[name]
    text = svg(plot, data)
    assert text == svg(plot, data)
    assert "<dc:date>" not in text
    assert "matplotlib.org" not in re.sub(r"xmlns[^>]*", "", text)
    assert "<script" not in text


def test_a_user_s_matplotlibrc_changes_nothing(findings):
    """`matplotlibrc` is read at import into rcParams."""
    plot, data = drawn(findings)["granularity"]
    plain = svg(plot, data)
    own = {
        "figure.facecolor": "black", "lines.linewidth": 5, "axes.titlesize": 20, "figure.dpi": 300, "savefig.dpi": 300,
        "font.family": "serif", "svg.fonttype": "path", "svg.image_inline": False, "axes.formatter.limits": (0, 0),
    }  # fmt: skip
    with mpl.rc_context(own):
        assert svg(plot, data) == plain


def test_text_stays_text(findings):
    plot, data = drawn(findings)["granularity"]
    assert ">task length (work)</text>" in svg(plot, data)


@pytest.mark.parametrize("name", MADE)
def test_a_caption_names_n_base_and_cold_or_warm(findings, name):
    plot, data = drawn(findings)[name]
    caption = plot.caption(data).lower()
    assert re.search(r"\bn = \d+", caption)
    assert "base" in caption
    assert re.search(r"\b(warm|cold)\b", caption)
    assert "interval" in caption


def test_empty_findings_draw_nothing(tmp_path):
    folder = made_run.write(tmp_path / "reports", keep=slice(0, 0))
    assert drawn(analyse(build.read(folder, tmp_path / "reports"))) == {}


def test_the_forest_has_the_best_backend_of_each_workload_warm_and_cold(findings):
    ((kind, (line,)),) = forest.series(findings).groups
    assert (kind, line.workload, line.row.cell.backend.name) == ("hyperparameter search", "friedman", "joblib")
    assert line.warm.point == pytest.approx(1.9 / 1.25, rel=0.03)  # the threaded baseline is the better one
    assert line.cold.point < line.row.speedup.point


def test_efficiencies_are_those_of_the_law_and_leave_out_less_work(findings):
    found = dict(efficiency.series(findings).panels)
    assert set(found) == {"joblib", "ray_tasks"}
    for backend, ((_, rows),) in found.items():
        for row in rows:
            assert row.ceiling is None
            law = made_run.SPEEDUPS[(backend, row.cell.cpus)] / row.cell.cpus
            assert row.efficiency.point == pytest.approx(law, rel=0.03)


def test_two_core_counts_show_no_trend_of_the_serial_fraction(findings):
    assert karp_flatt.series(findings) is None


def test_start_up_takes_the_least_of_each_backend_and_no_loop(findings):
    starts = {(backend, cpus): start.point for backend, cpus, start in start_up.series(findings).starts}
    assert starts == {("joblib", 2): 0.4, ("ray_tasks", 2): 6.0, ("ray_tune_asha", 2): 6.5}


def test_the_ladder_is_drawn_from_the_bare_loop(findings):
    ((cpus, (curve,)),) = granularity.series(findings).panels
    assert cpus == 2
    longest = max(curve.steps, key=lambda step: step.work)
    assert longest.efficiency.point == pytest.approx(256 / 258, rel=0.01)


def test_looks_repeat_late_and_differ_without_colour():
    looks = [look(index) for index in range(len(COLOURS) * len(MARKERS))]
    assert len({(one["color"], one["marker"]) for one in looks}) == len(looks)
    first = looks[: len(MARKERS)]
    assert len({one["marker"] for one in first}) == len({one["dashes"] for one in first}) == len(MARKERS) == len(DASHES)


def test_anytime_never_gets_worse(findings):
    for curve in findings.anytime:
        points = [e.point for e in curve.loss if math.isfinite(e.point)]
        assert points == sorted(points, reverse=True)


@pytest.mark.rule("HB12", 49)
def test_lines_join_points_along_cores_only_and_captions_explain_the_bars() -> None:
    """Cores are ordered: their points are joined. Claims and backends are not: no line leads from one to the next."""
    made = loop_and(*((cell(backend, cpus), 9.0 / cpus) for backend in (POOL, RAY) for cpus in (1, 2, 4)))
    made = replace(made, qualities=tuple(quality(pair, variant) for variant in ("tuned", "asha") for pair in range(10)))
    found = analyse(made)
    found = replace(found, claims=judge(made, found))
    lines = {}
    for plot in PLOTS:
        if plot.name in ("efficiency", "karp-flatt", "rmse-delta", "verdicts"):
            data, figure = plot.series(found), Figure(layout="constrained")
            plot.draw(data, figure)
            joined = [line for axes in figure.axes for line in axes.lines if line.get_linestyle() != "None"]
            lines[plot.name] = [line.get_xydata() for line in joined if len(line.get_xydata()) > 1]
            assert "interval" in plot.caption(data)
    assert sorted(lines) == ["efficiency", "karp-flatt", "rmse-delta", "verdicts"]
    assert any(len(xy) == 3 and (np.diff(xy[:, 0]) > 0.9).all() for xy in lines["efficiency"])
    for name in ("rmse-delta", "verdicts"):
        assert all(np.ptp(xy[:, 0]) == 0 or np.ptp(xy[:, 1]) == 0 for xy in lines[name]), name
