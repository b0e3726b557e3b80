"""In a real browser, from disk: the page sorts, filters, draws, saves, fits a phone, is legible; no error."""

import csv
import html
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from browsers import BROWSERS
from report import made_run

pytestmark = pytest.mark.browser

# The page runs in a frame of the wanted width; the driver works it from outside and writes what it saw.
DRIVER = Path(__file__).with_name("driver.html")


@pytest.fixture
def root(reported):
    return reported.root


def browse(root, profile, *, width: int, dark: bool) -> dict:
    """Open the page in a headless browser without network and give back what the driver saw."""
    (root / "driver.html").write_text(DRIVER.read_text().replace("@WIDTH@", str(width)))
    browser = next(path for name in BROWSERS if (path := shutil.which(name)))
    done = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--allow-file-access-from-files", "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={profile}", f"--blink-settings=preferredColorScheme={int(not dark)}",
            "--window-size=1600,1000", "--virtual-time-budget=20000", "--dump-dom", (root / "driver.html").as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return json.loads(html.unescape(re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.S).group(1)))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_works_at_this_width(root, tmp_path, width, dark):
    seen = browse(root, tmp_path, width=width, dark=dark)
    assert seen["errors"] == []
    assert seen["dark"] is dark
    assert abs(seen["width"] - width) <= 20  # a scroll bar
    assert seen["overflow"] <= 0, "the page itself must not scroll sideways"
    assert seen["faint"] == [], "text needs a contrast of 4.5 with its paper"
    check_charts(seen)
    check_sorting(seen)
    check_filter(seen)
    check_downloads(seen)
    check_dialog(seen, width)
    assert seen["images"]
    assert seen["decoded"] == [True] * len(seen["decoded"])
    page = (root / "reports" / "index.html").read_text()
    shown = re.sub(r"<noscript>.*?</noscript>", "", page, flags=re.S)
    assert len(seen["decoded"]) == shown.count("<img ") < page.count("<img ")


def check_charts(seen):
    assert seen["points"] == [1, 4]
    assert seen["cut"] == [], "labels that leave their chart"
    assert seen["overlaps"] == [], "labels over each other"


def check_sorting(seen):
    numbers = [float(text.split("x")[0]) for text in seen["up"] if text != "–"]
    assert numbers == sorted(numbers)
    assert len(numbers) == 5
    assert [float(text.split("x")[0]) for text in seen["down"] if text != "–"] == numbers[::-1]
    assert sorted(seen["up"]) == sorted(seen["before"])
    assert seen["up"][-1] == seen["down"][-1] == "–"  # what has no number stays at the end


def check_filter(seen):
    assert set(seen["filtered"]) == {"joblib"}
    assert set(seen["cores"]) == {"2"}
    assert seen["count"].startswith(f"{len(seen['filtered'])} of ")
    assert seen["linked"] == [1, 1]
    assert (seen["address"]["words"], seen["address"]["cores"]) == ("joblib friedman", "2")
    assert seen["address"]["sort"].startswith("warm:")
    assert seen["before_opening"] == 0
    assert seen["folded"] == 1
    assert seen["cleared"] == [len(seen["before"]), False]
    assert seen["again"][:4] == ["joblib friedman", "2", True, seen["title"]]
    assert seen["again"][4] == seen["shown"]
    assert seen["inside"] == 0, "words match at their start"
    assert seen["none"] == [0, 0]


def check_downloads(seen):
    """The shown rows, with numbers beside their text."""
    (line,) = csv.DictReader(io.StringIO(seen["csv"]))
    (row,) = json.loads(seen["json"])["rows"]
    assert (line["workload"], line["backend"], line["P"]) == ("friedman", "joblib", "2")
    assert line["speedup"] == row["speedup"]
    assert float(line["speedup (value)"]) == row["speedup (value)"] == pytest.approx(1.9, rel=0.03)


def check_dialog(seen, width):
    assert seen["closed"]
    assert seen["open"]
    assert seen["shut"]
    assert seen["row"]
    assert seen["title"].startswith("friedman on joblib")
    assert seen["charts"] == 3
    assert seen["samples"] == made_run.BLOCKS
    assert seen["dialog"] <= width
