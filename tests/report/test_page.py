"""The page stands alone: no network, no markup from raw data, and what it embeds is what was measured."""

import html.parser
import json
import re
import shlex
from html import escape as html_escape

import pytest

from raybench.model.plan import Status
from raybench.report import details
from report import made_run
from report.read_back import page_data, page_table, results, table


class Reader(html.parser.HTMLParser):
    """Collect elements, their attributes, and the text of scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, text):
        if self.elements and self.elements[-1][0] == "script":
            self.scripts.append(text)


@pytest.fixture(scope="module")
def page(reported):
    return (reported.root / "reports" / "index.html").read_text()


@pytest.fixture(scope="module")
def read(page):
    reader = Reader()
    reader.feed(page)
    return reader


@pytest.fixture(scope="module")
def data(reported):
    return page_data(reported.root)


def test_nothing_is_fetched(page, read):
    for tag, attributes in read.elements:
        for name in ("src", "href", "action", "data"):
            assert attributes.get(name, "data:").startswith(("data:", "#")), (tag, attributes)
    policies = [a["content"] for t, a in read.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies[0].startswith("default-src 'none'")
    assert not re.search(r"@import|url\((?!#)", page.split("</style>")[0])


def test_raw_text_makes_no_elements(page, read, data):
    assert {tag for tag, _ in read.elements} & {"b", "iframe", "object"} == set()
    assert sum(tag == "script" for tag, _ in read.elements) == 2
    assert "<script>alert" not in page
    assert made_run.NASTY in {row[0][0] for row in data["tables"]["warm"]["rows"]}


def test_ids_are_unique_and_every_link_has_its_target(read, data):
    ids = [a["id"] for _, a in read.elements if a.get("id")]
    assert len(ids) == len(set(ids))
    targets = {a["href"][1:] for t, a in read.elements if t == "a"}
    assert targets <= set(ids) | {f"cell-{key}" for key in data["cells"]}


def test_every_planned_cell_can_be_opened(data):
    keys = {cell.key for cell in made_run.plan().cells}
    assert set(data["cells"]) == keys
    assert {row[0][2] for row in data["tables"]["warm"]["rows"]} == {f"#cell-{key}" for key in keys}


def test_a_table_stands_once_in_the_page_and_the_main_ones_can_be_read_without_a_script(page, reported):
    """Every table is data; those of RESULTS.md stand in `noscript` too."""
    without = "".join(re.findall(r"<noscript>(.*?)</noscript>", page, re.S))
    shown = re.sub(r"<noscript>.*?</noscript>", "", page, flags=re.S)
    assert "<td" not in shown.split('id="data"')[0]
    assert "<h2" in shown
    first = page_table(reported.root, "kinds of work")
    assert list(first["kind of work"]) == list(table(results(reported.root), "| kind of work")["kind of work"])
    for text in first.iloc[0]:
        assert f"<td>{html_escape(text)}</td>" in without


def test_charts_show_the_numbers_of_the_tables(data, reported):
    """Each point of a chart is the one that the table of cells has for the same cell."""
    warm = {row[0][2]: row for row in data["tables"]["warm"]["rows"]}
    at = data["tables"]["warm"]["columns"].index("efficiency")
    points = [p for panel in data["charts"]["efficiency"]["panels"] for line in panel["lines"] for p in line["points"]]
    assert len(points) == 4
    for point in points:
        text, value = warm[f"#cell-{point['cell']}"][at][:2]
        assert point["share"][0] == pytest.approx(value, rel=1e-5)
        assert point["share"][3].startswith(text)
    ((kind, (row,)),) = [(group["kind"], group["rows"]) for group in data["charts"]["forest"]["groups"]]
    decided = page_table(reported.root, "decisions").set_index("workload").loc["friedman"]
    assert (kind, row["warm"][3], row["cold"][3]) == (
        "hyperparameter search", decided["speedup, warm"], decided["with start-up"],
    )  # fmt: skip
    for account in data["charts"]["core-seconds"]["rows"]:
        assert sum(account["shares"]) == pytest.approx(1, abs=0.05)


def test_task_times_of_a_cell_are_its_stamps(data):
    cell = made_run.cell(made_run.FRIEDMAN, "joblib", 2)
    jobs = [(i, job) for i, job in enumerate(made_run.plan().jobs) if job.cell == cell]
    times = [t.ended - t.started for i, job in jobs for t in made_run.measurement(job, i).tasks]
    lines = {key: (steps, base) for key, _, steps, base in data["durations"]["friedman"]}
    steps, base = lines[cell.key]
    assert not base
    assert lines[made_run.cell(made_run.FRIEDMAN, "sequential", 1).key][1]
    assert steps[0][1] == pytest.approx(min(times), rel=1e-5)
    assert steps[-1] == [1, pytest.approx(max(times), rel=1e-5)]


def test_samples_are_the_raw_lines(data):
    jobs = made_run.plan().jobs
    made = {job.key: made_run.measurement(job, index) for index, job in enumerate(jobs)}
    seen = 0
    at = {name: index for index, name in enumerate(data["fields"])}
    for key, cell in data["cells"].items():
        for sample in cell["samples"]:
            m = made[(key, sample[at["block"]], sample[at["replica"]], sample[at["attempt"]])]
            assert sample[at["makespan"]] == pytest.approx(m.phases.makespan, abs=5e-5)
            assert sample[at["cold"]] == pytest.approx(m.phases.cold, abs=5e-5)
            assert sample[at["status"]] == m.status
            assert sample[at["reason"]] == m.reason
            seen += 1
    assert seen == len(jobs)


def test_the_chart_is_of_the_measurement_with_the_median_makespan(data):
    cell = made_run.cell(made_run.FRIEDMAN, "joblib", 2)
    jobs = [(i, job) for i, job in enumerate(made_run.plan().jobs) if job.cell == cell]
    lines = sorted((made_run.measurement(job, i) for i, job in jobs), key=lambda m: m.phases.makespan)
    chart = data["cells"][cell.key]["chart"]
    assert chart["block"] == lines[len(lines) // 2].block
    assert chart["lanes"] == 2
    assert len(chart["tasks"]) == made_run.TASKS
    assert chart["before"] == pytest.approx(0.7)


def test_tasks_that_were_stopped_show_as_such(data):
    chart = data["cells"][made_run.cell(made_run.FRIEDMAN, "ray_tune_asha", 2).key]["chart"]
    assert [task[4] for task in sorted(chart["tasks"])] == ["done"] * 4 + ["fewer steps"] * 4


def test_a_failed_cell_has_its_whole_reason_and_no_chart(data):
    cell = data["cells"][made_run.cell(made_run.HURT, "joblib", 2).key]
    assert cell["chart"] is None
    assert {sample[-1] for sample in cell["samples"]} == {made_run.TRACEBACK}
    assert {sample[3] for sample in cell["samples"]} == {Status.FAILED}


def test_the_command_that_repeats_a_cell_survives_the_shell(data):
    command = data["cells"][made_run.cell(made_run.HURT, "ray_tasks", 2).key]["command"]
    assert shlex.split(command) == [
        "raybench", "run", "study=made", f"workloads=[{made_run.NASTY}]", "backends=[sequential,ray_tasks]", "cpus=[2]",
    ]  # fmt: skip


def test_what_json_does_not_know_becomes_null_and_markup_is_escaped():
    text = details.embed_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": "</script>&"})
    assert "<" not in text
    assert json.loads(text) == {"a": None, "b": [None, 1.5], "c": "</script>&"}
