"""The table at the end of a run: its lines on the made run, narrow terminals, first groups, JSON, the summary page."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from made_study import ASHA, POOL, cell, planned, series
from raybench.analysis import speedup
from raybench.analysis.controls import judge_controls
from raybench.analysis.dataset import Dataset
from raybench.model import units
from raybench.model.measurement import Sample
from raybench.model.plan import Cluster, Requires, Status
from raybench.report import run_table, shown_run
from raybench.report.run_table import RunTable, as_lines, break_even, first_lines
from raybench.store import store
from report import made_run

LINES = [made_run.measurement(job, index) for index, job in enumerate(made_run.plan().jobs)]


def table() -> RunTable:
    return run_table.run_table(made_run.plan(), LINES, ())


def test_a_workload_is_its_baseline_its_backends_and_an_advice() -> None:
    lines = as_lines(table(), width=120)
    start = next(i for i, line in enumerate(lines) if line.startswith("friedman"))
    mine = lines[start : start + 7]

    assert re.fullmatch(r"friedman   8 tasks of 5\d\d ms   sequential 4\.\d+ s", mine[0])
    assert re.fullmatch(r"  joblib +2\.\d+ s +1\.\d+x \+-\d\.\d % +E 0\.9\d +with start-up 1\.\d+x +<- best", mine[2])
    assert re.match(
        r"  ray_tune_asha +\d\.\d+ s   finishes 2\.\d+x sooner by doing 70 % of the work, rmse \S+ % h", mine[4]
    )
    assert mine[5].startswith("Distribute with joblib: 1.5")
    assert "against the threaded baseline once workers are up" in mine[5]
    assert re.fullmatch(r"ray_tasks pays from \d+\S* s of sequential work when it has to be started\.", mine[6])


def test_a_cell_that_failed_says_why_in_its_place() -> None:
    (line,) = [line for line in as_lines(table(), width=200) if "timed out" in line]
    assert re.fullmatch(r"  ray_tasks +6 timed out: 6 x ran longer than 300 s", line)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, as_lines(table(), width=width))) <= width


def test_every_number_is_that_of_the_rows() -> None:
    rows = {
        (row.cell.workload.name, row.cell.backend.name, row.cell.cpus): row
        for row in speedup.rows(Dataset(made_run.plan(), LINES))
        if row.n
    }
    checked = 0
    for one in table().workloads:
        for line in (line for line in one.lines if line.time is not None):
            row = rows[one.workload, line.backend, line.cpus]
            assert (line.time, line.speedup, line.speedup_cold) == (row.makespan, row.speedup, row.speedup_cold)
            checked += line.speedup is not None
    assert checked == 3


def test_the_half_width_is_rounded_up_and_absent_without_an_interval() -> None:
    assert [units.within(half) for half in (0.0071, 0.01, 0.123, float("inf"))] == ["+-0.8 %", "+-1.0 %", "+-13 %", ""]


def test_break_even_is_start_up_over_the_share_that_is_saved() -> None:
    """Start-up 3 s more than the baseline's, speedup 2: at 6 s of work, 3 s are saved and 3 s were paid."""
    cells = [cell(), cell(POOL, 2)]
    lines = series(cells[0], [2.0] * 6, phases={"imports": 1.0}) + series(cells[1], [1.0] * 6, phases={"start_up": 4.0})
    row = speedup.rows(Dataset(planned(cells, blocks=6), lines))[1]
    assert break_even(row) == pytest.approx(6.0)


def test_break_even_is_left_out_where_start_up_pays_or_nothing_is_gained() -> None:
    cells = [cell(), cell(POOL, 2)]
    for seconds, start_up in ((1.0, 0.1), (3.0, 4.0)):
        lines = series(cells[0], [2.0] * 6) + series(cells[1], [seconds] * 6, phases={"start_up": start_up})
        assert break_even(speedup.rows(Dataset(planned(cells, blocks=6), lines))[1]) is None


# --- while the run goes on ------------------------------------------------------------------------


def test_the_first_group_shows_its_workload_without_interval_or_advice() -> None:
    done = [line for line in LINES if line.block == 0]
    lines = as_lines(first_lines(made_run.plan(), done, (), "friedman"), width=100)

    assert lines[0].startswith("friedman")
    assert lines[-1] == "provisional: 1 block so far; intervals begin with the second or third"
    text = "\n".join(lines)
    assert "+-" not in text
    assert "Distribute" not in text
    assert "1.9" in text


