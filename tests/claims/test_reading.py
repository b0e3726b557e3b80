"""Claims are read with every key checked; what is wrong is refused with file and line."""

import math
from pathlib import Path

import numpy as np
import pytest

from checkout import ROOT
from made_claims import RAY, loop_and
from made_study import cell
from raybench.analysis.analyze import analyse
from raybench.claims import reading
from raybench.claims.claim import Claim, Part, Select
from raybench.claims.judge import judge
from raybench.model.errors import BadSettings
from raybench.model.estimate import VerdictKind

PAIR = cell(RAY, 2)
STUDY = loop_and((PAIR, 5.0))  # a speedup of 1.6 exactly
OWN = reading.read()
GOOD = """id: C13
source: S3
statement: compute-bound work keeps an efficiency of 0.7-0.8
quantity: estimate_error
select: {tags: [compute], cpus: ">1"}
with: {assumed: 0.8}
band: [0.7, 0.8]
kind: universal
"""


def read(folder: Path, text: str) -> Claim:
    path = folder / "c13.yaml"
    path.write_text(text, encoding="utf-8")
    return reading.read_file(path)


def test_a_claim_is_read_with_all_that_stands_in_it(tmp_path):
    also = "all_of:\n  - {say: count, quantity: tasks, band: [27, 27]}\n"
    beside = "context:\n  - say: cold\n    quantity: speedup\n    warm: false\n"
    found = read(tmp_path, GOOD + also + beside)

    part = Part(
        quantity="estimate_error",
        select=Select(tags=("compute",), cpus=">1"),
        given={"assumed": 0.8},
        low=0.7,
        high=0.8,
    )
    count = Part(quantity="tasks", say="count", low=27, high=27)
    assert found.parts == (part, count)
    assert found.context == (Part(quantity="speedup", cold=True, say="cold"),)
    assert (found.id, found.where) == ("C13", f"{tmp_path}/c13.yaml:1")


@pytest.mark.parametrize(("bound", "ends"), [("at_least: 1", (1, math.inf)), ("at_most: 0.1", (-math.inf, 0.1))])
def test_a_bound_is_a_band_with_an_open_side(tmp_path, bound, ends):
    found = read(tmp_path, GOOD.replace("band: [0.7, 0.8]", bound)).parts[0]

    assert (found.low, found.high) == ends


