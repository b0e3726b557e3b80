"""The page stands alone: no network, no markup from raw data, and what it embeds is what was measured."""

import html.parser
import json
import re
import shlex

import pytest

from raybench.model.plan import Status
from raybench.report import details
from report import made_run


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
def data(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S).group(1))


def test_nothing_is_fetched(page, read):
    for tag, attributes in read.elements:
        for name in ("src", "href", "action", "data"):
            assert attributes.get(name, "data:").startswith(("data:", "#")), (tag, attributes)
    policies = [a["content"] for t, a in read.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies[0].startswith("default-src 'none'")
    assert not re.search(r"@import|url\((?!#)", page.split("</style>")[0])


def test_raw_text_makes_no_elements(page, read):
    assert {tag for tag, _ in read.elements} & {"b", "iframe", "object"} == set()
    assert sum(tag == "script" for tag, _ in read.elements) == 2
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_ids_are_unique_and_every_link_has_its_target(read, data):
    ids = [a["id"] for _, a in read.elements if a.get("id")]
    assert len(ids) == len(set(ids))
    targets = {a["href"][1:] for t, a in read.elements if t == "a"}
    assert targets <= set(ids) | {f"cell-{key}" for key in data["cells"]}


def test_every_planned_cell_can_be_opened(read, data):
    keys = {cell.key for cell in made_run.plan().cells}
    assert set(data["cells"]) == keys
    links = {a["href"] for t, a in read.elements if t == "a" and a.get("class") == "cell"}
    assert links == {f"#cell-{key}" for key in keys}


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