def test_a_group_without_a_good_measurement_shows_nothing() -> None:
    bad = [replace(line, status=Status.FAILED) for line in LINES if line.block == 0]
    assert as_lines(first_lines(made_run.plan(), bad, (), "friedman")) == []


def test_each_workload_is_shown_once(tmp_path: Path) -> None:
    folder = made_run.write(tmp_path)
    first = shown_run.FirstLines(folder, made_run.plan(), width=80)
    job = made_run.plan().jobs[0]

    assert first.of(job)
    assert not first.of(job)


def test_less_work_that_takes_longer_is_not_called_sooner() -> None:
    cells = [cell(), cell(ASHA, 2)]
    lines = series(cells[0], [2.0] * 6) + series(cells[1], [4.0] * 6, steps_asked=100, steps_done=40)
    text = "\n".join(as_lines(run_table.run_table(planned(cells, blocks=6), lines, ())))
    assert "takes 2x as long, though doing 40 % of the work" in text


# --- scripts --------------------------------------------------------------------------------------


def test_json_has_the_same_numbers_and_null_for_what_is_unbounded() -> None:
    done = [line for line in LINES if line.block == 0]
    found = json.loads(run_table.as_json(first_lines(made_run.plan(), done, (), "friedman")))
    (joblib,) = [line for line in found["workloads"][0]["lines"] if line["backend"] == "joblib"]

    assert joblib["speedup"]["point"] == pytest.approx(1.9, rel=0.05)
    assert joblib["speedup"]["high"] is None


def test_the_summary_page_is_appended_to_and_a_page_that_is_none_is_told(tmp_path: Path) -> None:
    page = tmp_path / "summary.md"
    page.write_text("before\n", encoding="utf-8")

    assert shown_run.append_summary(table(), str(page)) == ""
    assert page.read_text(encoding="utf-8").startswith("before\n```text\n")
    assert "friedman" in page.read_text(encoding="utf-8")
    assert shown_run.append_summary(table(), str(tmp_path)).startswith("GITHUB_STEP_SUMMARY lacks the table")
    assert shown_run.append_summary(table(), "") == ""


def test_an_interrupt_before_the_first_group_has_ended_leaves_the_samples_so_far(tmp_path: Path) -> None:
    folder = made_run.write(tmp_path, keep=slice(0, 0))
    cell = made_run.plan().jobs[0].cell
    writer = store.Store(folder / store.MEASUREMENTS)
    for number, seconds in enumerate((2.0, 3.0, 4.0)):
        writer.append(Sample(cell=cell.key, block=0, replica=1, attempt=1, round=number, place=number, seconds=seconds))

    assert shown_run.read(folder, made_run.plan()) is None
    first, last = shown_run.first_samples(folder, made_run.plan())
    assert first == f"{cell.workload.name} x {cell.backend.name} P={cell.cpus}   3 s   3 samples"
    assert last.startswith("No group has ended")


def test_a_contended_host_has_the_wider_region_at_the_terminal_too() -> None:
    """A/A within 4 %: outside of 2 %, inside of 5 %."""
    plan = made_run.plan()
    told = {
        spread: run_table.run_table(plan, LINES, (), facts={"host_state": {"spread": spread}}).status
        for spread in (0.01, 0.12)
    }
    judged = {spread: judge_controls(Dataset(plan, LINES), facts={"host_state": {"spread": spread}}) for spread in told}
    assert [judged[spread].contended for spread in (0.01, 0.12)] == [False, True]
    for spread, report in judged.items():
        assert [line for line in told[spread] if str(report.trust) in line]


def test_cells_on_nodes_of_our_own_are_said_to_be() -> None:
    made = made_run.plan()
    ray = Requires(packages=("ray",))
    nodes = Cluster(name="some", nodes=(1, 2))
    beside = tuple(replace(job, cluster=nodes) for job in made.jobs)
    there = tuple(
        replace(job, cell=replace(job.cell, backend=replace(job.cell.backend, requires=ray))) for job in beside
    )
    told = "Cells of Ray ran on cluster some: 2 nodes of 1 + 2 CPUs, logical ones on 2 cores, all on this machine."

    assert told not in run_table.run_table(replace(made, jobs=beside), (), ()).status
    assert run_table.run_table(replace(made, jobs=there), (), ()).status[-1] == told