@pytest.mark.parametrize(
    ("old", "new", "number", "words"),
    [
        ("quantity: estimate_error", "quantity: eficiency", 4, "no quantity 'eficiency'"),
        ("quantity: estimate_error", "quantity: [a]", 4, "no quantity ['a']"),
        ("source: S3", "sauce: S3", 2, "no key 'sauce'"),
        ("source: S3", "source: 3", 2, "source is 3"),
        ("source: S3\n", "", 1, "source is ''"),
        ("kind: universal", "kind: universl", 8, "kind is 'universl'; did you mean 'universal'?"),
        ("kind: universal\n", "", 1, "kind is None"),
        ("kind: universal", "kind: [a]", 8, "kind is ['a']"),
        ("kind: universal", "kind: question", 7, "judges nothing"),
        ('cpus: ">1"', "compute_bound: 1", 5, "expected true or false"),
        ("id: C13", "id: c-13", 1, "id 'c-13'"),
        ("band: [0.7, 0.8]", "band: [0.8, 0.7]", 7, "the lower end comes first"),
        ("band: [0.7, 0.8]", "band: [0.7]", 7, "band is [0.7]"),
        ("band: [0.7, 0.8]", "band: 0.7", 7, "band is 0.7"),
        ("band: [0.7, 0.8]", "band: [0.7, .inf]", 7, "finite"),
        ("band: [0.7, 0.8]", "at_least: high", 7, "at_least is 'high'"),
        ("band: [0.7, 0.8]", "at_least: true", 7, "at_least is True"),
        ("band: [0.7, 0.8]", "at_least: 1\nat_most: 2", 8, "exactly one of"),
        ("band: [0.7, 0.8]\n", "", 4, "exactly one of"),
        ("band: [0.7, 0.8]", "band: [0.7, 0.8]\nband: [0.1, 0.2]", 8, "appears twice"),
        ("with: {assumed: 0.8}", "with: {tasks: 20}", 6, "no key 'tasks'"),
        ("with: {assumed: 0.8}", "with: {assumed: many}", 6, "expected a number"),
        ("with: {assumed: 0.8}", "with: {assumed: true}", 6, "expected a number"),
        ("with: {assumed: 0.8}\n", "", 4, "needs `with: {assumed: ...}`"),
        ("with: {assumed: 0.8}", "with: [20]", 6, "expected keys with values"),
        ('cpus: ">1"', "cpus: many", 5, "cpus is 'many'"),
        ('cpus: ">1"', "tasks: max", 5, "tasks is 'max'"),
        ("tags: [compute]", "tags: compute", 5, "expected a list of names"),
        ("tags: [compute]", "labels: [compute]", 5, "no key 'labels'"),
        ("source: S3", "source: S3\nwarm: cold", 3, "expected true or false"),
        ("source: S3", "source: S3\ncontext: [{quantity: speedup}]", 3, "say is missing"),
        ("source: S3", "source: S3\ncontext: [{say: x, quantity: speedup, at_least: 1}]", 3, "judges nothing"),
        ("source: S3", "source: S3\nall_of: [speedup]", 3, "all_of is a list of quantities"),
        ("source: S3", "source: S3\nall_of: [{quantity: speedup}]", 3, "exactly one of"),
        ("quantity: estimate_error\n", "", 1, "has no quantity"),
        ("source: S3", "source: [S3", 3, "not YAML"),
        (GOOD, "- a\n", 1, "expected keys with values at the top"),
        (GOOD, "", 1, "expected keys with values at the top"),
    ],
)
def test_what_is_wrong_is_refused_with_file_and_line(tmp_path, old, new, number, words):
    assert old in GOOD
    with pytest.raises(BadSettings) as caught:
        read(tmp_path, GOOD.replace(old, new))

    assert str(caught.value).startswith(f"{tmp_path}/c13.yaml:{number}: ")
    assert words in str(caught.value)


def test_claims_of_a_folder_of_one_s_own_are_judged_too(tmp_path):
    (tmp_path / "claim").mkdir()
    (tmp_path / "claim" / "mine.yaml").write_text(GOOD.replace("C13", "MINE1"))

    assert [found.id for found in reading.read([tmp_path])] == [*(found.id for found in OWN), "MINE1"]
    assert judge(STUDY, analyse(STUDY), [tmp_path])[-1].id == "MINE1"


def test_an_id_that_is_taken_is_refused(tmp_path):
    (tmp_path / "claim").mkdir()
    (tmp_path / "claim" / "mine.yaml").write_text(GOOD)

    with pytest.raises(BadSettings, match=r"claim C13 is already defined in .*mine\.yaml:1"):
        reading.read([tmp_path])


def test_a_claim_about_a_known_quantity_needs_its_yaml_alone(tmp_path):
    (tmp_path / "claim").mkdir()
    text = "id: MINE1\nsource: me\nkind: existence\nstatement: Ray saves time\nquantity: speedup\n"
    text += "select: {cpus: max}\nat_least: 1\n"
    (tmp_path / "claim" / "mine.yaml").write_text(text)

    found = judge(STUDY, analyse(STUDY), [tmp_path])[-1]
    assert (found.id, found.verdict, found.value.point, found.band) == (
        "MINE1", VerdictKind.SUPPORTED, 1.6, "speedup over the sequential baseline: at least 1x, in one cell",
    )  # fmt: skip
    assert np.isfinite(found.value.low)


def test_the_recipe_for_a_claim_is_one(tmp_path):
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = text.split("```yaml\n# conf/claim/")[1].split("\n", 1)[1].split("```")[0]

    assert read(tmp_path, shown).id == "C13"
